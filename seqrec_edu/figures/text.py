"""How numbers, spans of time and long names are written in figures and digests: one place, so that they look alike."""

import math
from collections.abc import Sequence
from html import escape, unescape

import numpy as np

_UNITS = ((365.25 * 86400, "year"), (30.4375 * 86400, "month"), (86400, "day"), (3600, "h"), (60, "min"), (1, "s"))


def number(value: float, digits: int = 5) -> str:
    """Write a number with `digits` significant digits; a float always keeps a point, an integer never has one.

    The point is what a tolerant comparison goes by: integers must agree exactly, floats only to rounding.
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    if not math.isfinite(value):
        return "none" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    text = f"{value + 0.0:.{digits}g}"
    if float(text) == 0:
        return "0.0"
    mantissa, exponent, power = text.partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + exponent + power


def span(seconds: float) -> str:
    """Write a length of time in its largest fitting unit: `40 s`, `12 min`, `5.2 h`, `23 days`, `8 months`."""
    for size, unit in _UNITS:
        amount = seconds / size
        if amount >= (2 if unit in ("month", "year") else 1) or unit == "s":
            break
    shown = f"{amount:.0f}" if amount >= 9.95 or unit in ("s", "min") else f"{amount:.1f}".removesuffix(".0")
    return f"{shown} {unit}{'s' if unit in ('day', 'month', 'year') and shown != '1' else ''}"


def short(text: str, width: int = 34) -> str:
    """Cut a long name at a word boundary where one is near, and mark the cut with an ellipsis."""
    text = " ".join(str(text).split())
    if len(text) <= width:
        return text
    cut = text[: width - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > 0.7 * width else cut).rstrip(" ,;:-") + "…"


def drawn(text: str, width: int = 34) -> str:
    """A name as a figure draws it: `short`, and what is HTML in it is shown instead of obeyed."""
    return escape(short(text, width), quote=False)


class Table(str):
    """A table as aligned text, which can also be written as HTML for a screen reader."""

    header: list[str]
    cells: list[list[str]]

    def html(self, caption: str) -> str:
        """A table with a caption and headers of columns and rows; its colours are those of the page."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        body = "".join(
            f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
            for first, *rest in self.cells
        )
        top = f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        return f"<table>{top}<tbody>{body}</tbody></table>"

    def head(self, most: int) -> str:
        """The first ``most`` rows as text, and how many there are beside them."""
        left = len(self.cells) - most
        lines = self.splitlines()[: most + 1]
        return "\n".join([*lines, f"… and {left} more rows"] if left > 0 else lines)


def aligned(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Write a table as text: numbers to the right, words to the left, two spaces between; `None` becomes a dash."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [all(isinstance(row[i], (*_NUMBERS, type(None))) for row in rows) for i in range(len(header))]
    lines = [[text.rjust(w) if r else text.ljust(w) for text, w, r in zip(line, widths, right, strict=True)]
             for line in (header, *cells)]  # fmt: skip
    table = Table("\n".join("  ".join(line).rstrip() for line in lines))
    table.header, table.cells = list(header), cells
    return table


_NUMBERS = (int, float, np.integer, np.floating)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, (float, np.floating)):
        return f"{value:#.4g}" if value else "0.000"  # zeros kept, so that a column lines up
    return number(value) if isinstance(value, _NUMBERS) else " ".join(str(value).split())


def plain(text: str | None) -> str:
    """Take the few HTML tags that Plotly understands out of a label, and write `drawn` names as they are."""
    out, inside = [], False
    for piece in (text or "").replace("<br>", " "):
        inside = (inside or piece == "<") and not (inside and piece == ">")
        if not inside and piece != ">":
            out.append(piece)
    return unescape("".join(out))
