"""``seqrec-edu doctor``: what works here, what does not, and the next step for each.

Made to run when half of it is broken: it imports nothing but the standard library, every check runs guarded, and
whatever could bring the interpreter down (torch, compiled packages) is tried in an interpreter of its own.
"""

import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from shutil import get_terminal_size

from seqrec_edu import __version__
from seqrec_edu.cli import examinations
from seqrec_edu.cli.examinations import Finding

WORDS = {"ok": "ok", "note": "note", "unknown": "unknown", "broken": "BROKEN"}


def run(as_json: bool = False) -> int:
    """Examine, print, and return the exit status: 0 unless something that is needed is broken."""
    findings = examine()
    print(as_document(findings) if as_json else as_table(findings, get_terminal_size().columns))
    return 0 if healthy(findings) else 1


def examine(checks: Sequence[Callable[[], list[Finding]]] | None = None) -> list[Finding]:
    """Run every check and return what was found, in their order. A check that fails becomes a line, not an error."""
    checks = examinations.CHECKS if checks is None else checks
    with ThreadPoolExecutor(max_workers=4) as pool:
        return [finding for found in pool.map(_guarded, checks) for finding in found]


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing that is needed is broken."""
    return all(finding.status != "broken" for finding in findings)


def as_table(findings: Sequence[Finding], width: int = 100) -> str:
    """The findings as plain text of three columns: verdict, what, and what was found with its next step."""
    margin = max((len(finding.what) for finding in findings), default=0) + 11
    room = max(width - margin, 40)
    lines = [f"seqrec-edu {__version__}"]
    for finding in findings:
        body = textwrap.wrap(finding.value, room, break_on_hyphens=False) or [""]
        if finding.next_step:
            body += textwrap.wrap(
                f"next: {finding.next_step}", room, subsequent_indent="      ", break_on_hyphens=False
            )
        head = f"{WORDS[finding.status]:<8} {finding.what}"
        lines += [f"{head:<{margin}}{body[0]}", *(f"{'':<{margin}}{line}" for line in body[1:])]
    broken = [finding.what for finding in findings if finding.status == "broken"]
    lines.append(f"Broken and needed: {', '.join(broken)}." if broken else "Nothing that is needed is broken.")
    text = "\n".join(lines)
    # A Windows console may lack a character of an error message; a question mark is better than no report.
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def as_document(findings: Sequence[Finding]) -> str:
    """The findings as one JSON document: version, ok, and a list of what, status, value, next_step."""
    document = {"version": __version__, "ok": healthy(findings), "findings": [vars(finding) for finding in findings]}
    return json.dumps(document, indent=2)


def _guarded(check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except Exception as error:
        name = check.__name__.replace("_", " ")
        return [Finding(name, "unknown", f"this check itself failed: {type(error).__name__}: {error}")]


if __name__ == "__main__":
    sys.exit(run("--json" in sys.argv))
