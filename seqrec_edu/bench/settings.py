"""What is measured and how often."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# Once more than in seqrec_edu.ops, which takes torch to import; a test compares the two.
OPERATIONS = (
    "attention",
    "causal_conv1d",
    "flip_history",
    "gated_norm",
    "glu",
    "linear_cross_entropy",
    "low_rank_attention",
    "selective_scan",
    "spectral_filter",
    "ssd",
    "target_rank",
)
GROWTH = (50, 100, 200, 400, 1024, 2048, 4096)  # events
TOKENS = 12_800  # of a batch while the length grows: 256 histories of 50


@dataclass(frozen=True)
class Settings:
    """One benchmark. ``quick`` makes everything tiny and says so: to see that it runs, never to be quoted."""

    rounds: int = 5
    lengths: tuple[int, ...] = (50, 200)
    growth: bool = False
    quick: bool = False
    large: bool = False
    peers: str | None = None

    def __post_init__(self):
        if self.rounds < 1:
            raise ValueError(f"bench: rounds must be at least 1, got {self.rounds}")
        if not self.lengths or min(self.lengths) < 1:
            raise ValueError(f"bench: lengths are whole numbers of events from 1 on, got {list(self.lengths)}")

    @property
    def batches(self) -> tuple[tuple[int, int], ...]:
        """Histories and events of every case with a length axis."""
        if self.quick:
            return tuple((4, length) for length in dict.fromkeys(min(length, 16) for length in self.lengths))
        fixed = [(256, length) for length in self.lengths]
        growing = [(max(1, TOKENS // length), length) for length in GROWTH] if self.growth else []
        return tuple(dict.fromkeys(fixed + growing))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"lengths": list(self.lengths)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Settings:
        return cls(**document | {"lengths": tuple(document["lengths"])})


def known(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The operations that ``names`` ask for, all of them for none; a name that does not exist is an error."""
    unknown = [name for name in names if name not in OPERATIONS]
    if unknown:
        raise ValueError(f"bench: there is no operation {', '.join(unknown)}; there are {', '.join(OPERATIONS)}")
    return tuple(dict.fromkeys(names)) or OPERATIONS
