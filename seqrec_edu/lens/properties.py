"""The properties an audit measures, one function each; `rungs` and `cost` hold the two that need more."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from seqrec_edu.lens.dependence import dependence
from seqrec_edu.lens.rows import ITEM, TIME
from seqrec_edu.lens.rungs import prefer, values_and_gradients
from seqrec_edu.lens.signature import BATCH, LENGTH, MASK
from seqrec_edu.lens.subject import Subject
from seqrec_edu.lens.verdict import FAILS, HOLDS, NOT_APPLICABLE, UNKNOWN, Property, within

SMALLEST, LARGEST = 0.999e-3, 0.1001  # steps at initialisation, Mamba section 3.6, with room for rounding
CLOBBERED = math.log(2)  # softplus(0)
FIFTY_YEARS = 1_577_880_003  # seconds: far, so that even a row dominated by one date moves
STEP_BIASES = ("dt_bias", "dt_proj.bias")


def finite(module: Subject) -> Property:
    """A number at every real event, for histories of one event too."""
    bad = 0
    for rows in (module.full(), module.padded()):
        bad += int((~torch.isfinite(module(rows)[rows.mask])).sum())
    if bad:
        return Property("finite", FAILS, bad, f"{bad} outputs at real events are NaN or infinite.")
    return Property("finite", HOLDS, 0, "Every output at a real event is a finite number.")


def repeatable(module: Subject) -> Property:
    """The same input gives the same output in evaluation mode."""
    rows = module.padded()
    change = module.change(module(rows), module(rows), rows.mask)
    return within(
        "repeatable", change, module.tolerance,
        "The same histories give the same outputs in evaluation mode.",
        f"The same histories give outputs {change:.2g} apart: something is drawn at random in evaluation mode too.",
    )  # fmt: skip


def causal(module: Subject, declared: bool | None) -> tuple[Property, dict]:
    """No output reads a later event. Also gives what each output does read."""
    read = dependence(module)
    expected = FAILS if declared is False else HOLDS
    whole = sum(each.astype(int) for each in read.values()) > 0
    later = {name: int(torch.from_numpy(each).triu(1).sum()) for name, each in read.items()}
    n = int(torch.from_numpy(whole).triu(1).sum())
    if not whole.any():
        said = "No output changes with any input: nothing can be said about what it reads."
        return Property("causal", UNKNOWN, None, said, expected), read
    if n == 0:
        said = "No output reads a later event." + (" It declares that it does." if declared is False else "")
        return Property("causal", HOLDS, 0, said, expected), read
    first = int(torch.from_numpy(whole).triu(1).any(1).int().argmax())
    through = " and ".join(name for name, many in later.items() if many)
    pairs = module.length * (module.length - 1) // 2
    said = f"{n} of {pairs} pairs of an output and a later event are read (through {through}), first at event {first}"
    said += {True: "; it declares that it is causal", False: ", as it declares", None: ""}[declared] + "."
    return Property("causal", FAILS, n, said, expected), read


def apart(module: Subject) -> Property:
    """A history's outputs do not depend on the others in its batch."""
    rows = module.padded()
    together = module(rows)
    change = 0.0
    for history in range(len(rows.length)):
        one = rows.only(history)
        change = max(change, module.change(module(one), together[history : history + 1], one.mask))
    return within(
        "histories apart", change, module.tolerance,
        "A history alone gives what it gives in a batch.",
        f"A history alone gives outputs {change:.2g} away from those in a batch: an axis is mixed that should not be.",
    )  # fmt: skip


def padding_content(module: Subject) -> Property:
    """What stands at the pads changes no real output."""
    told = any(a.kind in (BATCH, MASK, LENGTH) for a in module.args)
    if not told and ITEM in module.kinds.values():
        said = "Only item 0 tells it where a history ends, so a pad cannot hold anything else."
        return Property("padding content", NOT_APPLICABLE, None, said)
    rows = module.padded()
    other = module.rows(rows.length.tolist(), rows.width, salt=1, pads=True)
    change = module.change(module(rows), module(rows.with_pads_from(other)), rows.mask)
    return within(
        "padding content", change, module.tolerance,
        "Other content at the pads changes no real output.",
        f"Other content at the pads changes real outputs by {change:.2g} of their size.",
    )  # fmt: skip


