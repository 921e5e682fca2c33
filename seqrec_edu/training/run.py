"""A whole run: data → split → model → fit → evaluate → receipt, in one folder that can be picked up again.

runs/x/run.json                what was asked for, before the first step
runs/x/last.safetensors        where training stands; needed only until it is finished
runs/x/model.safetensors       the weights of the best validated epoch
runs/x/receipt.json            what it reached, seen items ranked like all others; written last, marks it as finished
runs/x/receipt-masked.json     the same with seen items left out of the ranking
"""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from seqrec_edu.data.histories import Histories
from seqrec_edu.data.sources.load import load
from seqrec_edu.data.split import Split, global_time, leave_one_out
from seqrec_edu.models import BASELINES, MODELS, build
from seqrec_edu.ops import backends
from seqrec_edu.training.callbacks import Callback
from seqrec_edu.training.checkpoint import MODEL_FILE, STATE_FILE, load_model, read_position
from seqrec_edu.training.engine import pick_device
from seqrec_edu.training.evaluate import Evaluation, evaluate
from seqrec_edu.training.fit import FitResult, fit
from seqrec_edu.training.objectives import Samples, check_objective
from seqrec_edu.training.receipts import Receipt, make_receipt
from seqrec_edu.training.record import RECORD_FILE, Record, RunError
from seqrec_edu.training.settings import FitSettings
from seqrec_edu.training.turns import turn

SPLITS = {"leave-one-out": leave_one_out, "global-time": global_time}
RECEIPT_FILES = {"masked": "receipt-masked.json", "unmasked": "receipt.json"}  # in the order in which they are written


@dataclass(frozen=True)
class Plan:
    """A run before it has begun; `with_seed` gives the same one with other random numbers."""

    record: Record
    split: Split

    def with_seed(self, seed: int) -> Plan:
        """The same run from another seed. Baselines have none."""
        if self.record.model["name"] in BASELINES:
            raise ValueError(f"{self.record.model['name']} only counts: it has no seed")
        return replace(self, record=replace(self.record, training={**self.record.training, "seed": seed}))


@dataclass(frozen=True)
class Run:
    """A run that ended. `model` holds the best weights; `result` is None where nothing was trained just now."""

    folder: Path
    record: Record
    split: Split
    model: Any
    receipt: Receipt | None = None  # None in the processes of `torchrun` that do not lead
    result: FitResult | None = None
    was_finished: bool = False

    @property
    def history_length(self) -> int:
        """Events that the model sees at most."""
        return self.record.training["history_length"]

    def evaluate(self, which: str = "test", seen: str = "unmasked", **options: Any) -> Evaluation:
        """Rank with the history length of the run; `options` go to `training.evaluate`."""
        return evaluate(self.model, self.split, which, seen=seen, history_length=self.history_length, **options)


def leads() -> bool:
    """Whether this process writes and prints: the only one, or the first under `torchrun`."""
    return int(os.environ.get("RANK", 0)) == 0


def train_run(model: str, data: Any, out: str | Path, **options: Any) -> Run:
    """Train or count a model on a dataset and leave a receipt: `carry_out(plan_run(model, data, …), out, …)`.

    run = train_run("tim4rec", "ml-1m", "runs/x", settings={"epochs": 20}, model_settings={"dropout": 0.1})
    """
    for_carrying = {name: options.pop(name) for name in ("device", "callbacks", "notes") if name in options}
    return carry_out(plan_run(model, data, **options), out, **for_carrying)


def plan_run(
    model: str,
    data: str | os.PathLike | Histories,
    *,
    split: str = "leave-one-out",
    settings: Mapping[str, Any] | None = None,
    model_settings: Mapping[str, Any] | None = None,
    data_options: Mapping[str, Any] | None = None,
    mirror: str | os.PathLike | None = None,
) -> Plan:
    """Load the data, split them, and settle every setting. Nothing is written.

    data: a name or file for `load`, with `data_options`; or histories (the run cannot find those again by itself).
    settings: fields of `FitSettings` by name; batch_size and epochs follow the size of the data where not given.
    model_settings: what differs from the defaults of the model; n_items and history_length are filled in.
    Errors: ValueError that names what there is, for a model, split or setting that does not exist; those of `load`.
    """
    settings, model_settings = dict(settings or {}), dict(model_settings or {})
    known = [*MODELS, *BASELINES]
    for what, value, allowed in (("model", model, known), ("split", split, list(SPLITS))):
        if value not in allowed:
            raise ValueError(f"no {what} is called {value!r}; there are {', '.join(allowed)}")
    source = None
    options = dict(data_options or {})
    if isinstance(data, Histories):
        histories = data
    else:
        histories = _loaded(data, mirror, options)
        # A file is found again from any folder, and by whoever is told where it is now.
        source = str(Path(data).resolve()) if Path(data).exists() and str(data) != histories.name else str(data)
    parts = SPLITS[split](histories)
    if model in BASELINES:
        config, training = _nothing_but_counts(model, settings, model_settings)
    else:
        config, training = _settled(model, parts, settings, model_settings)
    about = {"source": source, "options": options, "name": histories.name, "hash": histories.hash}
    return Plan(Record({"name": model, **config}, training, about, {"protocol": split, "hash": parts.hash}), parts)


