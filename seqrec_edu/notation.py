"""One letter per axis, one name per symbol, everywhere in the package and the course.

Shapes are written as einops patterns in these letters; time is always the second axis.
"""

AXES: dict[str, str] = {
    "b": "batch: histories processed together",
    "l": "length: events of a history, oldest first, right-padded",
    "d": "model width",
    "e": "inner width of a Mamba block, expand × d",
    "h": "heads",
    "p": "head width, e / h",
    "g": "groups of heads that share B and C",
    "n": "state size",
    "k": "width of the causal convolution",
    "r": "rank: interests that a low-rank attention pools into",
    "f": "frequency",
    "v": "items of the catalogue, row 0 is padding",
    "t": "tokens: positions of all histories laid end to end",
    "u": "users, one ranked target each",
    "c": "classes of pairs of events, for instance buckets of the time between them",
    "s": "items of one user that are left out of a ranking",
}

SYMBOLS: dict[str, str] = {
    "dt": "step size Δ > 0 after softplus (Mamba, section 3.2)",
    "A": "continuous decay, negative; exp(dt·A) is what the state keeps over one step",
    "B": "how an input is written into the state",
    "C": "how the state is read",
    "D": "skip connection from input to output",
    "decay_scale": "time factor τ on the log-decay dt·A (TiM4Rec)",
    "state": "what a recurrence carries from one event to the next",
}


def describe(pattern: str) -> str:
    """Spell a shape pattern out: ``describe("b l")`` names every axis, one per line."""
    return "\n".join(f"{letter}  {AXES[letter]}" for letter in pattern.split())
