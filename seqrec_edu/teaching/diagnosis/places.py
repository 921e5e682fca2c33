"""Where it goes wrong, if nothing says why: in which cases, and at which positions of an axis."""

from __future__ import annotations

import torch

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import close, named
from seqrec_edu.teaching.inputs import Case


def when(attempt: Attempt, failing: list[int]) -> str:
    """In words, the cases that fail: ``only at length 1``."""
    for words, holds in conditions(attempt):
        those = [at for at in range(len(attempt.outcomes)) if holds(attempt.cases[at])]
        if those == failing and len(those) < len(attempt.outcomes):
            return f"only {words}"
    if len(failing) == len(attempt.outcomes):
        return "on every input"
    for words, holds in conditions(attempt):
        if all(holds(attempt.cases[at]) for at in failing) and not all(holds(case) for case in attempt.cases):
            return f"only {words}, though not always"
    return f"on {len(failing)} of {len(attempt.outcomes)} inputs"


def conditions(attempt: Attempt):
    """What may set cases apart."""
    sizes = sorted({case.sizes["l"] for case in attempt.cases if "l" in case.sizes})
    if sizes:
        yield "at length 1", lambda c: c.sizes.get("l") == 1
        yield "at odd lengths", lambda c: c.sizes.get("l", 0) % 2 == 1
        yield "at even lengths", lambda c: c.sizes.get("l", 1) % 2 == 0
        for low in sizes[1:]:
            yield f"at lengths of {low} and more", lambda c, low=low: c.sizes.get("l", 0) >= low
    for special in dict.fromkeys(case.name for case in attempt.cases if case.name):
        yield f"for {special}", lambda c, special=special: c.name == special
    yield "in float32", lambda c: c.single
    yield "where the arguments are not contiguous in memory", lambda c: not c.contiguous
    for letter in dict.fromkeys(letter for case in attempt.cases for letter in case.sizes if letter not in ("l", "f")):
        yield f"where {letter} is more than 1", lambda c, letter=letter: c.sizes.get(letter, 0) > 1
    if any(each.kind in ("mask", "lengths") for each in attempt.task.arguments.values()):
        yield "where there are pads", padded
        yield "where there are no pads", lambda c: not padded(c)


def padded(case: Case) -> bool:
    """Whether a mask or the lengths leave a place empty."""
    real = real_events(case)
    return real is not None and not bool(real.all())


def real_events(case: Case) -> torch.Tensor | None:
    """``"b l"``, True at real events; None where nothing is padded."""
    for name, value in case.values.items():
        if case.axes.get(name) == "b l" and value.dtype == torch.bool:
            return value
        if name == "lengths":
            return torch.arange(case.sizes["l"]) < value[:, None]
    return None


def some_cases(attempt: Attempt) -> Finding | None:
    """Wrong in a part of the cases that a word can set apart: odd lengths, float32."""
    words = when(attempt, attempt.failing)
    if not words.startswith("only") or words.endswith("not always"):
        return None
    if " more" in words:  # that larger inputs fail is said only if their positions say nothing
        return None
    return _only(attempt, words)


def larger_cases(attempt: Attempt) -> Finding | None:
    """Wrong from some size of an axis on."""
    words = when(attempt, attempt.failing)
    return _only(attempt, words) if words.startswith("only") and not words.endswith("not always") else None


def _only(attempt: Attempt, words: str) -> Finding:
    sentence = f"It is right elsewhere and wrong {words}."
    return Finding("mistake", f"wrong {words}", sentence, "place", attempt.cases[attempt.failing[0]])


def positions(attempt: Attempt) -> Finding | None:
    """Wrong at some positions of an axis, the same in all failing cases."""
    case = attempt.cases[attempt.failing[0]]
    pads = _at_pads(attempt)
    if pads:
        return Finding("mistake", f"wrong {pads}", f"The result is wrong only {pads}.", "place", case)
    for index, axes in enumerate(attempt.task.results):
        letters = axes.split()
        for axis, letter in enumerate(named(letters)):
            words = _along(attempt, index, axis, letter)
            if words:
                return Finding("mistake", words[0], words[1], "place", case)
    return None


def _wrong(attempt: Attempt, at: int, index: int) -> torch.Tensor:
    return ~close(attempt.got[at][index], attempt.wanted[at][index], attempt.cases[at].single, attempt.task.tolerance)


def _at_pads(attempt: Attempt) -> str:
    if not all(axes.split()[:2] == ["b", "l"] for axes in attempt.task.results):
        return ""
    found = set()
    for at in attempt.failing:
        real, wrong = real_events(attempt.cases[at]), _wrong(attempt, at, 0)
        if real is None:
            return ""
        wrong = wrong.flatten(2).any(-1) if wrong.dim() > 2 else wrong
        found |= {"pads" if bool((wrong & ~real).any()) else "", "events" if bool((wrong & real).any()) else ""}
    found -= {""}
    return "at the pads" if found == {"pads"} else ""


def _along(attempt: Attempt, index: int, axis: int, letter: str) -> tuple[str, str] | None:
    """Only the first, all but the first, only the last, all but the last place of one axis."""
    holding = set(PATTERNS)
    met = False
    for at in attempt.failing:
        wrong = _wrong(attempt, at, index)
        if wrong.shape[axis] < 2 or not bool(wrong.any()):
            continue
        line = wrong.transpose(0, axis).flatten(1).any(1).tolist()
        holding = {pattern for pattern in holding if PATTERNS[pattern](line)}
        met = True
    if not met or not holding:
        return None
    pattern = next(each for each in PATTERNS if each in holding)
    thing = {"l": "event", "t": "row", "s": "column"}.get(letter, f"place of axis {letter}")
    return f"wrong {pattern} {thing}", f"Along {letter}, the result is wrong {pattern} {thing}; elsewhere it is right."


# Two places alone fit more than one of these: the first that fits all cases is said.
PATTERNS = {
    "only at the first": lambda wrong: wrong[0] and not any(wrong[1:]),
    "only at the last": lambda wrong: wrong[-1] and not any(wrong[:-1]),
    "only after the first": lambda wrong: not wrong[0],
    "only before the last": lambda wrong: not wrong[-1],
}