def _nothing_but_counts(model: str, settings: dict, model_settings: dict) -> tuple[dict, dict]:
    useless = [name for name in (*settings, *model_settings) if name != "history_length"]
    if useless:
        raise ValueError(f"{model} only counts: it has no {', '.join(useless)}")
    return {}, {"history_length": FitSettings(**settings).history_length}


def _settled(model: str, split: Split, settings: dict, model_settings: dict) -> tuple[dict, dict]:
    """Every setting of the model and of training, after trying that they go together, and with these histories."""
    allowed = [field.name for field in fields(FitSettings)]
    unknown = [name for name in settings if name not in allowed]
    if unknown:
        raise ValueError(f"training has no setting {', '.join(unknown)}; it has {', '.join(allowed)}")
    training = FitSettings(**{**default_settings(split, FitSettings(**settings)), **settings})
    given = {"n_items": split.histories.n_items}
    if "history_length" in MODELS[model][1].__dataclass_fields__:
        given["history_length"] = training.history_length
    wrong = [name for name in given if name in model_settings]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} of the model is filled in; set history_length for training instead")
    trial = build(model, **given, **model_settings)
    check_objective(trial, training.objective)
    trial.prepare(split)
    return trial.settings(), asdict(training)


def default_settings(split: Split, settings: FitSettings) -> dict[str, int]:
    """batch_size and epochs that suit the size of the data: at most 1,024 targets a step, and 40,000 steps in all.

    Small data get smaller batches, so that an epoch still has a hundred steps. A prefix costs its whole history for one
    target, so of these a step takes at most 256. On ML-1M with 200 events: 1,024 targets and 42 epochs, or 256
    prefixes and 10 epochs.
    """
    samples = Samples(split, settings)
    targets = int(samples.targets(*samples.epoch(0)).sum())
    most = 256 if settings.objective == "prefix" else 1024
    batch_size = min(max(2 ** int(math.log2(max(targets / 100, 1))), 64), most)
    return {"batch_size": batch_size, "epochs": min(max(round(40_000 * batch_size / targets), 10), 50)}


def carry_out(
    plan: Plan, out: str | Path, *, device: str = "auto", callbacks: Sequence[Callback] = (), notes: str = ""
) -> Run:
    """Train (or count), evaluate on valid and test with 1,000 bootstrap resamples, and write the receipts.

    A folder that holds this run unfinished goes on where it stood; finished, it is read and nothing is trained.
    Under `torchrun` the leading process alone evaluates and writes.
    Errors: RunError when the folder holds another run, files of one that nobody can name, or another process is at it;
    those of `fit`.
    """
    out = Path(out)
    with turn(out) if leads() else nullcontext(True) as mine:
        if not mine:
            raise RunError(f"another process is training in {out}: wait for it, or choose another folder with --out")
        return _carried_out(plan, out, device, callbacks, notes)


def _carried_out(plan: Plan, out: Path, device: str, callbacks: Sequence[Callback], notes: str) -> Run:
    record = plan.record
    finished = _claim(record, out)
    if finished is not None:
        return replace(_opened(out, record, plan.split), receipt=finished, was_finished=True)
    if record.model["name"] in BASELINES:
        began = time.perf_counter()
        run = _opened(out, record, plan.split)
        spent, about = time.perf_counter() - began, {"objective": "counts", "config": {**record.training}}
    else:
        settings = FitSettings(**record.training)
        config = {key: value for key, value in record.model.items() if key != "name"}
        model = build(record.model["name"], seed=settings.seed, **config)
        result = fit(model, plan.split, settings, out=out, callbacks=callbacks, device=device)
        run = Run(out, record, plan.split, model, result=result)
        spent, about = result.seconds, _about(result, settings)
    if not leads():
        return run
    return replace(run, receipt=_measured(run, spent, {**about, "notes": notes}))


