"""What each paper claims, as pairs of variants that differ in what the claim is about, and in what else."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """`sentence` is supported where variant `better` ranks better than variant `worse`.

    beware: what else they differ in, or what the pair does not show.
    """

    sentence: str
    better: str
    worse: str
    beware: str = ""


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


def _better_than_rivals(model: str, name: str) -> tuple[Claim, ...]:
    return (
        Claim(f"{name} ranks better than SASRec.", model, "sasrec-prefix"),
        Claim(
            f"{name} ranks better than Mamba4Rec.",
            model,
            "mamba4rec-prefix",
            "as its authors have it, the rival's single layer has no residual; a claim about TiM4Rec says what that "
            "costs.",
        ),
    )


PAPERS: dict[str, Paper] = {
    "tim4rec": Paper(
        "TiM4Rec: time-aware structured state space duality",
        "2409.16182",
        "tim4rec",
        (
            *BASELINE_RUNS, *RIVAL_RUNS, "tim4rec", "tim4rec-no-time", "tim4rec-shuffled-time", "tim4rec-mask-only",
            "mamba4rec-2-layers", "mamba4rec-residual", *ALL_RIVALS, "tim4rec-prefix", "tim4rec-official",
        ),
        (
            Claim("Knowing the time between events improves the ranking.", "tim4rec", "tim4rec-no-time"),
            Claim("It is the real times that help, not the added parameters.", "tim4rec", "tim4rec-shuffled-time"),
            Claim(
                "In the mask alone, as the paper writes it, time improves the ranking.",
                "tim4rec-mask-only", "tim4rec-no-time",
            ),
            Claim("TiM4Rec ranks better than SASRec.", "tim4rec", "sasrec"),
            Claim("TiM4Rec ranks better than Mamba4Rec of as many layers, two.", "tim4rec", "mamba4rec-2-layers"),
        ),
        (
            Claim("Time in the step, as the code has it, ranks better than in the mask alone.",
                  "tim4rec", "tim4rec-mask-only"),
            Claim(
                "The corrected model ranks better than the released one.", "tim4rec-prefix", "tim4rec-official",
                "seven quirks of the time branch at once, and as released for ml-1m dropout in that branch and other "
                "first weights as well.",
            ),
            Claim("Every position at once teaches better than one target per prefix.", "tim4rec", "tim4rec-prefix"),
            Claim(
                "A single layer of Mamba4Rec ranks better with the residual that its authors leave out.",
                "mamba4rec-residual", "mamba4rec",
            ),
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
            *_better_than_rivals("mlsa4rec", "MLSA4Rec"),
        ),
        (
            Claim(
                "The corrected model ranks better than the released one.", "mlsa4rec", "mlsa4rec-official",
                "pads in the attention, the padding row, Mamba's step sizes and the first weights at once.",
            ),
            Claim(
                "The causal form, trained at every position, ranks better.", "mlsa4rec-running", "mlsa4rec",
                "both change, the attention and the training.",
            ),
        ),
    ),
    "echomamba4rec": Paper(
        "EchoMamba4Rec: bidirectional state space models with spectral filtering",
        "2406.02638",
        "echomamba4rec",
        (
            *BASELINE_RUNS, *RIVAL_RUNS, "echomamba4rec", "echomamba4rec-no-filter", "echomamba4rec-forward-only",
            "echomamba4rec-reversed", "echomamba4rec-causal", "echomamba4rec-official", *PREFIX_RUNS, *ALL_RIVALS,
        ),
        (
            Claim("The spectral filter improves the ranking.", "echomamba4rec", "echomamba4rec-no-filter"),
            Claim("Reading the history backward as well improves the ranking.",
                  "echomamba4rec", "echomamba4rec-forward-only",
                  "as its authors wire it, the backward Mamba has read one event, the last, where the next is asked "
                  "for; and without it 38,912 parameters are gone."),
            *_better_than_rivals("echomamba4rec", "EchoMamba4Rec"),
        ),
        (
            Claim("Reading the history backward improves the ranking where all of it has been read.",
                  "echomamba4rec-reversed", "echomamba4rec-forward-only"),
            Claim("The corrected model ranks better than the released one.", "echomamba4rec", "echomamba4rec-official",
                  "six quirks at once."),
            Claim("The causal form, trained at every position, ranks better.", "echomamba4rec-causal", "echomamba4rec",
                  "all three change, the filter, the backward pass and the training."),
        ),
    ),
}  # fmt: skip


def paper(name: str) -> Paper:
    """A paper by the name of its model. Errors: ValueError naming those there are."""
    if name not in PAPERS:
        raise ValueError(f"no paper is called {name!r}; there are {', '.join(PAPERS)}")
    return PAPERS[name]
