"""`seqrec-edu data`: list | fetch | show | add | from-git."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqrec_edu.cli.tables import count, facts, table

if TYPE_CHECKING:
    from seqrec_edu.data.histories import Histories
    from seqrec_edu.data.sources.fetch import Fetched
    from seqrec_edu.data.sources.registry import Dataset

app = typer.Typer(name="data", help="Datasets: which are known, fetching them, adding your own.", no_args_is_help=True)

Mirror = Annotated[
    Path | None,
    typer.Option("--from", help="Folder with the files, instead of the network. Default: $SEQREC_EDU_MIRROR."),
]
Again = Annotated[bool, typer.Option("--again", help="Replace what is stored under this name.")]


@contextmanager
def _explained() -> Iterator[None]:
    """Errors that say what to do are printed without a traceback; exit status 1."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


@app.command("list")
def list_(mirror: Mirror = None) -> None:
    """Every known dataset: sizes, licence, and where it is now."""
    from seqrec_edu.data.sources.folder import data_folder, mirror_folder
    from seqrec_edu.data.sources.load import added, generated, state
    from seqrec_edu.data.sources.registry import GENERATED, datasets

    with _explained():
        folder = mirror_folder(mirror)
        rows = [[GENERATED, "Synthetic shoppers, the default", "2,000", "240", "~50,000", "-", "ours", "generated"]]
        rows += [_planted(name) for name in generated() if name != GENERATED]
        for known in datasets().values():
            size = known.published.get("prepared") or known.published.get("core5")
            counts = [count(getattr(size, what, None)) for what in ("users", "items", "events")]
            rows.append([known.name, known.title, *counts, _size(known), known.terms, state(known, folder)])
        rows += [[name, f"yours: {entry['file']}", *"----", "yours", "here"] for name, entry in added().items()]
        table(["name", "what", "users", "items", "events", "download", "terms", "where"], rows, (2, 3, 4, 5), wraps=1)
        typer.echo(f"\nData folder: {data_folder()} (SEQREC_EDU_DATA). Mirror: {folder or 'none'} (SEQREC_EDU_MIRROR).")
        typer.echo("Details: seqrec-edu data show NAME")


def _planted(name: str) -> list[str]:
    """One line for a planted world: what decides in it, and how much `load` makes of it."""
    from seqrec_edu.data.synthetic import world

    made = world(name)
    events = count(2_000 * made.usual_length)
    return [name, f"Planted: {made.decides}", "2,000", count(len(made.item_ids) - 1), events, "-", "ours", "generated"]


def _size(known: Dataset) -> str:
    if known.archive is None:
        return "-"
    return f"{known.archive.bytes / 1e6:,.1f} MB" if known.archive.bytes else known.archive.size or "?"


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A name that `data list` shows.")],
    mirror: Mirror = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", "--yes", "-y", help="Accept the licence without being asked.")
    ] = False,
    again: Again = False,
) -> None:
    """Bring a dataset into the data folder, verified; its licence is shown first."""
    from seqrec_edu.data.sources.fetch import fetch as bring
    from seqrec_edu.data.sources.load import generated

    if name in generated():
        typer.echo(f"{name} is generated when it is used; there is nothing to fetch.")
        return
    with _explained(), _progress(name) as progress:
        here = bring(
            name,
            mirror=mirror,
            accept_licence=accept_licence,
            confirm=_ask,
            again=again,
            progress=progress,
        )
        facts(
            [
                ("dataset", here.dataset.title),
                ("file", str(here.path)),
                ("from", here.origin["from"]),
                ("sha256", here.origin["sha256"]),
                ("licence", f"{here.dataset.licence} ({here.dataset.licence_url})"),
                *(("caution", caution) for caution in here.origin["cautions"]),
            ]
        )
        typer.echo("")
        _compare(here, None)


