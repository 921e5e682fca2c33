"""What each paper claims, as pairs of variants that differ in the one thing the claim is about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """`sentence` is supported where variant `better` ranks better than variant `worse`."""

    sentence: str
    better: str
    worse: str


@dataclass(frozen=True)
class Paper:
    """A paper: what to run for it, in this order, and what it claims. `ours` are corrections, judged the same way."""

    title: str
    arxiv: str
    model: str
    runs: tuple[str, ...]
    claims: tuple[Claim, ...]
    ours: tuple[Claim, ...] = ()


BASELINE_RUNS = ("popularity", "last-item", "most-recent")
RIVAL_RUNS = ("sasrec", "mamba4rec")
ALL_RIVALS = ("gru4rec", "bert4rec", "tisasrec", "fmlprec", "lightsans", "linrec", "ssd4rec")
PREFIX_RUNS = ("sasrec-prefix", "mamba4rec-prefix")


def _better_than_rivals(model: str, name: str, suffix: str = "") -> tuple[Claim, ...]:
    return tuple(
        Claim(f"{name} ranks better than {shown}.", model, f"{rival}{suffix}")
        for rival, shown in (("sasrec", "SASRec"), ("mamba4rec", "Mamba4Rec"))
    )


PAPERS: dict[str, Paper] = {
    "tim4rec": Paper(
        "TiM4Rec: time-aware structured state space duality",
        "2409.16182",
        "tim4rec",
        (
            *BASELINE_RUNS, *RIVAL_RUNS, "tim4rec", "tim4rec-no-time", "tim4rec-shuffled-time", "tim4rec-mask-only",
            "mamba4rec-residual", *ALL_RIVALS, "tim4rec-prefix", "tim4rec-official",
        ),
        (
            Claim("Knowing the time between events improves the ranking.", "tim4rec", "tim4rec-no-time"),
            Claim("It is the real times that help, not the added parameters.", "tim4rec", "tim4rec-shuffled-time"),
            Claim(
                "In the mask alone, as the paper writes it, time improves the ranking.",
                "tim4rec-mask-only", "tim4rec-no-time",
            ),
            *_better_than_rivals("tim4rec", "TiM4Rec"),
        ),
        (
            # A single layer of Mamba4Rec has no residual, by its authors' rule; TiM4Rec has two layers, with one.
            Claim("TiM4Rec ranks better than Mamba4Rec even where that adds what its one layer reads.",
                  "tim4rec", "mamba4rec-residual"),
            Claim("Time in the step, as the code has it, ranks better than in the mask alone.",
                  "tim4rec", "tim4rec-mask-only"),
            Claim("The corrected time branch ranks better than the released one.",
                  "tim4rec-prefix", "tim4rec-official"),
            Claim("Every position at once teaches as well as one target per prefix, or better.",
                  "tim4rec", "tim4rec-prefix"),
        ),
    ),
    "mlsa4rec": Paper(
        "MLSA4Rec: Mamba combined with low-rank decomposed self-attention",
        "2407.13135",
        "mlsa4rec",
        (
            *BASELINE_RUNS, *RIVAL_RUNS, "mlsa4rec", "mlsa4rec-no-attention", "mlsa4rec-running", "mlsa4rec-official",
            *PREFIX_RUNS, *ALL_RIVALS,
        ),
        (
            Claim("Low-rank attention beside Mamba improves the ranking.", "mlsa4rec", "mlsa4rec-no-attention"),
            *_better_than_rivals("mlsa4rec", "MLSA4Rec", "-prefix"),
        ),
        (
            Claim("The corrected attention ranks better than the authors' wiring.", "mlsa4rec", "mlsa4rec-official"),
            Claim("The causal form, trained at every position, ranks better.", "mlsa4rec-running", "mlsa4rec"),
        ),
    ),
    "echomamba4rec": Paper(
        "EchoMamba4Rec: bidirectional state space models with spectral filtering",
        "2406.02638",
        "echomamba4rec",
        (
            *BASELINE_RUNS, *RIVAL_RUNS, "echomamba4rec", "echomamba4rec-no-filter", "echomamba4rec-forward-only",
            "echomamba4rec-causal", "echomamba4rec-official", *PREFIX_RUNS, *ALL_RIVALS,
        ),
        (
            Claim("The spectral filter improves the ranking.", "echomamba4rec", "echomamba4rec-no-filter"),
            Claim("Reading the history backward as well improves the ranking.",
                  "echomamba4rec", "echomamba4rec-forward-only"),
            *_better_than_rivals("echomamba4rec", "EchoMamba4Rec", "-prefix"),
        ),
        (
            Claim("The corrected wiring ranks better than the authors'.", "echomamba4rec", "echomamba4rec-official"),
            Claim("The causal form, trained at every position, ranks better.",
                  "echomamba4rec-causal", "echomamba4rec"),
        ),
    ),
}  # fmt: skip


def paper(name: str) -> Paper:
    """A paper by the name of its model. Errors: ValueError naming those there are."""
    if name not in PAPERS:
        raise ValueError(f"no paper is called {name!r}; there are {', '.join(PAPERS)}")
    return PAPERS[name]