def _claim(record: Record, out: Path) -> Receipt | None:
    """The receipt, if this run is finished; else make sure that the folder is this run's, and says so."""
    path = out / RECEIPT_FILES["unmasked"]
    begun = [file.name for file in (path, out / STATE_FILE, out / MODEL_FILE) if file.exists()]
    recorded = Record.read(out) if (out / RECORD_FILE).exists() else None
    if begun and recorded is None:
        raise RunError(
            f"{out} holds {' and '.join(begun)} without {RECORD_FILE}, so nobody can say of which run: choose another "
            "folder with --out, or take them away"
        )
    if begun:
        recorded.check_same(record, out)
    elif leads():
        record.write(out)
    return Receipt.read(path) if path.exists() else None


def _about(result: FitResult, settings: FitSettings) -> dict[str, Any]:
    """What a receipt says of training that its own code cannot know."""
    processes = int(os.environ.get("WORLD_SIZE", 1))
    return {
        "objective": settings.objective,
        "config": {**asdict(settings), "precision": result.precision, "processes": processes},
        "seed": settings.seed,
        "device": result.device,
        "backends": backends.chosen(torch.empty(1, device=result.device)),
        "best_epoch": result.best_epoch,
        "epochs": len(result.log),
    }


def _measured(run: Run, spent: float, about: dict[str, Any]) -> Receipt:
    """Evaluate and write both receipts; returns the one with seen items unmasked."""
    name, config = run.record.model["name"], {key: v for key, v in run.record.model.items() if key != "name"}
    counted = name in BASELINES
    parameters = run.model.n_parameters if counted else sum(p.numel() for p in run.model.parameters())
    if run.record.data["options"]:
        about = {**about, "config": {**about["config"], "data_options": run.record.data["options"]}}
    for seen, file in RECEIPT_FILES.items():
        began = time.perf_counter()
        found = {which: run.evaluate(which, seen) for which in ("valid", "test")}
        seconds = {"fit": round(spent, 3), "evaluate": round(time.perf_counter() - began, 3)}
        receipt = make_receipt(
            run.split, found, model=name, settings=config, parameters=parameters, seconds=seconds, **about
        )  # fmt: skip
        receipt.write(run.folder / file)
    return receipt


def epochs_so_far(folder: str | Path) -> int | None:
    """Epochs behind a run that has not ended; None for one that has, and for a baseline."""
    folder = Path(folder)
    ended = (folder / RECEIPT_FILES["unmasked"]).exists() or Record.read(folder).model["name"] in BASELINES
    return None if ended else read_position(folder).get("epoch", 0)


def over_seeds(receipts: Sequence[Receipt], which: str = "test") -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation of every metric over runs that differ in their seed; at least two."""
    values = [{name: each["value"] for name, each in receipt.metrics[which]["values"].items()} for receipt in receipts]
    columns = {name: [row[name] for row in values] for name in values[0]}
    return {name: (statistics.mean(column), statistics.stdev(column)) for name, column in columns.items()}


def load_run(
    folder: str | Path,
    *,
    data: str | os.PathLike | Histories | None = None,
    mirror: str | os.PathLike | None = None,
    device: str = "auto",
) -> Run:
    """A run from its folder: its data are loaded and split as its record says, and its best weights put back.

    data: where its data are now, if not where they were. device: "auto", "cpu" or "cuda".
    Errors: RunError when the data or their split are not those it was trained on; CheckpointError without weights.
    """
    folder, record = Path(folder), Record.read(folder)
    histories = data if data is not None else record.data["source"]
    if histories is None:
        raise RunError(f"{folder} was trained on histories that were handed over; say where they are: --data, or data=")
    if not isinstance(histories, Histories):
        histories = _loaded(histories, mirror, record.data["options"])
    split = SPLITS[record.split["protocol"]](histories)
    if split.hash != record.split["hash"]:
        raise RunError(
            f"{folder} was trained on {record.data['name']} with split {record.split['hash'][:12]}, but the data now "
            f"give split {split.hash[:12]}: it may have learned from what it would be asked. Restore the data "
            "or train again."
        )
    return _opened(folder, record, split, pick_device(device))


def _loaded(data: str | os.PathLike, mirror: str | os.PathLike | None, options: Mapping[str, Any]) -> Histories:
    try:
        return load(data, mirror=mirror, **options)
    except TypeError as error:  # an option that neither the generator nor the reader has
        raise ValueError(f"{data} cannot be loaded with {', '.join(options)}: {error}") from error


def _opened(folder: Path, record: Record, split: Split, device: str = "cpu") -> Run:
    counted = BASELINES.get(record.model["name"])
    return Run(folder, record, split, counted().fit(split) if counted else load_model(folder, device))
