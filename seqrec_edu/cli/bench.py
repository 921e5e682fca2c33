"""`seqrec-edu bench`: how fast the operations are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqrec_edu.cli.tables import table

app = typer.Typer(name="bench", help="How fast this is here, against others and against the machine's floor.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Operations. Default: all of them.")]
Rounds = Annotated[int, typer.Option("--rounds", help="Measurements of each variant.")]
Quick = Annotated[bool, typer.Option("--quick", help="Tiny sizes, to see that it runs; not to be quoted.")]
Large = Annotated[bool, typer.Option("--large", help="Also a million items, and large heads.")]
Growth = Annotated[bool, typer.Option("--growth", help="Also lengths up to 4,096, at a constant number of events.")]
Lengths = Annotated[str, typer.Option("--lengths", metavar="50,200", help="Events per history, 256 histories.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for NAME.json and NAME.md.", show_default=False)]
Peers = Annotated[
    Path | None,
    typer.Option(
        "--peers", help="Folder with mambapy/, mamba-minimal/, mamba2-minimal/: timed too.", show_default=False
    ),
]
Figure = Annotated[bool, typer.Option("--figure", help="Also draw NAME.png (needs plotly, kaleido and Chrome).")]


@app.callback()
def begin() -> None:
    """Options of the group itself."""


@app.command("ops")
def ops(
    names: Names = None,
    rounds: Rounds = 5,
    quick: Quick = False,
    large: Large = False,
    growth: Growth = False,
    lengths: Lengths = "50,200",
    out: Out = None,
    peers: Peers = None,
    figure: Figure = False,
) -> None:
    """Time the operations: one thread, process time, in turns with other ways to compute the same.

    A variant that disagrees with the reference is reported and not timed. Every time is taken with the default and with
    a tuned allocator. Leave the machine alone meanwhile. Results go to benchmarks/results/ops, quick ones nowhere
    unless --out says so.
    """
    try:
        _bench(names or [], rounds, quick, large, growth, _numbers(lengths), out, peers, figure)
    except KeyboardInterrupt:
        typer.echo("\nstopped; operations that were finished are stored", err=True)
        raise typer.Exit(130) from None
    except (ValueError, OSError, RuntimeError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def _bench(names, rounds, quick, large, growth, lengths, out, peers, figure) -> None:
    from seqrec_edu.bench import report, run, store
    from seqrec_edu.bench.settings import Settings, known

    if peers is not None and not peers.is_dir():
        raise ValueError(f"bench: --peers {peers} is no folder")
    peers = None if peers is None else str(peers.resolve())
    settings = Settings(rounds=rounds, lengths=lengths, growth=growth, quick=quick, large=large, peers=peers)
    folder = out or (None if quick else store.FOLDER)
    for name in known(names):
        document = run.bench(name, settings, say=lambda line: typer.echo(line, err=True))
        _show(document, report)
        if folder is not None:
            paths = store.write(document, folder)
            paths += _draw(document, folder) if figure else []
            typer.echo(f"wrote {', '.join(str(path) for path in paths)}\n")


def _show(document: dict[str, Any], report) -> None:
    typer.echo(f"\nops.{document['operation']}" + (f" ({report.QUICK})" if document["quick"] else ""))
    for line in report.surroundings_lines(document):
        typer.echo(f"  {line}")
    for case in document["cases"]:
        typer.echo(f'\n{case["name"]}   (◀ runs by itself: "ours")')
        table(list(report.HEADER), report.rows(case), right=tuple(range(1, len(report.HEADER))))
        for label, status, reason in report.left_out(case):
            typer.echo(f"  {label}: {status}: {reason}")
    if document["aims"]:
        typer.echo("")
        table(list(report.AIM_HEADER), report.aim_rows(document), right=(4, 5))
    typer.echo("")


def _draw(document: dict[str, Any], folder: Path) -> list[Path]:
    """The picture of one operation, or a line that says why there is none."""
    from seqrec_edu.bench import report
    from seqrec_edu.data.files import write_whole
    from seqrec_edu.figures.benchmark import benchmark_curves
    from seqrec_edu.panels.pictures import picture

    what = "both" if any("both" in v.get("seconds", {}).get("default", {}) for v in _variants(document)) else "forward"
    lines = report.curves(document, what)
    drawn = benchmark_curves(
        lines["x"],
        lines["times"],
        lines["floor"],
        ours=lines["ours"],
        title=f"{document['operation']}, {report.WHAT[what]}" + (f" ({report.QUICK})" if document["quick"] else ""),
        unit=lines["unit"],
    )
    png = picture(drawn)
    if png is None:
        typer.echo("no picture: it takes kaleido and Chrome; SEQREC_EDU_PICTURES=1 shows what is wrong", err=True)
        return []
    path = folder / f"{document['operation']}.png"
    write_whole(path, png)
    return [path]


def _variants(document: dict[str, Any]):
    return (variant for case in document["cases"] for variant in case["variants"])


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"bench: --lengths takes whole numbers from 1 on, like 50,200, got {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))
