"""`seqrec-edu train | evaluate | recommend`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqrec_edu.cli import typed
from seqrec_edu.cli.common import Device, explained, is_first, nothing, option, use_threads
from seqrec_edu.cli.tables import table

if TYPE_CHECKING:
    from seqrec_edu.data.histories import Histories
    from seqrec_edu.training.run import Plan, Run

app = typer.Typer()

# The names that training knows, once more: importing them takes torch, and `--help` must not wait for that.
NEURAL = [
    *("sasrec", "mamba4rec", "tim4rec", "mlsa4rec", "echomamba4rec"),
    *("ssd4rec", "gru4rec", "fmlprec", "lightsans", "linrec"),
    *("tisasrec", "bert4rec"),
]
Model = StrEnum("Model", [*NEURAL, "popularity", "last-item", "most-recent"])
Objective = StrEnum("Objective", ["every-position", "prefix", "shared-prefix", "cloze"])
Protocol = StrEnum("Protocol", ["leave-one-out", "global-time"])
Part = StrEnum("Part", ["valid", "test"])
Seen = StrEnum("Seen", ["unmasked", "masked"])


ModelName = Annotated[
    Model, typer.Argument(metavar="MODEL", help="What to train; the last three only count.", show_default=False)
]
Data = Annotated[
    str,
    typer.Option(
        "--data", "-d", metavar="NAME_OR_FILE", help="A file of yours, or a name from `seqrec-edu data list`."
    ),
]
Out = Annotated[Path | None, option("--out", "-o", help="Folder of the run. Default: runs/MODEL-DATA.")]
Where = Annotated[Path | None, option("--from", help="Folder to take data from, instead of the network.", panel="Data")]
SplitBy = Annotated[Protocol, typer.Option("--split", help="How to divide events.", rich_help_panel="Data")]
Core = Annotated[int | None, option("--core", help="Fewest events of a user and item. Default: 5.", panel="Data")]
DataOptions = Annotated[
    list[str] | None,
    option("--data-option", metavar="KEY=VALUE", help="Of what makes or reads them: users=500, …", panel="Data"),
]
Sets = Annotated[
    list[str] | None,
    option("--set", metavar="KEY=VALUE", help="Any other setting of the model or of training: n_layers=1, clip=5, …"),
]
Preset = Annotated[
    str | None,
    option("--preset", metavar="NAME", help="Start as its authors released it for these data: ml-1m, beauty, …"),
]
Target = Annotated[Objective | None, option("--objective", help="What is predicted. Default: every-position.")]
Length = Annotated[int | None, option("--history-length", help="Events a model sees at most. Default: 200.")]
Epochs = Annotated[int | None, option("--epochs", help="Passes over the data at most. Default: by their size.")]
BatchSize = Annotated[int | None, option("--batch-size", help="Targets per step. Default: by the size of the data.")]
Rate = Annotated[float | None, option("--learning-rate", help="The highest one. Default: 0.002.")]
Dropout = Annotated[float | None, option("--dropout", help="Default: that of the model, 0.1 to 0.5.")]
Patience = Annotated[int | None, option("--patience", help="Epochs to wait for a better one. Default: 10.")]
Seed = Annotated[int | None, option("--seed", help="Decides every random number. Default: 0.")]
Seeds = Annotated[str | None, option("--seeds", metavar="0,1,2", help="Several runs, in OUT/seed-0, OUT/seed-1, …")]
Threads = Annotated[int | None, option("--threads", min=1, help="Of the CPU. Default: one per core.", panel="Machine")]
On = Annotated[Device, typer.Option("--device", help="Where to compute.", rich_help_panel="Machine")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and nothing on the way.")]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.", show_default=False)]
DataNow = Annotated[str | None, option("--data", "-d", help="Where its data are now, if they have moved.")]


@app.command()
def train(
    model: ModelName,
    data: Data = "shoppers",
    out: Out = None,
    preset: Preset = None,
    objective: Target = None,
    history_length: Length = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: Rate = None,
    dropout: Dropout = None,
    patience: Patience = None,
    seed: Seed = None,
    seeds: Seeds = None,
    sets: Sets = None,
    split: SplitBy = Protocol["leave-one-out"],
    core: Core = None,
    data_option: DataOptions = None,
    mirror: Where = None,
    device: On = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Train a model, measure it among all items, and leave a receipt.

    A run that was stopped goes on when the same command is given again; a finished one is not trained twice.
    Several processes: torchrun --nproc-per-node 2 -m seqrec_edu train …
    """
    with explained("stopped; the same command goes on from here"):
        from seqrec_edu.training.run import plan_run

        given = {"objective": objective and objective.value, "history_length": history_length, "epochs": epochs}
        given |= {"batch_size": batch_size, "learning_rate": learning_rate, "patience": patience, "seed": seed}
        settings, model_settings = typed.settings(model.value, sets or (), given, dropout, preset)
        several, options = typed.seeds(seeds, seed), typed.data_options(data_option or (), core)
        use_threads(threads)
        plan = plan_run(
            model.value, data, split=split.value, settings=settings, model_settings=model_settings,
            data_options=options, mirror=mirror,
        )  # fmt: skip
        _train(plan, out or Path("runs") / f"{model.value}-{plan.record.data['name']}", several, device.value, quiet)


