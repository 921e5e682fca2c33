"""Event by event or all at once: the property that lets a recurrent model serve a live stream."""

from __future__ import annotations

import inspect

import torch
from torch import Tensor

from seqrec_edu.lens.rows import Rows
from seqrec_edu.lens.signature import takes
from seqrec_edu.lens.subject import Subject
from seqrec_edu.lens.verdict import FAILS, NOT_APPLICABLE, Property, within


def stepping(module: Subject) -> Property:
    """Event by event with the state carried on gives the full pass."""
    rows = module.full()
    whole, change, tried = module(rows), 0.0, []
    for way in (_by_forward, _by_step):
        try:
            found = way(module, rows)
        except NotImplementedError:
            continue
        except Exception as error:  # whatever a learner's step raises is the finding
            said = f"Going event by event raised {type(error).__name__}: {error}"
            return Property("step", FAILS, None, said)
        if found is not None:
            y, how = found
            tried.append(how)
            if y.shape != whole.shape:
                said = f"{how} gives {tuple(y.shape)} over {rows.width} events, the full pass {tuple(whole.shape)}."
                return Property("step", FAILS, None, said)
            change = max(change, module.change(whole, y, rows.mask))
    if not tried:
        return Property("step", NOT_APPLICABLE, None, "It carries no state: it has no step and forward takes none.")
    how = " and ".join(tried)
    return within(
        "step", change, max(module.tolerance, 1e-8),
        f"Event by event ({how}) gives the full pass.",
        f"Event by event ({how}) ends up {change:.2g} away from the full pass.",
    )  # fmt: skip


def _by_forward(module: Subject, rows: Rows) -> tuple[Tensor, str] | None:
    """Outputs of ``forward`` called with one event and the state it gave before; None where it has no state."""
    if not takes(module.module, "state"):
        return None
    state, outputs = None, []
    with torch.no_grad():
        if module.run(rows)[1] is None:
            return None
        try:
            module.run(rows.at(0))
        except ValueError:  # parameters per position: it has a state, but no history of one event
            return None
        for t in range(rows.width):
            y, state = module.run(rows.at(t), state=state)
            outputs.append(y)
    return torch.cat(outputs, dim=1), "forward with its state"


def _by_step(module: Subject, rows: Rows) -> tuple[Tensor, str] | None:
    """Outputs of ``step``, whose arguments are the state and one event of each stream; None where it has no step."""
    step = getattr(module.module, "step", None)
    if step is None:
        return None
    first = next(iter(rows.streams))
    asked = inspect.signature(step).parameters.values()
    names = [p.name for p in asked if p.kind != p.VAR_KEYWORD and (p.name == "state" or p.default is p.empty)]
    if any(p.kind == p.VAR_KEYWORD for p in asked):
        names += [n for n in rows.streams if n not in names and n != first]
    state, outputs = None, []
    with torch.no_grad():
        for t in range(rows.width):
            event = {n: state if n == "state" else rows.streams.get(n, rows.streams[first])[:, t] for n in names}
            y, state = step(**event)
            outputs.append(y)
    return torch.stack(outputs, dim=1), "step"
