"""A result that is a sum of named parts: how often was each of them counted, and how often should it have been?"""

from __future__ import annotations

import torch
from torch import Tensor

from seqrec_edu.teaching.attempt import Attempt, Finding
from seqrec_edu.teaching.compare import Results
from seqrec_edu.teaching.inputs import in_dtype


def counted(attempt: Attempt) -> Finding | None:
    """The learner's result as a sum of the exercise's parts, if it is one, beside the sum that it should be."""
    names = list(attempt.task.parts)
    if not names:
        return None
    rows = torch.cat([_parts(attempt, at) for at in range(len(attempt.cases))])
    mine, right = (_weights(rows, each) for each in (attempt.got, attempt.wanted))
    if mine is None or right is None:
        return None
    wrong = [at for at in range(len(names)) if abs(mine[at] - right[at]) > 1e-6]
    if not wrong:
        return None
    told = "; ".join(f"{names[at]}: {mine[at]:.3g} times instead of {right[at]:.3g}" for at in wrong)
    title = f"{names[wrong[0]]} counted {mine[wrong[0]]:.3g} times"
    case = attempt.cases[attempt.failing[0]]
    sentence = f"The result is a sum in which something counts wrongly. {told}."
    return Finding("mistake", title, sentence, "experiment", case)


def _parts(attempt: Attempt, at: int) -> Tensor:
    values = [in_dtype(value, torch.float64) for value in attempt.cases[at].fresh().values()]
    return torch.stack([part(*values).double().flatten() for part in attempt.task.parts.values()], 1)


def _weights(rows: Tensor, results: list[Results | None]) -> list[float] | None:
    """How often every part is in the results; None if they are no such sum."""
    if any(each is None or len(each) != 1 or not bool(each[0].isfinite().all()) for each in results):
        return None
    total = torch.cat([each[0].double().flatten() for each in results])
    if len(total) != len(rows):
        return None
    found = torch.linalg.lstsq(rows, total[:, None], driver="gelsd").solution[:, 0]
    if not torch.allclose(rows @ found, total, atol=1e-5):
        return None
    return [round(each, 6) + 0.0 for each in found.tolist()]
