"""Which events each output reads, by changing one event at a time."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from seqrec_edu.lens.subject import Subject, subject


def dependence(
    module: nn.Module | Subject,
    *,
    length: int | None = None,
    width: int | None = None,
    n_items: int | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Which inputs each output depends on: for every stream the module reads, a bool array "l l".

    ``found["item"][t, s]`` is True where the output at event t changes with the item at event s, by more than 1e-10 of
    the largest output in float64 (1e-4 where the module computes in float32 only). Measured at random weights near its
    own, on two histories. A module that takes a `Batch` has the streams "item" and "time"; another is named by its
    arguments. Cost: l forward passes a stream, 2 l for times. Arguments and errors as in `audit`.
    """
    if not isinstance(module, Subject):
        module = subject(module, length=length, width=width, n_items=n_items, seed=seed).moved()
    rows = module.full()
    before = module(rows)
    size = before.abs().max().clamp(min=1e-30)
    found = {}
    for name in module.kinds:
        columns = []
        for s in range(module.length):
            read = torch.zeros(module.length, dtype=torch.bool, device=before.device)
            for changed in rows.changed(name, s):
                change = (module(changed) - before).abs() / size
                # Written as "not small", so that NaN counts as a change.
                read |= (~(change <= module.tolerance)).reshape(*change.shape[:2], -1).any(-1).any(0)
            columns.append(read)
        found[name] = torch.stack(columns, dim=1).cpu().numpy()
    return found
