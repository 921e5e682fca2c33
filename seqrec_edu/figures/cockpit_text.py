"""The trainings of the cockpit in words and as a table."""

from collections.abc import Mapping

from .log import HIGH, LOW, STEP_SIZE, Log, best, first_at, layers, step_key, value, values
from .text import Table, aligned, number, span


def cockpit_table(
    runs: Mapping[str, Log], *, metric: str = "NDCG@10", layer: int = 1, level: float | None = None, timed: bool = True
) -> Table:
    """Write the same as text: of one run a row per epoch, of several a row each; a dash stands for not recorded.

    Args:
        runs, metric, layer, level: as `cockpit`.
        timed: False leaves out what differs from machine to machine.
    """
    keys = {"loss": "loss", metric: metric, "from": metric + LOW, "to": metric + HIGH}
    keys |= {"gradient norm": "gradient_norm", "greatest": "gradient_norm" + HIGH}
    speed = {"events/s": "events_per_second", "seconds": "seconds"} if timed else {}
    if len(runs) == 1:
        (log,) = runs.values()
        dt = step_key(log, layer)
        keys |= {"Δ 5 %": dt + LOW, "Δ median": dt, "Δ 95 %": dt + HIGH, **speed}
        numbers = [int(epoch) for epoch in values(log, "epoch")]
        rows = [[n, *(value(record, key) for key in keys.values())] for n, record in zip(numbers, log, strict=True)]
        return aligned(["epoch", *keys], rows)
    head = ["run", "epochs", "last loss", f"best {metric}", "from", "to", "in epoch"]
    head += ["reached in"] if level is not None else []
    rows = [_row(name, log, metric, layer, level, timed) for name, log in runs.items()]
    return aligned([*head, "gradient norm", "Δ median", *speed], rows)


def _row(name: str, log: Log, metric: str, layer: int, level: float | None, timed: bool) -> list[object]:
    """One run in the table of several."""
    epochs, at = values(log, "epoch"), best(log, metric)
    kept = {} if at is None else log[at]
    row = [name, len(log), _last(log, "loss"), *(value(kept, metric + end) for end in ("", LOW, HIGH))]
    row.append(None if at is None else int(epochs[at]))
    if level is not None:
        there = first_at(log, metric, level)
        row.append(None if there is None else int(epochs[there]))
    row += [_last(log, "gradient_norm"), _last(log, step_key(log, layer))]
    return [*row, _last(log, "events_per_second"), _last(log, "seconds")] if timed else row


def _last(log: Log, key: str) -> float | None:
    return next((found for found in reversed(values(log, key)) if found is not None), None)


def cockpit_sentence(
    runs: Mapping[str, Log],
    *,
    metric: str = "NDCG@10",
    layer: int = 1,
    level: float | None = None,
    share: float | None = None,
    ends: Mapping[str, str | None] | None = None,
    timed: bool = True,
) -> str:
    """Say it in words: of each run what it reached and when; of one alone also gradients, step sizes and speed.

    Args:
        runs, metric, layer, level: as `cockpit`.
        share: the level as a percentage of the best of all runs.
        ends: name → "early", "full", "open" or None, see `lens.RunLog.ended`.
        timed: False leaves out what differs from machine to machine.
    """
    if not any(runs.values()):
        return "No epoch has ended yet."
    asked = ""
    if level is not None and len(runs) > 1:
        asked = f" Asked for: {metric} of {number(level, 3)}, {number(share)} % of the best." if share else ""
    said = [_outcome(name, log, metric, level, (ends or {}).get(name), timed) for name, log in runs.items()]
    if len(runs) > 1:
        return "; ".join(said) + "." + asked
    ((_, log),) = runs.items()
    return ". ".join([*said, *_details(log, metric, layer, timed)]) + "."


def _outcome(name: str, log: Log, metric: str, level: float | None, end: str | None, timed: bool) -> str:
    """How far one run came, and when it reached the level."""
    if not log:
        return f"{name}: no epoch has ended yet"
    epochs, losses = values(log, "epoch"), [loss for loss in values(log, "loss") if loss is not None]
    how = {"early": ", then patience was used up", "open": ", and more were planned"}.get(end or "", "")
    words = f"{name}: {len(log)} epoch{'s' * (len(log) != 1)}{how}"
    words += f"; loss {number(losses[0], 3)} to {number(losses[-1], 3)} nats" if losses else ""
    at = best(log, metric)
    if at is None:
        return f"{words}; {metric} not recorded"
    low, high = value(log[at], metric + LOW), value(log[at], metric + HIGH)
    words += f"; best {metric} {number(value(log[at], metric), 3)}"
    words += "" if low is None or high is None else f" ({number(low, 3)} to {number(high, 3)})"
    words += f" in epoch {int(epochs[at])}"
    there = None if level is None else first_at(log, metric, level)
    if there is None:
        return words + ("" if level is None else f"; {number(level, 3)} never reached")
    seconds = value(log[there], "seconds") if timed else None
    after = "" if seconds is None else f", after {span(seconds)}"
    return f"{words}; {number(level, 3)} first in epoch {int(epochs[there])}{after}"


def _details(log: Log, metric: str, layer: int, timed: bool) -> list[str]:
    """Gradients, step sizes and speed of the last epoch, and what was not recorded."""
    last, dt, said, missing = log[-1], step_key(log, layer), [], []
    norm, clipped = value(last, "gradient_norm"), value(last, "clipped")
    if norm is None:
        missing.append("gradient norms")
    else:
        shortened = "" if clipped is None else f", {number(round(100 * clipped))} % of them clipped"
        said.append(f"Gradient norm of the last epoch's steps {number(norm, 3)} in the middle{shortened}")
    middle, low, high = (_last(log, dt + end) for end in ("", LOW, HIGH))
    if middle is not None:
        around = "" if low is None or high is None else f", 90 % in {number(low, 2)} to {number(high, 2)}"
        said.append(f"Step sizes of layer {layer} ({dt.removeprefix(STEP_SIZE)}): median {number(middle, 2)}{around}")
    elif layers(log):
        said.append(f"There is no layer {layer} with step sizes")
    elif norm is None:
        missing.append("step sizes")
    else:
        said.append("No layer has step sizes")
    if timed and value(last, "events_per_second") is not None:
        said.append(f"{last['events_per_second']:,.0f} events per second")
    elif timed:
        missing.append("speed")
    if not any(value(record, metric + LOW) is not None for record in log):
        missing.append("intervals")
    return said + ([f"Not recorded: {', '.join(missing)}"] if missing else [])
