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
Folder = Annotated[Path, option("--out", "-o", help="Folder to write to.")]
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

        everyone = run(source, students, out)
        typer.echo(f"wrote {len(everyone)} notebooks and {source.stem}.csv in {out}")


@app.command("slides")
def slides(
    source: One,
    out: Annotated[Path | None, option("--out", "-o", help="HTML file. Default: NAME.slides.html here.")] = None,
    solutions: Annotated[bool, typer.Option("--solutions", help="Show solutions and what they print.")] = False,
) -> None:
    """Make slides out of a notebook: one HTML file, no network needed."""
    with explained():
        from seqrec_edu.teaching.course import slides as run

        target = out or Path(f"{source.stem}.slides.html")
        typer.echo(f"wrote {target}, {run(source, target, solutions=solutions)} slides")


@app.command("time")
def time(source: Source) -> None:
    """Print a lesson plan: reading, working and waiting per part, and the minute at which each begins."""
    with explained():
        from seqrec_edu.teaching.course import plan
        from seqrec_edu.teaching.course.planning import HEADER, rows

        parts = plan(source)
        table(list(HEADER), rows(parts), right=(2, 3, 4, 5, 6), wraps=1)
        if not all(part.measured for part in parts):
            typer.echo(
                "?: not measured here; `make course`, or for an assignment `seqrec-edu course build`, measures it"
            )


@app.command("bundle")
def bundle(
    out: Annotated[Path, option("--out", "-o", help="The zip to write.")] = Path("course.zip"),
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
) -> None:
    """Grade a folder of submissions unattended; started again it goes on where it was stopped."""
    with explained("stopped; the same command goes on from here"):
        from seqrec_edu.teaching.course import grade as run

        done = run(folder, assignment, out, workers=workers, again=again, progress=_progress)
        points = [report["points"] for report in done.reports]
        mean, most = sum(points) / len(points), done.reports[0]["out_of"]
        typer.echo(
            f"{len(points)} submissions, {done.new} graded now in {done.seconds:.0f} s; {mean:.2f} of {most:g} points"
        )
        typer.echo(f"wrote grades.html, grades.csv, feedback/, similar.txt in {out}")


def _note(line: str) -> None:
    typer.echo(line, err=True)


def _progress(report: dict[str, Any]) -> None:
    reason = f" ({report['reason']})" if report.get("reason") else ""
    _note(f"{report['student']}: {report['points']:g} of {report['out_of']:g}, {report['state']}{reason}")
