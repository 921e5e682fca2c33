"""`docs/reproduction.md`, written wholly from the receipts that are kept and from `published.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from seqrec_edu.data.files import write_whole
from seqrec_edu.data.sources.registry import datasets
from seqrec_edu.reproduce import report
from seqrec_edu.reproduce.budget import BUDGETS
from seqrec_edu.reproduce.curves import EPOCHS_FILE
from seqrec_edu.reproduce.markdown import link, table
from seqrec_edu.reproduce.papers import PAPERS
from seqrec_edu.reproduce.published import TAGS, figures
from seqrec_edu.reproduce.results import Outcome, Outcomes, read_results
from seqrec_edu.reproduce.speed import speed
from seqrec_edu.reproduce.variants import VARIANTS
from seqrec_edu.reproduce.verdict import NOT_RUN, Judged
from seqrec_edu.training.receipts import Receipt

PAGE = Path("docs") / "reproduction.md"
MAKE = "`seqrec-edu reproduce --page`"

REACH = "\n".join(f"* [{tag}] {meaning}" for tag, meaning in TAGS.items())
HEAD = f"""# Reproduction: what the three papers claim, and what the evidence supports

This page is written by {MAKE} out of the receipts in `benchmarks/results/`, and a test holds it
against them. Every number of ours is computed from the receipts that its line links to; every published one stands,
with its source, in `seqrec_edu/reproduce/published.toml`. To make the receipts again:

```
seqrec-edu reproduce tim4rec --data ml-100k --threads 1     # also mlsa4rec, echomamba4rec; other data
seqrec-edu reproduce --collect                              # copy finished receipts to benchmarks/results
seqrec-edu reproduce --page                                 # write this page
```

**Protocol.** 5-core, exact timestamps, leave-one-out, ranking among all items with seen ones left in, expected rank for
ties. **Training is not the papers'.** They train for up to 300 epochs of one target per prefix, in batches of 2,048,
with Adam at a constant rate; that does not fit on the machine that made these receipts. Here all models have AdamW with
warm-up and a cosine, far fewer epochs, width 64 (the papers of LinRec, SSD4Rec and TiSASRec have 128, 256 and 50), 20
interests where there are any, else the depth, state and dropout of their papers, and the objective that the table
names. *every-position* asks for every event of a history at once; only causal models may, and that they do is our
choice. *prefix* asks for one target per history, as the papers do, for few epochs. *cloze* fills in events that were
blanked out, at half the rate of the others. Variants called *official* have the authors' wiring and released settings,
with this training all the same. Only those called *papers-training* are trained as the papers train, until validation
has not risen for more than ten epochs: an hour and more each, so they are run by name alone, with `--only`.

**How to read the numbers.** Means over seeds ± their standard deviation, with a 95 % interval over users. Claims are
judged on paired differences over users joined with the spread between seeds (`seqrec_edu/reproduce/verdict.py` has the
method): *supported* where the interval of NDCG@10 lies above zero, *contradicted* below, else *cannot tell*. Each
interval is at 95 % by itself and rather wide than narrow: of twenty claims about nothing, one on average would come out
supported or contradicted. "Cannot tell" is not "no effect": the interval says how large one may be, but where there is
one seed, for then it is over users alone and lacks what another training would change. A seed fixes what is drawn, not
how sums are rounded: on another processor, or in the process that first compiles the loops, the same training ends a
few ranks away, and some models as far away as with another seed.
A published figure *agrees* where it lies within our interval over users, widened by our range over seeds; beyond that
it *differs*, unless those who published the same model on the same data are as far apart: then nobody can tell.

**Columns.** *epochs*: those that were run, and in brackets the best validated ones, which are tested. A model whose
best epoch is the last might have risen with more, and one that learns slowly is the more behind. *seen left out* is
NDCG@10 of the same models when what a person has had is taken out of the lists, the target excepted should it come
again; nothing is judged by it, and it is there for the seeds whose receipt was kept. Parameters include the item
embedding. *training* is wall time beside other work and *memory* the peak of a process that may have made other runs
before: of both the least over seeds; what an epoch costs was measured apart, below.

**Time to a quality.** Aimed at were, for one model: 50 times as fast at every position as by one target per prefix, 10
times as fast as RecBole's SASRec, and an epoch of every position of ml-1m in 80 s. RecBole's seconds are those of its
model, loss and optimiser, without its data loading. The authors' own Mamba4Rec and TiM4Rec run on a GPU only, so they
stand in no line.

**Published figures.** How far the source of a published figure reaches:

