"""`seqrec-edu reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqrec_edu.cli import typed
from seqrec_edu.cli.common import Device, explained, nothing, option, use_threads
from seqrec_edu.cli.tables import table

if TYPE_CHECKING:
    from seqrec_edu.reproduce import Reproduction

app = typer.Typer()
RESULTS = Path("benchmarks/results")

PaperName = Annotated[
    str | None, typer.Argument(metavar="[PAPER]", help="tim4rec, mlsa4rec or echomamba4rec.", show_default=False)
]
Data = Annotated[str, typer.Option("--data", "-d", metavar="NAME", help="A name from `seqrec-edu data list`.")]
Seeds = Annotated[str, typer.Option("--seeds", metavar="0,1,2", help="Runs of each variant.")]
Only = Annotated[str | None, option("--only", metavar="VARIANT,…", help="Some variants. Default: all of the paper.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the runs.")]
Results = Annotated[Path, typer.Option("--results", help="Folder of the receipts that are kept.")]
DataOptions = Annotated[
    list[str] | None,
    option("--data-option", metavar="KEY=VALUE", help="Of what makes or reads the data: users=500, …"),
]
Where = Annotated[Path | None, option("--from", help="Folder to take data from, instead of the network.")]
Threads = Annotated[int | None, option("--threads", min=1, help="Of the CPU. Default: one per core.")]
On = Annotated[Device, typer.Option("--device", help="Where to compute.")]
Collect = Annotated[bool, typer.Option("--collect", help="Copy finished receipts and ranks from OUT to RESULTS.")]
Page = Annotated[
    bool, typer.Option("--page", help="Write docs/reproduction.md from RESULTS, or RESULTS/reproduction.md of others.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result and nothing on the way.")]


@app.command()
def reproduce(
    paper: PaperName = None,
    data: Data = "ml-100k",
    seeds: Seeds = "0,1,2",
    only: Only = None,
    out: Out = Path("runs/reproduce"),
    collect: Collect = False,
    results: Results = RESULTS,
    page: Page = False,
    data_option: DataOptions = None,
    mirror: Where = None,
    device: On = Device.auto,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Run every variant that a paper's claims need, seed by seed, and judge the claims.

    Runs that are finished are not run again, and one that was stopped goes on: repeat the command. Given in two
    terminals, it shares the work. --collect and --page also go without PAPER, when nothing is to be run.
    """
    if paper is None and not (collect or page):
        raise typer.BadParameter("name a paper to run, or give --collect or --page", param_hint="PAPER")
    with explained("stopped; the same command goes on from here"):
        failed: dict[str, str] = {}
        if paper is not None:
            from seqrec_edu.reproduce import reproduce as run

            use_threads(threads)
            names = None if only is None else [name.strip() for name in only.split(",") if name.strip()]
            done = run(
                paper, data, seeds=typed.seeds(seeds, None), only=names, out=out, results=results,
                device=device.value, say=nothing if quiet else typer.echo,
                callbacks=lambda: [] if quiet else [_progress()],
                data_options=typed.data_options(data_option or (), None), mirror=mirror,
            )  # fmt: skip
            _show(done)
            if done.elsewhere:
                typer.echo(f"\nnot in the table, another process was at it: {'; '.join(done.elsewhere)}")
            failed = done.failed
        if collect:
            _collect(out, results)
        if page:
            from seqrec_edu.reproduce.page import PAGE, write_page

            if not results.is_dir():
                raise FileNotFoundError(f"there are no receipts in {results}, so there is nothing to write; --results?")

            typer.echo(f"wrote {write_page(results, PAGE if results == RESULTS else results / PAGE.name)}")
        if failed:
            typer.echo(f"error: {len(failed)} of the runs failed: {'; '.join(failed)}", err=True)
            raise typer.Exit(1)


def _progress() -> Any:
    from seqrec_edu.training.callbacks import Progress

    return Progress()


def _collect(out: Path, results: Path) -> None:
    from seqrec_edu.reproduce.results import collect

    kept = collect(out, results)
    typer.echo(f"{len(kept)} receipt{'s' * (len(kept) != 1)} with ranks copied from {out} to {results}")


def _show(done: Reproduction) -> None:
    """What was reached, and what it says about the paper's claims."""
    from seqrec_edu.reproduce import report
    from seqrec_edu.reproduce.results import read_runs

    outcomes = read_runs(done.folder)
    if not outcomes:
        return
    typer.echo(f"\n{done.folder}: test, mean ± sd over seeds [95 % interval]")
    table(list(report.RESULT_HEADER), [report.result_row(each) for each in report.ranked(outcomes)], wraps=1)
    judged = report.judged_claims(done.paper, outcomes)
    typer.echo(f"\n{done.paper.title}: what the evidence on {done.data} supports")
    table(list(report.CLAIM_HEADER), [report.claim_row(each) for each in judged], wraps=0)
    rows = [
        [each.figure.shown, metric, f"{each.figure.values[metric]:.4f}", each.variant,
         f"{ours.value:.4f} {report.ends(ours)}", str(each.verdicts[metric])]
        for each in report.compared(done.data, outcomes)
        for metric, ours in each.ours.items() if ours is not None
    ]  # fmt: skip
    if rows:
        typer.echo(f"\npublished figures on {done.data}")
        table(["published", "metric", "value", "here", "ours", "verdict"], rows, wraps=0)
