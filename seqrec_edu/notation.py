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
    "M": "mixing matrix: y = M x, row t holds what output t is made of",
    "L": "mask of decays: entry (t, s) is what the state keeps from event s to event t, 0 above the diagonal (Mamba-2)",
}

SHAPES: dict[str, str] = {
    "dt": "b l h; b l e in Mamba-1",
    "A": "h; e n in Mamba-1",
    "B": "b l g n; b l n in Mamba-1",
    "C": "b l g n; b l n in Mamba-1",
    "D": "h; e in Mamba-1",
    "decay_scale": "b l h",
    "state": "b h p n; b e n in Mamba-1",
    "M": "l l",
    "L": "l l",
}

# What the papers and their code write for the same thing, where that differs or has to be found there.
PAPERS: dict[str, str] = {
    "b": "B (Mamba)",
    "l": "L (Mamba), T (Mamba-2), n (SASRec)",
    "d": "D (Mamba), d (SASRec); d_model in their code",
    "e": "E·D with E the expansion (Mamba); d_inner in its code",
    "h": "H (Mamba-2); n_heads",
    "p": "P (Mamba-2); headdim",
    "g": "G (Mamba-2); ngroups",
    "n": "N (Mamba); d_state",
    "k": "d_conv in Mamba's code",
    "r": "k (LightSANs); k_interests in its code",
    "v": "|I| (SASRec), |V| (BERT4Rec)",
    "dt": "Δ",
    "decay_scale": "τ",
    "state": "h (Mamba), H (Mamba-2)",
}


def describe(pattern: str) -> str:
    """Spell a shape pattern out: ``describe("b l")`` names every axis, one per line."""
    return "\n".join(f"{letter}  {AXES[letter]}" for letter in pattern.split())