def _train(plan: Plan, out: Path, seeds: Sequence[int], device: str, quiet: bool) -> None:
    """One run, or one per seed, with what is said before, during and after."""
    from seqrec_edu.training.run import over_seeds

    say = typer.echo if is_first() and not quiet else nothing
    plans = {out / f"seed-{seed}": plan.with_seed(seed) for seed in seeds} or {out: plan}
    receipts = []
    for folder, each in plans.items():
        run = _one(each, folder, device, quiet, say)
        if not is_first():
            continue
        receipts.append(run.receipt)
        say("")
        typer.echo(f"{folder}: test, {run.receipt.metrics['test']['targets']:,} targets among all items")
        _show_metrics({name: _interval(each) for name, each in run.receipt.metrics["test"]["values"].items()})
        say(f"\nreceipt: {folder / 'receipt.json'}")
    if len(receipts) > 1:
        typer.echo(f"\n{out}: test, mean ± sd over {len(receipts)} seeds")
        _show_metrics({name: f"{mean:.4f} ± {sd:.4f}" for name, (mean, sd) in over_seeds(receipts).items()})


def _one(plan: Plan, folder: Path, device: str, quiet: bool, say: Any) -> Run:
    from seqrec_edu.training.callbacks import Progress
    from seqrec_edu.training.run import carry_out

    for line in _described(plan):
        say(line)
    progress = Progress()
    try:
        run = carry_out(plan, folder, device=device, callbacks=() if quiet else (progress,))
    finally:
        progress.close()
    if run.was_finished:
        say(f"{folder} is finished; it is not trained again")
    elif run.result:
        result, memory = run.result, run.receipt and run.receipt.peak_memory_mib["host"]
        where = f"{result.device}, at most {memory:,} MiB of memory" if memory else result.device
        say(f"best epoch {result.best_epoch} of {len(result.log)}; trained in {result.seconds:,.0f} s on {where}")
    return run


def _described(plan: Plan) -> list[str]:
    histories, record = plan.split.histories, plan.record
    lines = [
        f"{record.model['name']} on {histories.name}: {histories.n_users:,} users, {histories.n_items:,} items, "
        f"{histories.n_events:,} events; {record.split['protocol']} split {record.split['hash'][:12]}"
    ]
    if "epochs" in record.training:
        lines.append(
            "{objective}, histories of {history_length} events, {batch_size} targets a step, epochs {epochs}, "
            "learning rate {learning_rate:g}, dropout {dropout:g}, seed {seed}".format(
                **{"dropout": 0.0, **record.model, **record.training}
            )
        )
    return lines


@app.command()
def evaluate(
    run: Folder,
    data: DataNow = None,
    which: Annotated[Part, typer.Option(help="Which targets.")] = Part.test,
    seen: Annotated[
        Seen, typer.Option(help="Whether items of the history are left out of the ranking.")
    ] = Seen.unmasked,
    mirror: Where = None,
    device: On = Device.auto,
) -> None:
    """Measure a run again, on the data and the split that it was trained for."""
    with explained():
        from seqrec_edu.training.run import load_run

        found = load_run(run, data=data, mirror=mirror, device=device.value).evaluate(which.value, seen.value)
        _say_unfinished(run)
        typer.echo(str(found).splitlines()[0])
        _show_metrics({name: _interval(each) for name, each in found.summary()["values"].items()})


@app.command()
def recommend(
    run: Folder,
    history: Annotated[str, option("--history", help='Names or ids of items, oldest first: "name; name; …"')],
    gaps: Annotated[
        str | None,
        option("--gaps", help='Time between them: "1h; 2d; …", in s, min, h, d or w. Default: a minute each.'),
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many to show.")] = 10,
    data: DataNow = None,
    mirror: Where = None,
) -> None:
    """What comes next after a history typed in: the top items with their scores."""
    with explained():
        from seqrec_edu.training.recommend import recommend as best
        from seqrec_edu.training.run import load_run

        found = load_run(run, data=data, mirror=mirror, device="cpu")
        histories = found.split.histories
        items = [histories.find(name) for name in typed.parts(history)]
        if not items:
            raise typer.BadParameter("it names no item", param_hint="--history")
        seconds = typed.gaps(gaps, len(items) - 1)
        times = [int(histories.times.max()) - sum(seconds[i:]) for i in range(len(items))]
        _say_unfinished(run)
        top = best(found.model, items, times, k=k, history_length=found.history_length)
        typer.echo(f"after {'; '.join(histories.label(item) for item in items[-found.history_length :])}")
        if len(items) > found.history_length:
            typer.echo(f"(the last {found.history_length} of {len(items)} events; the model sees no more)")
        if gaps is None and len(items) > 1:
            typer.echo("(taken as one minute apart; --gaps says otherwise)")
        typer.echo("")
        _show_items(histories, top, set(items))


def _say_unfinished(run: Path) -> None:
    from seqrec_edu.training.run import epochs_so_far

    epochs = epochs_so_far(run)
    if epochs is not None:
        typer.echo(f"(unfinished: the best of {epochs} epoch{'s' * (epochs != 1)} so far)")


def _show_items(histories: Histories, top: Sequence[tuple[int, float]], seen: set[int]) -> None:
    rows = []
    for place, (item, score) in enumerate(top, 1):
        genre = histories.item_genres[item] if histories.item_genres else ""
        rows.append(
            [str(place), histories.label(item), genre, f"{score:.4f}", "in the history" if item in seen else ""]
        )
    table(["", "item", "genre", "score", ""], rows, right=(0, 3), wraps=1)


def _show_metrics(values: Mapping[str, str]) -> None:
    """Metrics down, cutoffs across."""
    kinds = list(dict.fromkeys(name.split("@")[0] for name in values))
    cutoffs = list(dict.fromkeys(name.split("@")[1] for name in values))
    rows = [[kind, *(values.get(f"{kind}@{cutoff}", "") for cutoff in cutoffs)] for kind in kinds]
    table(["", *(f"@{cutoff}" for cutoff in cutoffs)], rows)


def _interval(value: Mapping[str, float | None]) -> str:
    low_high = "" if value["low"] is None else f" [{value['low']:.4f}, {value['high']:.4f}]"
    return f"{value['value']:.4f}{low_high}"
