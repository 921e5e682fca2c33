"""The audit: a table of measured properties of a model or layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from seqrec_edu.lens import properties
from seqrec_edu.lens.cost import cost
from seqrec_edu.lens.rungs import backends
from seqrec_edu.lens.stepping import stepping
from seqrec_edu.lens.subject import Subject, setting, subject
from seqrec_edu.lens.table import as_html
from seqrec_edu.lens.verdict import FAILS, UNKNOWN, Property

PROPERTIES = (
    "finite", "repeatable", "causal", "histories apart", "padding content", "padding amount", "time shift", "step",
    "backends", "parameters", "step sizes", "cost",
)  # fmt: skip
BY_COMPARING = PROPERTIES[2:9]  # senseless where equal calls differ already


class AuditError(ValueError):
    """A module does not do what it declares, or what every recommender here must; the message lists what fails."""


@dataclass(frozen=True, repr=False)
class Audit:
    """What was measured; shown as a table. ``found["causal"]`` is one `Property` of it.

    Attributes:
        subject: name of the module's class.
        properties: one `Property` per row.
        declared: what the module says about its causality; None where it says nothing.
        dependence: bool "l l", True at [t, s] where output t reads event s through any stream.
        streams: the same for every stream, for instance "item" and "time".
        setting: the histories and precision used, in words.
    """

    subject: str
    properties: tuple[Property, ...]
    declared: bool | None
    dependence: np.ndarray | None
    streams: dict[str, np.ndarray]
    setting: str

    def __getitem__(self, name: str) -> Property:
        for found in self.properties:
            if found.name == name:
                return found
        raise KeyError(f"no property is called {name!r}; this audit has {', '.join(p.name for p in self.properties)}")

    @property
    def unused(self) -> tuple[str, ...]:
        """Names of the parameters that no output depends on."""
        return self["parameters"].names

    def check(self, *, fails: Sequence[str] = ()) -> Audit:
        """Return the audit if the module does as it declares, and exactly the properties in ``fails`` fail besides.

        A model that declares ``causal = False`` must read later events; a module that declares nothing must not.

        Raises:
            AuditError: listing what fails, what could not be told, and what should fail and does not.
        """
        for name in fails:
            _ = self[name]  # a name that is misspelt asserts nothing
        problems = []
        for found in self.properties:
            if found.name in fails:
                if found.verdict != FAILS:
                    problems.append(f"{found.name}: should fail, but the verdict is '{found.verdict}'")
            elif not found.passes:
                problems.append(f"{found.name}: {found.verdict}. {found.sentence}")
        if problems:
            raise AuditError(f"{self.subject}: " + "\n  ".join([f"{len(problems)} not as it should be", *problems]))
        return self

    def __repr__(self) -> str:
        rows = [(p.name, p.verdict, p.number, p.sentence) for p in self.properties]
        wide = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{name:<{wide[0]}}  {word:<{wide[1]}}  {n:>{wide[2]}}  {said}" for name, word, n, said in rows]
        return "\n".join([f"Audit of {self.subject}: {self.setting}", *lines])

    def _repr_html_(self) -> str:
        head = ("property", "verdict", "measured", "what it says")
        rows = [(p.name, p.verdict, p.number, p.sentence) for p in self.properties]
        return as_html(f"Audit of {self.subject}: {self.setting}", head, rows)


def audit(
    module: nn.Module,
    *,
    seed: int = 0,
    length: int | None = None,
    width: int | None = None,
    n_items: int | None = None,
    only: Sequence[str] | None = None,
) -> Audit:
    """Measure what a model or layer does to a history, whatever it says about itself.

    Works for the models and layers of this package and for any ``nn.Module`` whose ``forward`` takes a ``batch``
    (`data.batches.Batch`), items (``item "b l"``, also ``time``, ``mask``, ``lengths``) or vectors (``x "b l d"``), and
    gives ``y`` or ``(y, state)`` with one output per event. Made-up histories and a copy of the module are used, in
    evaluation mode, in float64 where it allows it, a small random step away from its weights (a weight that starts at
    zero hides what will flow through it); the module itself, its mode and all random streams stay as they were.

    Args:
        seed: of the made-up histories.
        length: places of a row; 24, or the module's ``history_length`` where that is shorter.
        width: size of x's vectors, where it cannot be found out from the parameters.
        n_items: items to draw from, where neither ``config.n_items`` nor an embedding says it.
        only: names of the properties to measure; all of `PROPERTIES` otherwise. "step sizes" is about fresh weights:
            training may move them out of the range it asks for.
    Raises:
        CannotCall: where the module cannot be run on such histories, with what was tried.
        ValueError: for a name in ``only`` that is no property.

    Nothing else is raised: `Audit.check` does that. Cost: some 4 l forward passes over short histories, and a few with
    gradients. What the papers of these models claim or quietly assume, measured: that the target cannot be seen
    (Kang and McAuley 2018, section 3), that a state can be carried on (Gu and Dao 2023, section 3.5), that steps start
    small (ibid., section 3.6).
    """
    unknown = set(only or ()) - set(PROPERTIES)
    if unknown:
        raise ValueError(f"no property is called {', '.join(sorted(unknown))}; there are {', '.join(PROPERTIES)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        initial = subject(module, length=length, width=width, n_items=n_items, seed=seed)
        return _measured(module, initial, only or PROPERTIES)


def declares(module: nn.Module) -> bool | None:
    """``module.causal`` or ``module.config.causal``, None where it says nothing."""
    for holder in (module, getattr(module, "config", None)):
        value = getattr(holder, "causal", None)
        if isinstance(value, bool):
            return value
    return None


def _measured(module: nn.Module, initial: Subject, names: Sequence[str]) -> Audit:
    subject, declared = initial.moved(), declares(module)
    read: dict[str, np.ndarray] = {}

    def causal(subject: Subject) -> Property:
        found, maps = properties.causal(subject, declared)
        read.update(maps)
        return found

    ways: dict[str, Callable[[Subject], Property]] = {
        "finite": properties.finite,
        "repeatable": properties.repeatable,
        "causal": causal,
        "histories apart": properties.apart,
        "padding content": properties.padding_content,
        "padding amount": properties.padding_amount,
        "time shift": properties.time_shift,
        "step": stepping,
        "backends": backends,
        "parameters": properties.parameters,
        "step sizes": lambda _: properties.step_sizes(initial),
        "cost": lambda subject: cost(subject, setting(module, "history_length")),
    }
    rows, random = [], False
    for name in (name for name in PROPERTIES if name in names):
        if random and name in BY_COMPARING:
            rows.append(Property(name, UNKNOWN, None, "Equal calls differ already, so nothing can be compared."))
            continue
        try:
            rows.append(ways[name](subject))
        except Exception as error:  # a learner's module may raise anything; the other rows still say something
            rows.append(Property(name, UNKNOWN, None, f"Measuring it raised {type(error).__name__}: {error}"))
        random = random or (name == "repeatable" and rows[-1].verdict == FAILS)
    whole = np.logical_or.reduce(list(read.values())) if read else None
    precision = "float64" if subject.exact else str(subject.like.dtype).removeprefix("torch.")
    described = f"histories of {subject.length} places, {', '.join(subject.kinds)}, measured in {precision}"
    return Audit(type(module).__name__, tuple(rows), declared, whole, read, described)
