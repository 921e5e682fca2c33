"""Naming a mistake: by the catalogue of known ones, then by experiments that work for any exercise, then by place."""

from __future__ import annotations

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import Results, same
from seqrec_edu.teaching.diagnosis import arguments, kinds, parts, places, probes, results
from seqrec_edu.teaching.diagnosis.catalogue import from_catalogue
from seqrec_edu.teaching.diagnosis.gradients import gradients
from seqrec_edu.teaching.inputs import Case

__all__ = ["alike", "gradients", "name"]

# Most telling first. Each takes an attempt and returns a finding or None.
EXPERIMENTS = (
    from_catalogue,
    kinds.errors,
    kinds.not_tensors,
    kinds.device,
    kinds.shape,
    kinds.number_kind,
    kinds.precision,
    parts.counted,
    results.one_changed,
    arguments.one_changed,
    arguments.two_exchanged,
    results.with_an_argument,
    kinds.not_finite,
    probes.dependence,
    probes.unused,
    places.some_cases,
    places.positions,
    places.larger_cases,
    probes.growth,
)


def name(attempt: Attempt) -> Finding:
    """What is wrong with an attempt that has failing cases."""
    for experiment in EXPERIMENTS:
        try:
            found = experiment(attempt)
        except Exception:  # an experiment that stumbles over an odd result must not keep the verdict from the learner
            continue
        if found is not None:
            return found
    case = attempt.cases[attempt.failing[0]]
    return Finding("wrong", "", "The result differs, and no known mistake explains how.", "", case)


def alike(one: Results | None, other: Results | None, case: Case) -> bool:
    """Whether two results are the same up to rounding."""
    return same(one, other, case.single)
