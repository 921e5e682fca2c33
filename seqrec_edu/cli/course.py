"""`seqrec-edu course`: assignments from one source, released, varied, presented, graded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqrec_edu.cli.common import explained, option
from seqrec_edu.cli.tables import table

app = typer.Typer(name="course", help="Assignments from one source: build, vary, present, plan, export, grade.")

Source = Annotated[Path, typer.Argument(metavar="SOURCE", help="A source notebook, or a folder of them.")]
One = Annotated[Path, typer.Argument(metavar="SOURCE", help="A source notebook.")]


def _is_folder(out: Path) -> Path:
    """Said before anything is computed. Also where a folder above it is a file."""
    if wrong := next((each for each in (out, *out.parents) if each.is_file()), None):
        raise typer.BadParameter(f"{wrong} is a file, a folder is needed")
    return out


def _is_file(out: Path | None) -> Path | None:
    if out and out.is_dir():
        raise typer.BadParameter(f"{out} is a folder, a file is needed")
    return out


Folder = Annotated[Path, option("--out", "-o", help="Folder to write to.", callback=_is_folder)]
Seconds = Annotated[int, typer.Option("--cell-seconds", min=1, help="Limit of one cell.")]


@app.callback()
def begin() -> None:
    """Options of the group itself."""


@app.command("build")
def build(source: Source, out: Folder = Path("course"), cell_seconds: Seconds = 120) -> None:
    """Make release, solution and instructor versions, after proving them.

    Solutions must pass, untouched stubs fail for the right reason, nothing of a solution may leak, stated minutes must
    agree with measured ones. Where something does not hold, it is listed with its cell and nothing is written.
    """
    with explained():
        from seqrec_edu.teaching.course import Limits
        from seqrec_edu.teaching.course import build as run

        built = run(source, out, limits=Limits(cell=cell_seconds), say=_note)
        rows = [
            [each.assignment.name, str(len(each.assignment.questions)), f"{each.assignment.points:g}",
             f"{each.assignment.minutes:g}", f"{each.record['derived_minutes']:.0f}", f"{each.record['seconds']:.1f}"]
            for each in built
        ]  # fmt: skip
        header = ["assignment", "questions", "points", "minutes stated", "derived", "seconds of cells"]
        table(header, rows, right=(1, 2, 3, 4, 5))
        typer.echo(f"wrote release/, solution/ and instructor/ in {out}")


@app.command("variants")
def variants(
    source: One,
    students: Annotated[Path, option("--students", help="Roster: CSV with a header, ids in the column id.")],
    out: Folder = Path("course/students"),
) -> None:
    """Write one release per student, with numbers made from the student's id, and a table of them."""
    with explained():
        from seqrec_edu.teaching.course import variants as run

        everyone = run(source, students, out, say=_note)
        typer.echo(f"wrote {len(everyone)} notebook{'s' * (len(everyone) != 1)} and {source.stem}.csv in {out}")


@app.command("slides")
def slides(
    source: One,
    out: Annotated[
        Path | None, option("--out", "-o", help="HTML file. Default: NAME.slides.html here.", callback=_is_file)
    ] = None,
    solutions: Annotated[bool, typer.Option("--solutions", help="Show solutions and what they print.")] = False,
) -> None:
    """Make slides out of a notebook: one HTML file, no network needed."""
    with explained():
        from seqrec_edu.teaching.course import slides as run

        target = out or Path(f"{source.stem}.slides.html")
        count = run(source, target, solutions=solutions)
        typer.echo(f"wrote {target}, {count} slide{'s' * (count != 1)}")


@app.command("time")
def time(source: Source) -> None:
    """Print a lesson plan: reading, working and waiting per part, and the minute at which each begins."""
    with explained():
        from seqrec_edu.teaching.course import plan
        from seqrec_edu.teaching.course.planning import HEADER, rows

        parts = plan(source)
        table(list(HEADER), rows(parts), right=(2, 3, 4, 5, 6), wraps=1)
        if not all(part.measured for part in parts):
            typer.echo("?: not measured here. `make course` measures lessons, `seqrec-edu course build` assignments;")
            typer.echo("`seqrec-edu course time course/instructor` then shows what build measured")


@app.command("bundle")
def bundle(
    out: Annotated[Path, option("--out", "-o", help="The zip to write.", callback=_is_file)] = Path("course.zip"),
    project: Annotated[Path, option("--project", help="Checkout of the course. Default: here.")] = Path("."),
    wheels: Annotated[
        bool, typer.Option("--wheels/--no-wheels", help="Every package, for pip without network.")
    ] = True,
    pip: Annotated[list[str] | None, option("--pip", help="One more argument for `pip wheel`; repeatable.")] = None,
) -> None:
    """Pack notebooks, wheels and an install script into one zip for a room without network."""
    with explained():
        from seqrec_edu.teaching.course import bundle as run

        try:
            run(project, out, wheels=wheels, pip=tuple(pip or ()), say=_note)
        except RuntimeError as refused:
            raise ValueError(str(refused)) from None
        typer.echo(f"wrote {out}, {out.stat().st_size / 1e6:.1f} MB" + ("" if wheels else ", without wheels"))


@app.command("export")
def export(
    source: Source,
    to: Annotated[str, option("--to", help="nbgrader.")] = "nbgrader",
    out: Folder = Path("nbgrader"),
) -> None:
    """Write a course folder for another grader."""
    with explained():
        if to != "nbgrader":
            raise ValueError(f"there is no export to {to!r}; there is nbgrader")
        from seqrec_edu.teaching.course import export as run

        written = run(source, out)
        typer.echo("\n".join(f"wrote {path}" for path in written))
        typer.echo(f"next: cd {out} && nbgrader generate_assignment {written[0].stem} --create")


@app.command("grade")
def grade(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Submissions: one file or folder per student.")],
    assignment: Annotated[Path, option("--assignment", "-a", help="Source notebook, or the instructor's version.")],
    out: Folder = Path("graded"),
    workers: Annotated[int | None, option("--workers", min=1, help="At a time. Default: one per core.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was graded before and has not changed.")] = False,
    students: Annotated[
        Path | None, option("--students", help="Roster, as for variants: lists those who handed in nothing too.")
    ] = None,
) -> None:
    """Grade a folder of submissions unattended; started again it goes on where it was stopped."""
    stopped = "stopped; the same command goes on from here"
    if again:
        stopped = "stopped; the same command begins anew; without --again what has a report is not graded again"
    with explained(stopped):
        from seqrec_edu.teaching.course import grade as run
        from seqrec_edu.teaching.grading.book import average

        done = run(folder, assignment, out, workers=workers, again=again, progress=_progress, roster=students)
        for remark in done.remarks:
            _note(remark)
        count = len(done.reports)
        graded = f"{count} student{'s' * (count != 1)}, {done.new} graded now in {done.seconds:.0f} s"
        typer.echo(f"{graded}; {average(done.reports)}")
        typer.echo(f"wrote grades.html, grades.csv, feedback/, similar.txt in {out}")


def _note(line: str) -> None:
    typer.echo(line, err=True)


def _progress(report: dict[str, Any]) -> None:
    reason = f" ({report['reason']})" if report.get("reason") else ""
    _note(f"{report['student']}: {report['points']:g} of {report['out_of']:g}, {report['state']}{reason}")
