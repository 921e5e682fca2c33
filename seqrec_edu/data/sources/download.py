"""One file over HTTP from several addresses: resumed where it broke off, verified before use, renamed into place."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seqrec_edu.data.files import locked
from seqrec_edu.data.sources.registry import SourceError

ATTEMPTS = 3  # per address; each one goes on where the last broke off
CONNECT_S, READ_S, POLL_S = 10, 60, 1
BLOCK = 1 << 18

Progress = Callable[[int, int | None], None]  # (bytes so far, bytes in all or None)


class DownloadFailed(SourceError):
    """No address gave the file; the message names each one and its reason."""


def download(urls: list[str], target: Path, known_hash: str, progress: Progress | None = None) -> str:
    """Bring one file to `target` from the first of `urls` that gives the right bytes; returns that address.

    Args:
        urls: addresses of the same bytes, in the order to try.
        target: final path; it appears only after the bytes were verified. Another process that brings it is waited for.
        known_hash: "sha256:…" or "md5:…"; "" skips the check (the caller then pins what came).
    Raises:
        DownloadFailed: when none worked. `target.part` keeps what arrived, so that a later call goes on from there.
    """
    while True:
        with locked(target.with_name(f".{target.name}.lock")) as mine:
            if mine:
                return _from_any(urls, target, known_hash, progress)
        with suppress(FileNotFoundError):
            if progress:
                progress(_part(target).stat().st_size, None)  # how far the other one is
        time.sleep(POLL_S)


def _from_any(urls: list[str], target: Path, known_hash: str, progress: Progress | None) -> str:
    reasons = []
    for url in urls:
        try:
            _from(url, target, known_hash, progress)
            return url
        except _Refused as error:
            reasons.append(f"  {url}\n    {error}")
    part = _part(target)
    kept = (
        f"\n{part.stat().st_size:,} bytes are kept in {part}; the next try goes on from there." if part.exists() else ""
    )
    raise DownloadFailed(
        f"{target.name} could not be downloaded. Tried:\n" + "\n".join(reasons) + kept + "\n"
        "If you have the file from elsewhere, put it into a folder and pass that with --from FOLDER "
        "(or set SEQREC_EDU_MIRROR)."
    )


class _Refused(Exception):
    """One address did not work, and why."""


def _from(url: str, target: Path, known_hash: str, progress: Progress | None) -> None:
    """Fetch from one address. A wrong checksum after a resumed transfer gets one more try from the first byte."""
    import pooch

    target.parent.mkdir(parents=True, exist_ok=True)
    transfer = _Transfer(progress, resumable=_part(target))
    quiet = pooch.get_logger()
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        for last in (False, True):
            try:
                # pooch hashes a temporary file and renames it; a mismatch leaves nothing under the final name.
                pooch.retrieve(url, known_hash or None, target.name, target.parent, downloader=transfer)
                return
            except ValueError as error:
                if not (transfer.resumed and not last):
                    raise _Refused(f"wrong bytes: {error}") from error
    finally:
        quiet.setLevel(level)


class _Transfer:
    """A pooch downloader that goes on from `NAME.part` with an HTTP Range request."""

    def __init__(self, progress: Progress | None, resumable: Path):
        self.progress, self.part, self.resumed = progress, resumable, False
        self.note = resumable.with_name(resumable.name + ".json")  # which address and version the part belongs to

    def __call__(self, url: str, output_file: str | os.PathLike, pooch: object = None) -> None:
        import requests

        self.resumed = False
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._transfer(url)
                break
            except requests.HTTPError as error:
                raise _Refused(f"HTTP {error.response.status_code} {error.response.reason}") from error
            except (requests.RequestException, OSError) as error:
                if attempt == ATTEMPTS or isinstance(error, requests.exceptions.SSLError):
                    raise _Refused(_why(error)) from error
                time.sleep(0.2 * attempt)
        self.note.unlink(missing_ok=True)
        os.replace(self.part, output_file)

    def _transfer(self, url: str) -> None:
        import requests

        at, headers = self._start(url)
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_S, READ_S)) as response:
            if response.status_code == 416:  # the part is as long as the file or longer: not to be trusted
                self._forget()
                raise OSError("the server has nothing after the bytes already here; starting again")
            response.raise_for_status()
            if response.status_code != 206:  # another version, or a server that does not resume: all of it comes again
                at = 0
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {at}-"):
                self._forget()
                raise OSError(f"asked for bytes from {at:,}, got {response.headers.get('Content-Range')!r}")
            self.resumed = self.resumed or at > 0
            total = _length(response.headers, at)
            self._remember(url, response.headers)
            with self.part.open("ab" if at else "wb") as out:
                # As on the server's disk: a server that labels .gz files as encoded must not have them unpacked here.
                for block in _raw_blocks(response):
                    out.write(block)
                    if self.progress:
                        self.progress(out.tell(), total)
                came = out.tell()
        if total is not None and came != total:
            raise OSError(f"the transfer ended after {came:,} of {total:,} bytes")

    def _start(self, url: str) -> tuple[int, dict[str, str]]:
        """Where to go on, and the headers for it. Only a part of the same address and version is continued."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "seqrec-edu"}
        try:
            note = json.loads(self.note.read_text())
            at = self.part.stat().st_size
        except (OSError, ValueError):
            return 0, headers
        if note.get("url") != url or not note.get("version") or not at:
            return 0, headers
        return at, {**headers, "Range": f"bytes={at}-", "If-Range": note["version"]}

    def _remember(self, url: str, headers) -> None:
        strong = headers.get("ETag", "")
        version = strong if strong and not strong.startswith("W/") else headers.get("Last-Modified", "")
        self.note.write_text(json.dumps({"url": url, "version": version}))

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _length(headers, at: int) -> int | None:
    length = headers.get("Content-Length")
    return at + int(length) if length is not None else None


def _raw_blocks(response):
    import requests
    import urllib3

    try:
        yield from response.raw.stream(BLOCK, decode_content=False)
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def _why(error: Exception) -> str:
    """The innermost reason in one line: requests and urllib3 wrap errors several times."""
    import requests

    if isinstance(error, requests.exceptions.Timeout):
        return f"no answer in {CONNECT_S} s, or none for {READ_S} s"
    text = str(error)
    for start in ("[SSL:", "[Errno", "IncompleteRead"):
        if start in text:
            return text[text.index(start) :].rstrip(")\"' ") + (")" if start == "IncompleteRead" else "")
    return text or type(error).__name__