{REACH}
"""


def write_page(results: Path, page: Path = PAGE) -> Path:
    """Write the page from the receipts under `results`. Errors: as `results.read_results`."""
    text = page_of(read_results(results), page)
    write_whole(page, text.encode("utf-8"))
    return page


def page_of(results: Mapping[str, Outcomes], page: Path = PAGE) -> str:
    """The whole page as Markdown; the same receipts give the same text. `page`: where it will lie, for its links."""
    judged = {
        data: {name: report.judged_claims(paper, outcomes) for name, paper in PAPERS.items()}
        for data, outcomes in results.items()
    }
    parts = [HEAD, *_evidence(judged)]
    for data, outcomes in results.items():
        parts += [*_dataset(data, outcomes, page), *_claims(judged[data]), *speed(outcomes, _folder(outcomes), page)]
        parts += _published(data, outcomes)
    parts += [*_elsewhere(results), *_not_run(results)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _evidence(judged: Mapping[str, Mapping[str, Sequence[Judged]]]) -> list[str]:
    """Plain statements, claim by claim, over all data."""
    parts = ["## What the evidence supports"]
    if not judged:
        return [*parts, "Nothing yet: there are no receipts."]
    for name, paper in PAPERS.items():
        lines = [f"### {paper.title}", f"[arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})", ""]
        for place, claim in enumerate((*paper.claims, *paper.ours)):
            whose = " *(ours)*" if claim in paper.ours else ""
            words = _words({data: each[name][place] for data, each in judged.items()})
            beware = f" Beware: {claim.beware}" if claim.beware else ""
            lines.append(f"* {claim.sentence}{whose} {words}{beware}")
        parts.append("\n".join(lines))
    return parts


def _words(by_data: Mapping[str, Judged]) -> str:
    """One claim over all data, as a sentence: "**Supported** on a (+0.0040 [+0.0010, +0.0070]); cannot tell on b."."""
    groups: dict[str, list[str]] = {}
    for data, judged in by_data.items():
        alone = ", one seed: over users alone" if judged.seeds == 1 else ""
        shown = f" ({judged.differences['NDCG@10']}{alone})" if judged.differences else ""
        caution = ", trained differently" if len(judged.objectives) > 1 else ""
        groups.setdefault(judged.verdict.word, []).append(f"{data}{shown}{caution}")
    # On which other data it was not run stands at the end of the page.
    ordered = [word for word in groups if word != NOT_RUN] or [NOT_RUN]
    phrases = [f"**{word}** on {', '.join(groups[word])}" for word in ordered]
    text = "; ".join(phrases) + "."
    return text[:2] + text[2].upper() + text[3:]


def _dataset(data: str, outcomes: Outcomes, page: Path) -> list[str]:
    sizes = next(each.first for each in outcomes.values()).dataset
    head = f"{sizes['users']:,} users, {sizes['items']:,} items, {sizes['events']:,} events. {_machines(outcomes)}"
    beware = "\n".join(f"* Beware: {caution}." for caution in _cautions(data, outcomes))
    rows = []
    for outcome in report.ranked(outcomes):
        row = report.result_row(outcome)
        row[0] = f"{row[0]}: {VARIANTS[outcome.variant].about}"
        row[report.RESULT_HEADER.index("seeds")] = _links(outcome, page)
        rows.append(row)
    return [f"## {data}", head, *filter(None, [beware]), table(report.RESULT_HEADER, rows), *_older(outcomes, page)]


def _older(outcomes: Outcomes, page: Path) -> list[str]:
    """Receipts that lie beside the variants instead of in one: of `seqrec-edu train`, with any settings."""
    paths = [path for path in sorted(_folder(outcomes).glob("*.json")) if path.name != EPOCHS_FILE]
    shown = [
        f"{link(each.name, path, page)} (NDCG@10 {each.metrics['test']['values']['NDCG@10']['value']:.4f})"
        for path, each in ((path, Receipt.read(path)) for path in paths)
    ]
    text = f"Older single runs, with other settings and without ranks, not judged: {', '.join(shown)}."
    return [text] if shown else []


def _cautions(data: str, outcomes: Outcomes) -> list[str]:
    """What is said against the data, by the registry and by the receipts; not against a control made from them."""
    known = datasets()
    noted = [
        line
        for name, outcome in outcomes.items()
        if not VARIANTS[name].shuffled_gaps
        for receipt in outcome.receipts.values()
        for line in receipt.notes.splitlines()
    ]
    return list(dict.fromkeys([*(known[data].cautions if data in known else ()), *noted]))


def _machines(outcomes: Outcomes) -> str:
    receipts = [receipt for outcome in outcomes.values() for receipt in outcome.receipts.values()]
    used = sorted({(r.device, r.threads, r.versions["torch"]) for r in receipts})
    shown = "; ".join(f"{device}, {n} thread{'s' * (n != 1)}, torch {torch}" for device, n, torch in used)
    commits = sorted({r.commit[:9] + "-dirty" * r.commit.endswith("-dirty") for r in receipts if r.commit})
    return f"Made on: {shown}" + (f"; by commits {', '.join(commits)}." if commits else ".")


def _links(outcome: Outcome, page: Path) -> str:
    """The seeds, each a link to its receipt."""
    shown = {report.NO_SEED if seed is None else str(seed): path for seed, path in outcome.paths.items()}
    return ", ".join(link(seed, path, page) for seed, path in shown.items())


def _folder(outcomes: Outcomes) -> Path:
    """Where the receipts on one dataset lie."""
    return next(iter(next(iter(outcomes.values())).paths.values())).parents[1]


def _claims(judged: Mapping[str, Sequence[Judged]]) -> list[str]:
    rows = []
    for name, each in judged.items():
        ours = PAPERS[name].ours
        for one in (one for one in each if one.verdict.word != NOT_RUN):
            row = report.claim_row(one)
            row[0] += " *(ours)*" if one.claim in ours else ""
            rows.append([name, *row])
    if not rows:
        return ["### Claims", "No pair of variants that a claim is about was run."]
    return ["### Claims", table(("paper", *report.CLAIM_HEADER), rows)]


def _published(data: str, outcomes: Outcomes) -> list[str]:
    rows = []
    for each in report.compared(data, outcomes):
        for metric, verdict in each.verdicts.items():
            ours = each.ours[metric]
            shown = f"{ours.value:.4f} {report.ends(ours)}" if ours else ""
            source = f"{each.figure.source} [{each.figure.tag}]"
            rows.append([
                each.figure.shown, metric, f"{each.figure.values[metric]:.4f}", source, each.variant, shown,
                verdict.word + (f" ({verdict.why})" if verdict.why else ""), each.figure.note,
            ])  # fmt: skip
    if not rows:
        return ["### Published figures", "None was found for these data."]
    header = ("published", "metric", "value", "source", "here", "ours", "verdict", "note")
    return ["### Published figures", table(header, rows), *_spread(data)]


def _spread(data: str) -> list[str]:
    """How far apart comparable figures lie that were published for one model."""
    values: dict[tuple[str, str], list[float]] = {}
    for figure in (each for each in figures() if each.data == data and each.comparable):
        for metric, value in figure.values.items():
            values.setdefault((figure.model, metric), []).append(value)
    told = [
        f"{model} {metric} {min(each):.4f} to {max(each):.4f} ({len(each)} figures)"
        for (model, metric), each in values.items() if len(each) > 1
    ]  # fmt: skip
    return [f"Published for one and the same model: {'; '.join(told)}."] if told else []


def _elsewhere(results: Mapping[str, Outcomes]) -> list[str]:
    """Published figures on data that have no receipts here."""
    rows = [
        [
            each.data, each.shown, *(f"{each.values[m]:.4f}" if m in each.values else "" for m in report.METRICS),
            f"{each.source} [{each.tag}]", each.note,
        ]
        for each in figures() if each.data not in results
    ]  # fmt: skip
    if not rows:
        return []
    text = (
        "Nothing here can be held against these. A slice of a dataset is other data: kuairand-pure-14d is not its log."
    )
    header = ("data", "published", *report.METRICS, "source", "note")
    return ["## Published on data that were not run here", text, table(header, rows)]


def _not_run(results: Mapping[str, Outcomes]) -> list[str]:
    lines = []
    for data, outcomes in results.items():
        missing = [name for name in VARIANTS if name not in outcomes]
        single = [name for name, each in outcomes.items() if len(each.receipts) == 1 and not VARIANTS[name].counts]
        unpaired = [name for name, each in outcomes.items() if each.ranks.keys() != each.receipts.keys()]
        lines.append(f"* **{data}**: not run: {', '.join(missing) or 'nothing is missing'}.")
        lines[-1] += f" One seed only: {', '.join(single)}." if single else ""
        lines[-1] += f" Ranks of each target are missing for: {', '.join(unpaired)}." if unpaired else ""
    lines += [f"* **{data}**: nothing was run." for data in BUDGETS if data not in results]
    figured = {figure.model for figure in figures()}
    lines += [f"* No published figure of {name} was found on any data." for name in PAPERS if name not in figured]
    return ["## What was not run", "\n".join(lines)]