def padding_amount(module: Subject) -> Property:
    """How many pads follow a history changes no real output."""
    rows = module.padded()
    short = rows.cut(int(rows.length.max()))
    wide = module(rows)
    try:
        narrow = module(short)
    except (ValueError, RuntimeError) as error:
        return Property("padding amount", NOT_APPLICABLE, None, f"It takes rows of one length only: {error}")
    change = module.change(narrow, wide[:, : short.width], short.mask)
    return within(
        "padding amount", change, module.tolerance,
        f"Rows of {short.width} and of {rows.width} places give the same real outputs.",
        f"Rows of {short.width} and of {rows.width} places give real outputs {change:.2g} apart.",
    )  # fmt: skip


def time_shift(module: Subject) -> Property:
    """The same histories at another date give the same outputs: only differences of times are read."""
    if TIME not in module.kinds.values():
        return Property("time shift", NOT_APPLICABLE, None, "It is given no timestamps.")
    rows = module.padded()
    before = module(rows)
    stretched = rows.moved_in_time(lambda t: t[:, :1] + 9 * (t - t[:, :1]))
    if module.change(before, module(stretched), rows.mask) <= module.tolerance:
        return Property("time shift", HOLDS, 0, "It reads no timestamps, though it is given them.")
    change = module.change(before, module(rows.moved_in_time(lambda t: t - FIFTY_YEARS)), rows.mask)
    return within(
        "time shift", change, module.tolerance,
        "All timestamps fifty years earlier give the same outputs; nine times the gaps do not.",
        f"All timestamps fifty years earlier change the outputs by {change:.2g} of their size.",
    )  # fmt: skip


def parameters(module: Subject) -> Property:
    """Every parameter changes some real output; a frozen one is asked too, for a dead one is often frozen."""
    gradients = {
        name.removeprefix("parameter "): float(gradient.norm())
        for name, gradient in values_and_gradients(module.thawed()).items()
        if name.startswith("parameter ")
    }
    known = dict(module.module.named_parameters())
    unused = tuple(name for name, size in gradients.items() if size == 0)
    if not gradients or not (unused or any(p.requires_grad for p in known.values())):
        return Property("parameters", NOT_APPLICABLE, None, "It has no parameters to train.")
    rounding = 1e-13 if module.exact else 1e-6
    silent = [name for name, size in gradients.items() if 0 < size <= rounding * max(gradients.values())]
    frozen = [name for name in gradients if not known[name].requires_grad and name not in (*unused, *silent)]
    total, idle, still = (sum(known[name].numel() for name in names) for names in (gradients, unused, frozen))
    note = f" Without effect though used, their gradient is only rounding: {', '.join(silent)}." if silent else ""
    note += f" Frozen, though with an effect: {still:,} of them." if frozen else ""
    if unused:
        said = f"{idle:,} of {total:,} parameters have no gradient: {', '.join(unused)}.{note}"
        return Property("parameters", FAILS, idle, said, names=(*unused, *silent))
    return Property("parameters", HOLDS, 0, f"All {total:,} parameters have a gradient.{note}", names=tuple(silent))


def step_sizes(initial: Subject) -> Property:
    """Steps of a state space start between 0.001 and 0.1, so that it remembers for tens to hundreds of events."""
    biases = {
        name: F.softplus(p.detach().double()).flatten()
        for name, p in initial.module.named_parameters()
        if name.endswith(STEP_BIASES)
    }
    where = f"softplus of {', '.join(biases)}"
    if not biases:
        with prefer(None) as calls:
            initial(initial.full())
        if not calls.steps:
            return Property("step sizes", NOT_APPLICABLE, None, "It has no state space with a step size.")
        # A step that depends on the input has no bias to read, so its usual size is what counts.
        biases = {str(i): dt.double().flatten(0, 1).median(0).values.flatten() for i, dt in enumerate(calls.steps)}
        where = "the usual dt of each channel"
    steps = torch.cat(list(biases.values()))
    low, middle, high = float(steps.min()), float(steps.median()), float(steps.max())
    said = f"Steps ({where}) start between {low:.3g} and {high:.3g}, half of them below {middle:.3g}"
    if low >= SMALLEST and high <= LARGEST:
        return Property("step sizes", HOLDS, middle, f"{said}.")
    said += "; Mamba starts between 0.001 and 0.1."
    if abs(middle - CLOBBERED) < 0.05:
        said += f" {CLOBBERED:.3f} is softplus(0): an initialiser set the bias to zero, and with it the memory."
    return Property("step sizes", FAILS, middle, said)
