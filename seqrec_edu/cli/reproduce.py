"""`seqrec-edu reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqrec_edu.cli import typed
from seqrec_edu.cli.train import Device, _explained, _nothing, _option, _use

app = typer.Typer()

PaperName = Annotated[
    str, typer.Argument(metavar="PAPER", help="tim4rec, mlsa4rec or echomamba4rec.", show_default=False)
]
Data = Annotated[str, typer.Option("--data", "-d", metavar="NAME", help="A name from `seqrec-edu data list`.")]
Seeds = Annotated[str, typer.Option("--seeds", metavar="0,1,2", help="Runs of each variant.")]
Only = Annotated[str | None, _option("--only", metavar="VARIANT,…", help="Some variants. Default: all of the paper.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the runs.")]
Results = Annotated[Path, typer.Option("--results", help="Folder of the receipts that are kept.")]
DataOptions = Annotated[
    list[str] | None,
    _option("--data-option", metavar="KEY=VALUE", help="Of what makes or reads the data: users=500, …"),
]
Where = Annotated[Path | None, _option("--from", help="Folder to take data from, instead of the network.")]
Threads = Annotated[int | None, _option("--threads", min=1, help="Of the CPU. Default: one per core.")]
On = Annotated[Device, typer.Option("--device", help="Where to compute.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and nothing on the way.")]


@app.command()
def reproduce(
    paper: PaperName,
    data: Data = "ml-100k",
    seeds: Seeds = "0,1,2",
    only: Only = None,
    out: Out = Path("runs/reproduce"),
    results: Results = Path("benchmarks/results"),
    data_option: DataOptions = None,
    mirror: Where = None,
    device: On = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Run every variant that a paper's claims need, seed by seed, and judge the claims.

    Runs that are finished are not run again, and one that was stopped goes on: repeat the command.
    """
    with _explained("stopped; the same command goes on from here"):
        from seqrec_edu.reproduce import reproduce as run

        _use(threads)
        names = None if only is None else [name.strip() for name in only.split(",") if name.strip()]
        done = run(
            paper, data, seeds=typed.seeds(seeds, None), only=names, out=out, results=results, device=device.value,
            say=_nothing if quiet else typer.echo, callbacks=lambda: [] if quiet else [_progress()],
            data_options=typed.data_options(data_option or (), None), mirror=mirror,
        )  # fmt: skip
        if done.failed:
            typer.echo(f"error: {len(done.failed)} of the runs failed: {'; '.join(done.failed)}", err=True)
            raise typer.Exit(1)


def _progress() -> Any:
    from seqrec_edu.training.callbacks import Progress

    return Progress()
