"""Published figures, typed once, in `published.toml`, each with where it stands and how far that reaches."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from seqrec_edu.reproduce.variants import VARIANTS

FILE = Path(__file__).with_name("published.toml")
TAGS = {
    "A": "seen in the authors' code, README or log",
    "I": "quoted in an issue on GitHub",
    "T": "transcribed or run by a third party",
    "S": "from a summary page",
    "D": "derived by arithmetic from other figures",
}
_METRIC = re.compile(r"(HR|NDCG|MRR)@(5|10|20|50)")
_KEYS = {"model", "shown", "data", "source", "tag", "values", "note", "comparable"}


class BadFigure(ValueError):
    """A row of `published.toml` that lacks something, or says something impossible."""


@dataclass(frozen=True)
class Figure:
    """What somebody published about one model on one dataset.

    model       variant that it is about; `shown`: what they call it, and with which setting
    data        name as here; one that nobody runs here where it is another cut of the data
    values      by metric, test targets among all items
    source      where it stands; `tag`: how far that reaches, see TAGS
    comparable  False where filter, split or protocol differ; `note` says how
    """

    model: str
    shown: str
    data: str
    source: str
    tag: str
    values: Mapping[str, float]
    note: str = ""
    comparable: bool = True


@cache
def figures(file: Path = FILE) -> tuple[Figure, ...]:
    """All published figures, in the order of the file. Errors: BadFigure naming the row."""
    with file.open("rb") as stream:
        document = tomllib.load(stream)
    return tuple(_figure(row, f"{file.name}, row {number}") for number, row in enumerate(document["figure"], 1))


def _figure(row: dict[str, Any], where: str) -> Figure:
    missing, unknown = {"model", "shown", "data", "source", "tag", "values"} - row.keys(), row.keys() - _KEYS
    if missing or unknown:
        raise BadFigure(f"{where}: missing {sorted(missing) or 'nothing'}, unknown {sorted(unknown) or 'nothing'}")
    figure = Figure(**row)
    if figure.model not in VARIANTS:
        raise BadFigure(f"{where}: no variant is called {figure.model!r}")
    if figure.tag not in TAGS:
        raise BadFigure(f"{where}: tag {figure.tag!r} is none of {', '.join(TAGS)}")
    if not figure.source.strip() or (not figure.comparable and not figure.note.strip()):
        raise BadFigure(f"{where}: every figure has a source, and a note where it is not comparable")
    for metric, value in figure.values.items():
        if not _METRIC.fullmatch(metric) or not isinstance(value, float) or not 0 < value < 1:
            raise BadFigure(f"{where}: {metric} = {value!r} is no metric between 0 and 1")
    return figure
