"""Where every test target was ranked, kept beside the receipt: what paired comparisons need and means do not hold.

An expected rank is a whole or a half number, so twice the rank is a whole one, stored in the fewest bytes that hold the
catalogue: exact, and a few kilobytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqrec_edu.data.files import write_whole
from seqrec_edu.data.split import Split

RANKS_FILE = "ranks.npz"
REMEDY = "delete the file and give the same command again, which only ranks once more"


class BadRanks(ValueError):
    """A file that holds no ranks, or damaged ones."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """Expected test rank of every target, float64 "u", 1 = best, in the order of ``split.events("test")``.

    asked: what was asked, as a hash (see `question`). Two sets of ranks may be paired where it is the same.
    """

    ranks: np.ndarray
    users: np.ndarray
    asked: str

    def write(self, path: Path) -> None:
        """Write whole or not at all. Errors: BadRanks for ranks that are not multiples of one half from 1 on."""
        doubled = np.asarray(self.ranks, dtype=np.float64) * 2
        if not (np.isfinite(doubled).all() and (doubled >= 2).all() and (doubled == np.rint(doubled)).all()):
            raise BadRanks(f"expected ranks that are whole or half numbers from 1 on, to be written to {path}")
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, doubled=_smallest(doubled), users=_smallest(self.users), asked=np.array(self.asked)
        )  # fmt: skip
        write_whole(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> Ranks:
        """Ranks from a file. Errors: BadRanks that names the file."""
        if not path.is_file():
            raise BadRanks(f"there is no {path}")
        try:
            with np.load(path, allow_pickle=False) as stored:
                doubled, users, asked = stored["doubled"], stored["users"], str(stored["asked"])
        except Exception as error:  # numpy, zipfile and zlib each have errors of their own for damaged bytes
            raise BadRanks(f"{path} holds no ranks: {REMEDY}") from error
        if doubled.ndim != 1 or doubled.shape != users.shape:
            raise BadRanks(f"{path} holds {doubled.shape} ranks of {users.shape} users: {REMEDY}")
        return cls(doubled / 2.0, users.astype(np.int64), asked)


def question(split: Split) -> str:
    """SHA-256 over the items of all histories and which of their events are test targets; times do not count.

    So a model that saw permuted gaps is paired with one that saw the real ones: both were asked for the same items.
    """
    histories = split.histories
    digest = hashlib.sha256(b"seqrec_edu question 1")
    for array, kind in ((histories.items, "<i4"), (histories.offsets, "<i8"), (split.events("test"), "<i8")):
        digest.update(f" {array.size} ".encode())
        digest.update(np.ascontiguousarray(array, dtype=kind).data)
    return digest.hexdigest()


def _smallest(numbers: np.ndarray) -> np.ndarray:
    most = int(numbers.max(initial=0))
    kind = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if most <= np.iinfo(kind).max)
    return numbers.astype(kind)
