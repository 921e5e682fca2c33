"""The command ``seqrec-edu``: thin sub-commands that parse, call and print.

A part that cannot be loaded (a broken torch, a missing package) is still listed; using it prints the cause.
``seqrec-edu doctor`` works even without typer.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    import typer

SUMMARY = "Open every block of Mamba-era sequential recommendation."
# Module with an ``app``; the name it is mounted under, or None where its commands stand beside the others; and what is
# listed while it cannot be loaded, since its own commands are not known then.
PARTS = (
    ("seqrec_edu.cli.data", "data", ("data",)),
    ("seqrec_edu.cli.train", None, ("train", "evaluate", "recommend")),
    ("seqrec_edu.cli.reproduce", None, ("reproduce",)),
    ("seqrec_edu.cli.bench", "bench", ("bench",)),
    ("seqrec_edu.cli.course", "course", ("course",)),
)


def main() -> None:
    """Run ``seqrec-edu``. Errors that say what to do come without a traceback; SEQREC_EDU_TRACEBACK=1 adds it."""
    try:
        app = build()
    except ImportError as missing:
        if sys.argv[1:2] == ["doctor"]:
            from seqrec_edu.cli import doctor

            sys.exit(doctor.run(as_json="--json" in sys.argv))
        sys.exit(f"error: the command line cannot start: {missing}\n`seqrec-edu doctor` shows what else is missing.")
    try:
        app()
    except (ValueError, OSError) as error:
        if os.environ.get("SEQREC_EDU_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")


def build() -> "typer.Typer":
    """The whole command line. Raises ImportError without typer."""
    import typer

    app = typer.Typer(name="seqrec-edu", help=SUMMARY, no_args_is_help=True, pretty_exceptions_enable=False)

    def show(wanted: bool) -> None:
        if wanted:
            from seqrec_edu import __version__

            typer.echo(__version__)
            raise typer.Exit()

    shown = typer.Option("--version", callback=show, is_eager=True, help="Show the version and stop.")

    @app.callback()
    def begin(version: Annotated[bool, shown] = False) -> None:
        """Options of the command itself."""

    @app.command("doctor")
    def examine(as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for machines.")] = False):
        """What works here, what does not, and the next step for each."""
        from seqrec_edu.cli import doctor

        raise typer.Exit(doctor.run(as_json=as_json))

    for part in PARTS:
        _mount(app, *part)
    return app


def _mount(app: "typer.Typer", module: str, name: str | None, commands: tuple[str, ...]) -> None:
    """Mount one part, or, where it cannot be loaded, commands that say why."""
    if importlib.util.find_spec(module) is None:
        return
    try:
        part = importlib.import_module(module).app
    except Exception as cause:
        accept = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        for command in commands:
            app.command(command, help="Cannot be loaded here.", context_settings=accept)(_refusal(command, cause))
        return
    named: dict[str, Any] = {"name": name} if name else {}
    app.add_typer(part, **named)


def _refusal(command: str, cause: Exception) -> Callable[[], None]:
    message = f"error: `{command}` cannot be loaded here: {type(cause).__name__}: {cause}"

    def refuse() -> None:
        sys.exit(f"{message}\nRun `seqrec-edu doctor` for the next step.")

    return refuse
