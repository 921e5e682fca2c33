"""Every run of a paper on a dataset, one after the other; what is finished is not run again.

OUT/DATA/VARIANT/seed-S/   the folder of a run (see `training.run`), with ranks.npz beside the receipt
OUT/DATA/VARIANT/          the same for what only counts and has no seed
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seqrec_edu.data.split import Split
from seqrec_edu.reproduce import budget as budgets
from seqrec_edu.reproduce.curves import read_epoch_seconds
from seqrec_edu.reproduce.papers import Paper, paper
from seqrec_edu.reproduce.ranks import RANKS_FILE, Ranks, question
from seqrec_edu.reproduce.variants import VARIANTS, variant
from seqrec_edu.training.callbacks import Callback
from seqrec_edu.training.fit import Diverged
from seqrec_edu.training.receipts import Receipt
from seqrec_edu.training.record import RECORD_FILE, Record
from seqrec_edu.training.run import RECEIPT_FILES, Plan, Run, carry_out, plan_run
from seqrec_edu.training.turns import turn

OUT = Path("runs") / "reproduce"
RESULTS = Path("benchmarks") / "results"
RECEIPT = RECEIPT_FILES["unmasked"]
MASKED = Path(RECEIPT_FILES["masked"]).stem.removeprefix(Path(RECEIPT).stem)  # what the other receipt's name ends in
Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """One run that is to be there in the end."""

    variant: str
    seed: int | None
    plan: Plan
    folder: Path

    @property
    def name(self) -> str:
        """For people: variant and seed."""
        return self.variant if self.seed is None else f"{self.variant}, seed {self.seed}"

    @property
    def finished(self) -> bool:
        """Whether receipt and ranks are there. Errors: RunError when they are those of another run."""
        if not all((self.folder / file).exists() for file in (RECORD_FILE, RECEIPT, RANKS_FILE)):
            return False
        old, new = Record.read(self.folder), self.plan.record
        # A setting that this version has and that one had not did not decide anything then.
        model, training = _shared(new.model, old.model), _shared(new.training, old.training)
        old.check_same(replace(new, model=model, training=training), self.folder)
        return True


@dataclass(frozen=True)
class Reproduction:
    """What there is in the end: folders of finished runs, and why others failed."""

    paper: Paper
    data: str
    folder: Path
    finished: list[Job] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)  # runs that another process was at


def reproduce(
    name: str,
    data: str,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    only: Sequence[str] | None = None,
    out: str | Path = OUT,
    results: str | Path = RESULTS,
    device: str = "auto",
    say: Say = print,
    callbacks: Callable[[], Sequence[Callback]] = tuple,
    budget: budgets.Budget | None = None,
    data_options: Mapping[str, Any] | None = None,
    mirror: str | Path | None = None,
) -> Reproduction:
    """Run every variant of a paper on a dataset, with every seed; a run that is finished or begun is picked up.

    only: some variants, of this paper or any other. budget: instead of that of the dataset.
    results: committed receipts; they only serve to say how long it will take.
    callbacks: makes those of each run.
    A run that diverges is named in `failed`, and the others go on.
    Errors: ValueError for an unknown paper, variant or dataset, and RunError for a folder that holds another run: all
    before the first run begins.
    """
    chosen = paper(name)
    if only is not None and not only:
        raise ValueError("expected at least one variant to run, got an empty list")
    plans = planned(chosen.runs if only is None else only, data, budget, data_options or {}, mirror)
    jobs = _jobs(plans, seeds, Path(out))
    shown = jobs[0].plan.record.data["name"]
    done = Reproduction(chosen, shown, Path(out) / shown)
    todo: list[Job] = []
    for job in jobs:
        (done.finished if job.finished else todo).append(job)
    say(_forecast(jobs, todo, Path(results)))
    for number, job in enumerate(todo, 1):
        say(f"\n{number} of {len(todo)}: {job.name}")
        try:
            with turn(job.folder) as mine:
                line = _carried_out(job, device, callbacks) if mine else None
        except Diverged as error:
            done.failed[job.name] = str(error)
            say(f"{job.name} failed: {error}")
            continue
        if line is None:
            done.elsewhere.append(job.name)
        else:
            done.finished.append(job)
        say(f"{job.name}: {line or 'another process is at it; left to that one'}")
    return done


def planned(
    names: Sequence[str],
    data: str,
    budget: budgets.Budget | None,
    options: Mapping[str, Any],
    mirror: str | Path | None,
) -> dict[str, Plan]:
    """One plan per variant; those on the same histories share them."""
    variants = {name: variant(name) for name in names}
    budget = budget or budgets.BUDGETS.get(data, budgets.Budget())
    plans: dict[str, Plan] = {}
    splits: dict[str, Split] = {}
    for name, each in variants.items():
        plan = plan_run(
            each.model,
            data,
            settings=budgets.training_settings(each, budget),
            model_settings=budgets.model_settings(each, budget),
            data_options=budgets.data_options(each, options),
            mirror=mirror,
        )
        plans[name] = replace(plan, split=splits.setdefault(plan.split.hash, plan.split))
    return plans


def _jobs(plans: Mapping[str, Plan], seeds: Sequence[int], out: Path) -> list[Job]:
    """Seed by seed, so that stopping early leaves every variant with some seed rather than some with all."""
    if not seeds:
        raise ValueError("expected at least one seed")
    jobs = []
    for seed in seeds:
        for name, plan in plans.items():
            folder = out / plan.record.data["name"] / name
            if not VARIANTS[name].counts:
                jobs.append(Job(name, seed, plan.with_seed(seed), folder / f"seed-{seed}"))
            elif seed == seeds[0]:
                jobs.append(Job(name, None, plan, folder))
    return jobs


def _shared(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in new.items() if key in old}


def _carried_out(job: Job, device: str, callbacks: Callable[[], Sequence[Callback]]) -> str:
    """Do one run and write its ranks; what it reached, for people. One that lacks only ranks is only evaluated."""
    if job.finished:  # meanwhile, by another process
        return _summary(Receipt.read(job.folder / RECEIPT))
    _forget_peak()
    cautions = [each.text for each in job.plan.split.histories.report.findings if each.kind == "caution"]
    run = carry_out(job.plan, job.folder, device=device, callbacks=callbacks(), notes="\n".join(cautions))
    write_ranks(run)
    return _summary(run.receipt)


def write_ranks(run: Run) -> Path:
    """Rank the test targets of a finished run once more, and keep every rank beside its receipt."""
    found = run.evaluate("test", resamples=0)
    path = run.folder / RANKS_FILE
    Ranks(found.ranks.numpy(), found.users.numpy(), question(run.split)).write(path)
    return path


def _forget_peak() -> None:
    """Let the peak memory that the next receipt names be that of its own run, where the system can (Linux)."""
    gc.collect()
    with suppress(OSError):  # elsewhere it is the peak of all runs so far: of this process, as receipts say
        Path("/proc/self/clear_refs").write_text("5")


def _forecast(jobs: Sequence[Job], todo: Sequence[Job], results: Path) -> str:
    """How many runs there are, how many are finished, and how long the rest takes as far as that is known."""
    plan = jobs[0].plan
    histories = plan.split.histories
    head = (
        f"{len(jobs)} run{'s' * (len(jobs) != 1)} on {histories.name}: {histories.n_users:,} users, "
        f"{histories.n_items:,} items, {histories.n_events:,} events; {len(jobs) - len(todo)} finished"
    )
    known = [(_seconds(job, results), job) for job in todo]
    told = [seconds for seconds, _ in known if seconds is not None]
    if not todo:
        return f"{head}; nothing is left to run"
    if not told:
        return f"{head}; no earlier run tells how long the rest takes"
    unknown = len(todo) - len(told)
    rest = f", and {unknown} of unknown length" * bool(unknown)
    return f"{head}; about {duration(sum(told))} for {len(told)} of the rest, by earlier receipts{rest}"


def _seconds(job: Job, results: Path) -> float | None:
    """Mean seconds of this variant on these data in earlier receipts, else what its epochs were measured to cost."""
    base = job.folder if job.seed is None else job.folder.parent
    paths = [*kept_receipts(results / base.parent.name / base.name), *base.glob(f"*/{RECEIPT}"), base / RECEIPT]
    spent = []
    for path in paths:
        if path.exists():
            seconds = Receipt.read(path).seconds
            spent.append((seconds["fit"] or 0.0) + (seconds["evaluate"] or 0.0))
    if spent:
        return statistics.mean(spent)
    epoch = read_epoch_seconds(results / base.parent.name).get(job.variant)
    return None if epoch is None else epoch * job.plan.record.training["epochs"]


def _summary(receipt: Receipt) -> str:
    values, fit = receipt.metrics["test"]["values"], receipt.seconds["fit"]
    shown = ", ".join(f"{name} {values[name]['value']:.4f}" for name in ("HR@10", "NDCG@10"))
    return f"{shown}; {duration(fit or 0.0)}"


def kept_receipts(folder: Path) -> list[Path]:
    """Receipts of a variant that are kept, without those that leave seen items out: `masked_beside` finds these."""
    return sorted(path for path in folder.glob("*.json") if not path.stem.endswith(MASKED))


def masked_beside(path: Path) -> Path:
    """Where the receipt lies that leaves seen items out, by its other; the rule of runs and of what is kept."""
    return path.with_stem(path.stem + MASKED)


def duration(seconds: float) -> str:
    """For people: "40 s", "12 min", "3 h 05 min"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
