"""Receipts: a number is worth what is written beside it.

A receipt is one JSON document with everything needed to defend a result or to get it again: data and split by hash,
protocol, model, configuration, seed, versions, machine, time, memory, and every metric with its interval. It is
written whole or not at all, and read back only if every part is there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from seqrec_edu.data.files import write_whole
from seqrec_edu.data.split import Split
from seqrec_edu.training.evaluate import Evaluation
from seqrec_edu.training.machine import commit, device_name, peak_memory, versions
from seqrec_edu.training.schema import SCHEMA, BadReceipt, check, no_constant


@dataclass(frozen=True)
class Receipt:
    """One trained (or counted) model and what it reached. Plain JSON types throughout; see `make_receipt`."""

    dataset: dict[str, Any]  # name, hash, users, items, events
    split: dict[str, Any]  # protocol, hash
    protocol: dict[str, Any]  # objective, ranking ("full"), seen ("unmasked" or "masked")
    model: dict[str, Any]  # name, settings, parameters
    metrics: dict[str, Any]  # valid and/or test: Evaluation.summary()
    config: dict[str, Any]
    seed: int | None
    seconds: dict[str, Any]  # fit, evaluate
    peak_memory_mib: dict[str, Any]  # host, device; None where it cannot be known
    versions: dict[str, Any]  # python, torch, numpy, seqrec_edu
    device: str
    backends: dict[str, Any]  # operation -> backend that ran
    threads: int
    best_epoch: int | None
    epochs: int | None
    created: str  # UTC date, YYYY-MM-DD
    commit: str | None
    notes: str = ""
    schema: int = field(default=SCHEMA)

    def write(self, path: str | Path) -> Path:
        """Write to `path`, under a temporary name in the same folder first, so that no half receipt is ever seen.

        Raises BadReceipt when something in it is not plain JSON (a path, a tensor, NaN) or a part is missing.
        """
        document = asdict(self)
        check(document, "receipt")
        try:
            text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BadReceipt(f"a receipt holds only numbers, text, lists and dictionaries: {error}") from error
        path = Path(path)
        write_whole(path, text.encode("utf-8"))
        return path

    @classmethod
    def read(cls, path: str | Path) -> Receipt:
        """Read and check a receipt. Raises BadReceipt that names the file and what is wrong with it."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise BadReceipt(f"cannot read a receipt from {path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise BadReceipt(f"{path} is not a receipt: it is not UTF-8 text ({error.reason})") from error
        try:
            document = json.loads(text, parse_constant=no_constant)
        except json.JSONDecodeError as error:
            begun, end = text.lstrip().startswith("{"), text.rstrip()
            cut = error.pos >= len(end) or (begun and not end.endswith("}"))
            what = "is cut off" if cut else "is not JSON"
            raise BadReceipt(
                f"{path} {what} at line {error.lineno}, column {error.colno} ({error.msg}); "
                "delete it and give the same command again"
            ) from error
        except (ValueError, RecursionError) as error:
            raise BadReceipt(f"{path} is not a receipt: {error}") from error
        check(document, str(path))
        return cls(**document)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model["name"]


def make_receipt(
    split: Split,
    evaluations: Mapping[str, Evaluation],
    *,
    model: str,
    settings: Mapping[str, Any],
    parameters: int,
    objective: str,
    config: Mapping[str, Any] | None = None,
    seed: int | None = None,
    seconds: Mapping[str, float] | None = None,
    device: torch.device | str = "cpu",
    backends: Mapping[str, str] | None = None,
    best_epoch: int | None = None,
    epochs: int | None = None,
    notes: str = "",
) -> Receipt:
    """The receipt of one run: what the caller knows, plus what can be asked of the machine and the libraries now.

    evaluations: {"valid": …, "test": …}, made on this split with one rule for seen items.
    objective: how it was trained, for example "every-position", "prefix", or "counts" for a baseline.
    seconds: {"fit": …, "evaluate": …}. Call this in the process that trained: peak memory is that of this process.
    Raises ValueError when an evaluation belongs to another split, part or rule than the rest.
    """
    seen = _one_rule(split, evaluations)
    histories, device = split.histories, torch.device(device)
    counts = {"users": histories.n_users, "items": histories.n_items, "events": histories.n_events}
    return Receipt(
        dataset={"name": histories.name, "hash": histories.hash, **counts},
        split={"protocol": split.protocol, "hash": split.hash},
        protocol={"objective": objective, "ranking": "full", "seen": seen},
        model={"name": model, "settings": dict(settings), "parameters": int(parameters)},
        metrics={which: evaluation.summary() for which, evaluation in evaluations.items()},
        config=dict(config or {}),
        seed=seed,
        seconds={"fit": None, "evaluate": None} | dict(seconds or {}),
        peak_memory_mib=peak_memory(device),
        versions=versions(),
        device=device_name(device),
        backends=dict(backends or {}),
        threads=torch.get_num_threads(),
        best_epoch=best_epoch,
        epochs=epochs,
        created=datetime.now(UTC).date().isoformat(),
        commit=commit(),
        notes=notes,
    )


def _one_rule(split: Split, evaluations: Mapping[str, Evaluation]) -> str:
    """The rule for seen items that all evaluations share, after checking that they belong to this split."""
    for which, evaluation in evaluations.items():
        if evaluation.which != which or evaluation.split_hash != split.hash:
            raise ValueError(
                f"expected the {which} evaluation of split {split.hash[:12]}, got {evaluation.which} of "
                f"{evaluation.split_hash[:12]}; evaluate the model on this split"
            )
    rules = sorted({evaluation.seen for evaluation in evaluations.values()})
    if len(rules) != 1:
        raise ValueError(f"expected at least one evaluation, and one rule for seen items, got {rules or 'none'}")
    return rules[0]


def compare(
    receipts: Sequence[Receipt],
    metrics: Sequence[str] = ("HR@10", "NDCG@10", "MRR@10"),
    which: str = "test",
    *,
    mixed: bool = False,
) -> str:
    """A table as text: one aligned line per receipt, every metric as "value [low, high]".

    Only what was measured in one way may stand in one column: the same data, split, ranking, rule for seen items and
    number of ranked targets. The training objective may differ and is shown.
    mixed: put different ones together all the same, with the columns that tell them apart.
    Raises ValueError for no receipts, a metric or part that one lacks, and different conditions unless `mixed`.
    """
    if not receipts:
        raise ValueError("expected at least one receipt to compare, got none")
    for receipt in receipts:
        _require(receipt, metrics, which)
    conditions = [_conditions(receipt, which) for receipt in receipts]
    differing = [name for name in conditions[0] if len({c[name] for c in conditions}) > 1]
    if differing and not mixed:
        found = "; ".join(f"{name}: {', '.join(dict.fromkeys(str(c[name]) for c in conditions))}" for name in differing)
        raise ValueError(
            f"these receipts were not measured in one way ({found}), so their numbers do not compare; "
            "compare them apart, or pass mixed=True to show them with these differences"
        )
    header = ["model", *differing, "objective", "seed", "parameters", *(f"{which} {name}" for name in metrics), "fit"]
    rows = [header]
    for receipt, condition in zip(receipts, conditions, strict=True):
        values = [_with_interval(receipt.metrics[which]["values"][name]) for name in metrics]
        fit = receipt.seconds["fit"]
        rows.append([
            receipt.name, *(str(condition[name]) for name in differing), receipt.protocol["objective"],
            "" if receipt.seed is None else str(receipt.seed), f"{receipt.model['parameters']:,}", *values,
            "" if fit is None else f"{fit:,.2f} s",
        ])  # fmt: skip
    shared = [f"{name}: {value}" for name, value in conditions[0].items() if name not in differing]
    return "\n".join(["; ".join(shared), *_aligned(rows)])


def _conditions(receipt: Receipt, which: str) -> dict[str, Any]:
    """What has to be equal before two numbers may stand in one column, in words a reader can act on."""
    part = receipt.metrics[which]
    return {
        "data": f"{receipt.dataset['name'] or 'unnamed'} ({receipt.dataset['hash'][:8]})",
        "split": f"{receipt.split['protocol']} ({receipt.split['hash'][:8]})",
        "ranking": f"{receipt.protocol['ranking']} over {receipt.dataset['items']:,} items",
        "seen items": receipt.protocol["seen"],
        "targets": f"{part['targets']:,}" + (f" (a sample, seed {part['seed']})" if part["sampled"] else ""),
        "interval": f"{part['level']:.0%}" if part["resamples"] else "none",
    }


def _require(receipt: Receipt, metrics: Sequence[str], which: str) -> None:
    if which not in receipt.metrics:
        raise ValueError(f"the receipt of {receipt.name} has no {which} metrics; it has {', '.join(receipt.metrics)}")
    values = receipt.metrics[which]["values"]
    missing = [name for name in metrics if name not in values]
    if missing:
        raise ValueError(f"the receipt of {receipt.name} has no {', '.join(missing)}; it has {', '.join(values)}")


def _with_interval(metric: Mapping[str, float | None]) -> str:
    interval = "" if metric["low"] is None else f" [{metric['low']:.4f}, {metric['high']:.4f}]"
    return f"{metric['value']:.4f}{interval}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
