"""Receipts, ranks and training curves of finished runs: in the folders of runs, or among those that are kept.

runs/reproduce/DATA/VARIANT/seed-S/receipt.json, ranks.npz       where they are made
benchmarks/results/DATA/VARIANT/seed-S.json, seed-S.npz, .csv    where they are kept; counts.json, .npz without a seed

Beside a receipt may lie another of the same run, receipt-masked.json or seed-S-masked.json, that leaves out seen items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from seqrec_edu.data.files import write_whole
from seqrec_edu.reproduce.budget import BUDGETS
from seqrec_edu.reproduce.curves import CURVE, Curve, curve_of_run, read_epoch_seconds
from seqrec_edu.reproduce.ranks import RANKS_FILE, REMEDY, BadRanks, Ranks
from seqrec_edu.reproduce.runner import RECEIPT, kept_receipts, masked_beside
from seqrec_edu.reproduce.variants import VARIANTS
from seqrec_edu.training.metrics import metrics
from seqrec_edu.training.receipts import Receipt


class BadResults(ValueError):
    """Receipts that cannot stand in one table."""


@dataclass(frozen=True)
class Outcome:
    """What one variant reached on one dataset, by seed; what only counts has the one seed None."""

    variant: str
    receipts: dict[int | None, Receipt] = field(default_factory=dict)
    paths: dict[int | None, Path] = field(default_factory=dict)
    ranks: dict[int | None, Ranks] = field(default_factory=dict)
    masked: dict[int | None, Receipt] = field(default_factory=dict)  # of the same runs, with seen items left out
    curves: dict[int | None, Curve] = field(default_factory=dict)
    epoch_seconds: float | None = None  # of processor time, by `benchmarks/epochs.py`

    @property
    def first(self) -> Receipt:
        """One of the receipts; in all but seed, time and result they are alike."""
        return next(iter(self.receipts.values()))

    def values(self, metric: str) -> list[float]:
        """The test metric of every seed."""
        return [receipt.metrics["test"]["values"][metric]["value"] for receipt in self.receipts.values()]


Outcomes = dict[str, Outcome]


def read_results(folder: Path) -> dict[str, Outcomes]:
    """All receipts that are kept, by dataset and variant, in a fixed order.

    Errors: BadResults for receipts that cannot stand in one table, BadReceipt, BadRanks, BadCurve.
    """
    found: dict[str, Outcomes] = {}
    for data in _datasets(folder):
        triples = (
            (path, path.with_suffix(".npz"), variant)
            for variant in VARIANTS
            for path in kept_receipts(folder / data / variant)
        )
        outcomes = _outcomes(triples)
        if outcomes:
            seconds = read_epoch_seconds(folder / data)
            found[data] = {name: _with_curves(each, seconds) for name, each in outcomes.items()}
    return found


def read_runs(folder: Path) -> Outcomes:
    """What is finished among the runs on one dataset, OUT/DATA. Errors: as `read_results`."""
    return _outcomes((path, path.with_name(RANKS_FILE), variant) for variant, path in _finished(folder))


def collect(out: Path, results: Path) -> list[Path]:
    """Copy receipts and ranks of all finished runs, as they are, to where they are kept; new places, one per run.

    Beside them goes the curve of the training, where its log is still there.
    Errors: BadReceipt, BadRanks or CheckpointError for what cannot be read; nothing is copied then.
    """
    kept: list[tuple[Path, bytes]] = []
    curves: list[tuple[Path, Curve]] = []
    for data in sorted(path.name for path in out.iterdir() if path.is_dir()) if out.is_dir() else []:
        read_runs(out / data)
        for variant, path in _finished(out / data):
            stem = path.parent.name if path.parent.name != variant else "counts"
            target = results / data / variant / f"{stem}.json"
            kept.append((target.with_suffix(".npz"), path.with_name(RANKS_FILE).read_bytes()))
            kept.append((target, path.read_bytes()))
            if masked_beside(path).exists():
                kept.append((masked_beside(target), masked_beside(path).read_bytes()))
            curve = curve_of_run(path.parent)
            if curve is not None:
                curves.append((target.with_suffix(CURVE), curve))
    for target, content in kept:
        write_whole(target, content)
    for target, curve in curves:
        curve.write(target)
    return [target.with_suffix(".json") for target, _ in kept if target.suffix == ".npz"]


def _datasets(folder: Path) -> list[str]:
    """Names of datasets with results: first those with a budget, in its order."""
    there = {path.parent.name for name in VARIANTS for path in folder.glob(f"*/{name}")}
    return [*(name for name in BUDGETS if name in there), *sorted(there - BUDGETS.keys())]


def _finished(folder: Path) -> Iterator[tuple[str, Path]]:
    """Variant and receipt of every run with ranks in OUT/DATA."""
    for variant in VARIANTS:
        for path in sorted([folder / variant / RECEIPT, *(folder / variant).glob(f"seed-*/{RECEIPT}")]):
            if path.exists() and path.with_name(RANKS_FILE).exists():
                yield variant, path


def _outcomes(triples: Iterator[tuple[Path, Path, str]]) -> Outcomes:
    outcomes: Outcomes = {}
    for path, ranks, variant in triples:
        outcome, receipt = outcomes.setdefault(variant, Outcome(variant)), Receipt.read(path)
        if receipt.seed in outcome.receipts:
            raise BadResults(f"{path} and {outcome.paths[receipt.seed]} are of one seed, {receipt.seed}: keep one")
        outcome.receipts[receipt.seed], outcome.paths[receipt.seed] = receipt, path
        if ranks.exists():
            outcome.ranks[receipt.seed] = _ranks_of(receipt, ranks)
        if masked_beside(path).exists():
            outcome.masked[receipt.seed] = _masked_of(receipt, masked_beside(path))
    for outcome in outcomes.values():
        _check_alike(outcome)
    _check_one_question(outcomes)
    return outcomes


def _ranks_of(receipt: Receipt, path: Path) -> Ranks:
    """The ranks beside a receipt; those of another run give another mean."""
    ranks = Ranks.read(path)
    told = receipt.metrics["test"]["values"]["NDCG@10"]["value"]
    found = metrics(torch.from_numpy(ranks.ranks), (10,))["NDCG@10"]
    if abs(found - told) > 1e-6:
        raise BadRanks(f"{path} gives NDCG@10 {found:.4f}, the receipt beside it says {told:.4f}: {REMEDY}")
    return ranks


def _masked_of(receipt: Receipt, path: Path) -> Receipt:
    """The receipt that leaves seen items out; of another run it says nothing here."""
    masked = Receipt.read(path)
    runs = [(each.seed, each.commit, each.seconds["fit"], each.model, each.dataset) for each in (receipt, masked)]
    if runs[0] != runs[1] or masked.protocol != {**receipt.protocol, "seen": "masked"}:
        raise BadResults(f"{path} is not of the run beside it with seen items left out: delete it and collect again")
    return masked


def _with_curves(outcome: Outcome, seconds: Mapping[str, float]) -> Outcome:
    paths = {seed: path.with_suffix(CURVE) for seed, path in outcome.paths.items()}
    curves = {seed: Curve.read(path) for seed, path in paths.items() if path.exists()}
    return replace(outcome, curves=curves, epoch_seconds=seconds.get(outcome.variant))


def _check_alike(outcome: Outcome) -> None:
    """Means over seeds are means over runs that differ in nothing else."""
    first = next(iter(outcome.receipts))
    for seed, receipt in outcome.receipts.items():
        changed = _changes(_settings(outcome.receipts[first]), _settings(receipt))
        if changed:
            raise BadResults(
                f"{outcome.paths[first]} and {outcome.paths[seed]} are not the same run with another seed "
                f"({', '.join(changed)}); keep one kind, and move the other out of the folder"
            )


def _settings(receipt: Receipt) -> dict[str, Any]:
    model, config = receipt.model["settings"], {k: v for k, v in receipt.config.items() if k != "seed"}
    return {"model": receipt.name, **receipt.protocol, "data": receipt.dataset["hash"], **config, **model}


def _changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs; a setting that one of them does not have was not there yet, and decided nothing."""
    return [f"{key}: {was[key]} and {now[key]}" for key in was if key in now and was[key] != now[key]]


def _check_one_question(outcomes: Outcomes) -> None:
    """In one table all were asked for the same items; of the data only times may differ, in a control."""
    asked = {
        outcome.paths[seed]: (r.dataset["users"], r.dataset["items"], r.dataset["events"], _unshuffled(r))
        for outcome in outcomes.values()
        for seed, r in outcome.receipts.items()
    }
    real = {data[-1] for data in asked.values() if data[-1]}
    sizes = {data[:-1] for data in asked.values()}
    questions = {ranks.asked for outcome in outcomes.values() for ranks in outcome.ranks.values()}
    if len(real) > 1 or len(sizes) > 1 or len(questions) > 1:
        names = ", ".join(f"{path} ({(data[-1] or 'permuted gaps')[:8]})" for path, data in asked.items())
        raise BadResults(f"these receipts are of different data or targets, so they make no table: {names}")


def _unshuffled(receipt: Receipt) -> str | None:
    shuffled = "shuffle_gaps" in receipt.config.get("data_options", {})
    return None if shuffled else f"{receipt.dataset['hash'][:16]} {receipt.protocol['seen']}"
