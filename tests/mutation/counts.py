"""How many mutants were noticed: counted per file, and as a table."""

from __future__ import annotations

from mutants import Mutant

KILLED, SURVIVED, TIMED_OUT = "killed", "survived", "timed out"


def tally(verdicts: dict[Mutant, str | None], excused: set[str]) -> tuple[dict[str, int], list[Mutant]]:
    """How many mutants of a file came to which end, and the survivors that nobody has excused. None: not tried yet."""
    ends = list(verdicts.values())
    alive = [mutant for mutant, verdict in verdicts.items() if verdict == SURVIVED]
    unexcused = [mutant for mutant in alive if mutant.name not in excused]
    count = {"mutants": len(verdicts), "not tried": ends.count(None), "killed": ends.count(KILLED)}
    count |= {"timed out": ends.count(TIMED_OUT), "excused": len(alive) - len(unexcused), "survived": len(unexcused)}
    return count, unexcused


def total(files: dict[str, dict[str, int]]) -> dict[str, int]:
    """Over all files."""
    return {end: sum(count[end] for count in files.values()) for end in next(iter(files.values()))}


def table(files: dict[str, dict[str, int]]) -> None:
    """Print one row per file; the score is the part that was noticed of all that does not compute the same thing."""
    rows = files | {"all": total(files)} if len(files) > 1 else files
    head = ["file", *next(iter(files.values())), "score"]
    print(f"\n| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for file, count in rows.items():
        noticed = count["killed"] + count["timed out"]
        counted = noticed + count["survived"]
        score = f"{100 * noticed / counted:.1f} %" if counted else ""
        print(f"| {' | '.join(str(cell) for cell in (file, *count.values(), score))} |")