def _ask(known: Dataset) -> bool:
    """Show the licence; ask if somebody is there to answer. Without one, the error says what to pass."""
    typer.echo(f"{known.title}\nLicence: {known.licence}\n         {known.licence_url}\nCite:    {known.citation}")
    if not sys.stdin.isatty():
        return False
    if not typer.confirm(f"Accept the licence and download ({_size(known)})?"):
        typer.echo("Not accepted; nothing was downloaded.", err=True)
        raise typer.Exit(1)
    return True


@contextmanager
def _progress(name: str) -> Iterator:
    """A byte counter on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TimeRemainingColumn(),
    )
    bar = bars.Progress(*columns, console=Console(stderr=True), transient=True)
    task = None

    def advance(done: int, total: int | None) -> None:
        nonlocal task
        if task is None:  # only now: a live bar would draw over the question about the licence
            bar.start()
            task = bar.add_task(name, total=total)
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        bar.stop()


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A known name, a name of your own, or a file.")],
    core: Annotated[int, typer.Option(help="Fewest events of each user and item for the statistics.")] = 5,
) -> None:
    """Statistics, licence, citation, where the file is, and published sizes against those found. Downloads nothing."""
    from seqrec_edu.data.sources.fetch import fetched
    from seqrec_edu.data.sources.load import generated, load
    from seqrec_edu.data.sources.registry import GENERATED, datasets

    with _explained():
        if name in generated():
            if name != GENERATED:
                facts(_lesson(name))
                typer.echo("")
            _describe(load(name), None)
            return
        if name not in datasets():
            _describe(load(name, core=core), core)
            return
        known, here = datasets()[name], fetched(name)
        facts(_terms(known, here))
        typer.echo("")
        histories = load(name, core=core) if here else None
        _compare(here or known, histories if core == 5 else None)
        if histories is None:
            typer.echo(f"\nNot here yet: seqrec-edu data fetch {name}")
            return
        typer.echo("")
        _describe(histories, core)


def _lesson(name: str) -> list[tuple[str, str]]:
    """What a planted world is for: what decides, which block should win and why, and what can be turned."""
    from dataclasses import fields

    from seqrec_edu.data.synthetic import world

    made = world(name)
    rows = [("world", name), ("decides", made.decides), ("should win", made.winner), ("why", made.lesson)]
    rows.append(("scored", ", ".join(made.predictors)))
    rows += [("dial", f"{each.name}={each.default:g}  {each.metadata['what']}") for each in fields(made)]
    return rows


def _terms(known: Dataset, here: Fetched | None) -> list[tuple[str, str]]:
    rows = [
        ("dataset", f"{known.name}: {known.title}"),
        ("about", known.about),
        ("time", f"resolution: {known.resolution}"),
        ("licence", f"{known.licence}\n{known.licence_url}"),
        ("ship", "may be shipped on these terms" if known.ship else "must not be passed on"),
        ("cite", known.citation),
    ]
    if known.archive:
        pin = known.archive.known_hash or "unpinned: nobody publishes a checksum, the first bytes seen are recorded"
        rows.append(("archive", f"{known.archive.file}, {_size(known)}\n{pin} ({known.archive.checked})"))
        rows += [("address", f"{a.url} ({a.role}, {a.checked})") for a in known.archive.addresses]
    if known.mirror:
        rows.append(("mirror", f"{known.mirror.folder}/{known.mirror.file}\nsha256:{known.mirror.sha256}"))
    rows += [("caution", caution) for caution in (*known.cautions, *(here.origin["cautions"] if here else ()))]
    rows.append(("file", f"{here.path}\nfrom: {here.origin['from']}" if here else "not here yet"))
    return rows


def _compare(subject: Fetched | Dataset, core5: Histories | None) -> None:
    """Published against found, number by number."""
    from seqrec_edu.data.sources.registry import STAGES

    known = getattr(subject, "dataset", subject)
    counted = dict(subject.origin["counted"]) if known is not subject else {}
    if core5 is not None:
        counted["core5"] = {"users": core5.n_users, "items": core5.n_items, "events": core5.n_events}
    rows = []
    for stage in STAGES:
        published, found = known.published.get(stage), counted.get(stage, {})
        for what in ("users", "items", "events"):
            expected, seen = getattr(published, what, None), found.get(what)
            if expected is None and seen is None:
                continue
            verdict = "-" if expected is None or seen is None else "equal" if expected == seen else "DIFFERS"
            checked = published.checked if expected is not None else "-"
            rows.append([stage, what, count(expected), checked, count(seen), verdict])
    table(["stage", "what", "published", "how known", "found", "verdict"], rows, right=(2, 4))


def _describe(histories: Histories, core: int | None) -> None:
    """core: None for what is generated."""
    typer.echo(f"Statistics of {histories.name}, {'synthetic' if core is None else f'{core}-core'}:")
    typer.echo(str(histories.statistics()))
    typer.echo("")
    typer.echo(str(histories.report))


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, Parquet, RecBole .inter or MovieLens ratings.dat.")],
    name: Annotated[str | None, typer.Option(help="Name to store it under. Default: the file's name.")] = None,
    user: Annotated[str | None, typer.Option(help="Column of users.")] = None,
    item: Annotated[str | None, typer.Option(help="Column of items.")] = None,
    time: Annotated[str | None, typer.Option(help="Column of times.")] = None,
    time_unit: Annotated[str | None, typer.Option(help="s, ms, us, ns or date.")] = None,
    on_bad: Annotated[str | None, typer.Option(help="raise, or drop rows that cannot be used.")] = None,
    duplicates: Annotated[str | None, typer.Option(help="keep or drop.")] = None,
    core: Annotated[int, typer.Option(help="Fewest events of each user and item for the report.")] = 5,
    again: Again = False,
) -> None:
    """Read a file of your own, print what was found, and store it so that `--data NAME` works."""
    from seqrec_edu.data.sources.load import add as store

    with _explained():
        name = name or _slug(file.name.split(".")[0])
        options = {"user": user, "item": item, "time": time, "time_unit": time_unit}
        options |= {"on_bad": on_bad, "duplicates": duplicates}
        _describe(store(file, name, core=core, again=again, **options), core)
        typer.echo(f"\nStored as {name}: use it with `--data {name}` or load({name!r}).")


@app.command("from-git")
def from_git(
    path: Annotated[Path, typer.Argument(help="Folder of a local git clone.")],
    out: Annotated[Path | None, typer.Option(help="Write a .tsv or .tsv.gz file instead of storing a dataset.")] = None,
    name: Annotated[str | None, typer.Option(help="Name to store it under. Default: gitlog-FOLDER.")] = None,
    again: Again = False,
) -> None:
    """Histories out of a local clone: author, file, commit time. Authors are numbered, never named."""
    from seqrec_edu.data.sources.gitlog import CAUTIONS, read_log, write_log
    from seqrec_edu.data.sources.load import add as store

    with _explained():
        if out is not None:
            _check_out(out, again)
        log = read_log(path)
        typer.echo(log.summary())
        if out is not None:
            typer.echo(f"Wrote {out} and {write_log(log, out)}")
            return
        name = name or f"gitlog-{_slug(path.resolve().name.removesuffix('.git'))}"
        with tempfile.TemporaryDirectory() as scratch:
            rows = Path(scratch) / "interactions.tsv.gz"
            names = write_log(log, rows)
            histories = store(rows, name, items=names, core=0, again=again, cautions=CAUTIONS)
        typer.echo("")
        _describe(histories, 0)
        typer.echo(f"\nStored as {name}: use it with `--data {name}` or load({name!r}).")


def _check_out(out: Path, again: bool) -> None:
    if not out.name.endswith((".tsv", ".tsv.gz")):
        raise typer.BadParameter(f"expected a name that ends in .tsv or .tsv.gz, got {out}", param_hint="--out")
    if out.exists() and not again:
        raise typer.BadParameter(f"{out} exists already; --again replaces it", param_hint="--out")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "data"
