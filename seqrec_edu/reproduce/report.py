"""Results, claims and published figures as rows of text, for the terminal and for the page."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seqrec_edu.models import MODELS, build
from seqrec_edu.reproduce.papers import Paper
from seqrec_edu.reproduce.published import Figure, figures
from seqrec_edu.reproduce.results import Outcome
from seqrec_edu.reproduce.runner import duration
from seqrec_edu.reproduce.variants import CLOZE, EVERY, PREFIX, VARIANTS
from seqrec_edu.reproduce.verdict import SELECT, Judged, Verdict, against_published, interval, judge
from seqrec_edu.training.metrics import Difference
from seqrec_edu.training.receipts import Receipt

METRICS = ("HR@10", "NDCG@10", "MRR@10")
PUBLISHED = ("HR@10", "NDCG@10")
OBJECTIVES = (EVERY, PREFIX, CLOZE, "counts")  # in this order in a table
LEFT_OUT = "seen left out"
RESULT_HEADER = ("variant", "objective", "L", "epochs", "parameters", "seeds", *METRICS, LEFT_OUT, "training", "memory")
CLAIM_HEADER = ("claim", "with", "without", "NDCG@10", "HR@10", "seeds", "verdict")
NO_SEED = "-"  # and what else there is none of


@dataclass(frozen=True)
class Compared:
    """One published figure beside one of our variants: per metric the verdict, and our interval."""

    figure: Figure
    variant: str
    verdicts: Mapping[str, Verdict]
    ours: Mapping[str, Difference | None]


def result_row(outcome: Outcome) -> list[str]:
    """One line of the table of results."""
    first, seeds = outcome.first, [seed for seed in outcome.receipts if seed is not None]
    spent = [receipt.seconds["fit"] for receipt in outcome.receipts.values() if receipt.seconds["fit"] is not None]
    memory = [receipt.peak_memory_mib["host"] for receipt in outcome.receipts.values()]
    return [
        outcome.variant,
        first.protocol["objective"],
        str(first.metrics["test"]["history_length"]),
        epochs(outcome),
        parameters(first),
        ", ".join(map(str, sorted(seeds))) or NO_SEED,
        *(value(outcome, metric) for metric in METRICS),
        seen_left_out(outcome),
        duration(min(spent)) if spent else NO_SEED,
        f"{min(memory):,} MiB" if None not in memory else NO_SEED,
    ]


def value(outcome: Outcome, metric: str) -> str:
    """Mean over seeds ± their standard deviation, where there are some, with the interval over users."""
    found, values = interval(outcome, metric), outcome.values(metric)
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{found.value:.4f}{spread} {ends(found)}"


def seen_left_out(outcome: Outcome) -> str:
    """NDCG@10 with seen items left out of the lists, mean ± deviation, and of how many seeds where not of all."""
    values = [receipt.metrics["test"]["values"][SELECT]["value"] for receipt in outcome.masked.values()]
    if not values:
        return NO_SEED
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    some = f" ({len(values)} of {len(outcome.receipts)})" if len(values) < len(outcome.receipts) else ""
    return f"{statistics.mean(values):.4f}{spread}{some}"


def ends(found: Difference) -> str:
    """The interval of a metric."""
    return f"[{found.low:.4f}, {found.high:.4f}]"


def epochs(outcome: Outcome) -> str:
    """Epochs that were run, over the seeds, of those that were allowed, and the best validated ones."""
    ran, best = ([getattr(each, of) for each in outcome.receipts.values()] for of in ("epochs", "best_epoch"))
    if None in ran:
        return NO_SEED
    return f"{_from_to(ran)} of {outcome.first.config['epochs']} ({_from_to(best)})"


def _from_to(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def parameters(receipt: Receipt) -> str:
    """Parameters of a model, and how many of them no output reads."""
    count = f"{receipt.model['parameters']:,}"
    if receipt.name not in MODELS:
        return count
    model = build(receipt.name, **receipt.model["settings"])
    unused = sum(getattr(model, "unused_parameters", dict)().values())
    return count + (f" ({unused:,} unused)" if unused else "")


def claim_row(judged: Judged) -> list[str]:
    """One line of the table of claims: the variant that should be better, the other, and by how much it is."""
    verdict = str(judged.verdict)
    if len(judged.objectives) > 1:
        verdict += f"; trained differently ({', '.join(judged.objectives)}), and the difference includes that"
    shown = [str(judged.differences[metric]) if judged.differences else "" for metric in ("NDCG@10", "HR@10")]
    seeds = str(judged.seeds) if judged.seeds else ""
    return [judged.claim.sentence, judged.claim.better, judged.claim.worse, *shown, seeds, verdict]


def judged_claims(paper: Paper, outcomes: Mapping[str, Outcome]) -> list[Judged]:
    """The paper's claims, then ours about it."""
    return [judge(claim, outcomes) for claim in (*paper.claims, *paper.ours)]


def compared(data: str, outcomes: Mapping[str, Outcome]) -> Iterator[Compared]:
    """Every published figure on a dataset beside each variant here that it could speak of."""
    all_figures = figures()
    for figure in all_figures:
        metrics = [metric for metric in PUBLISHED if metric in figure.values]
        if figure.data != data or not metrics:
            continue
        for variant in spoken_of(figure, outcomes):
            found = {m: against_published(figure, m, outcomes.get(variant), all_figures) for m in metrics}
            verdicts, ours = ({m: pair[place] for m, pair in found.items()} for place in (0, 1))
            yield Compared(figure, variant, verdicts, ours)


def spoken_of(figure: Figure, outcomes: Mapping[str, Outcome]) -> list[str]:
    """The variants here that are the published model: by our objective, by the paper's, and as its authors wired it."""
    names = [figure.model, *(f"{figure.model}-{by}" for by in ("prefix", "papers-training", "official"))]
    return [name for name in names if name in VARIANTS and name in outcomes] or [figure.model]


def ranked(outcomes: Mapping[str, Outcome]) -> list[Outcome]:
    """Outcomes by how they were trained, then by their mean NDCG@10, best first.

    Objectives apart, because they get different numbers of epochs: a rank across them would be one of trainings.
    """
    return sorted(
        outcomes.values(),
        key=lambda each: (
            OBJECTIVES.index(each.first.protocol["objective"]),
            -statistics.mean(each.values(SELECT)),
            each.variant,
        ),
    )
