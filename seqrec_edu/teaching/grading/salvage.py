"""Cells of code out of whatever was handed in: notebooks whole or broken, Python, text saved under a wrong name."""

import ast
import json
import re
import warnings
from dataclasses import dataclass

ELSEWHERE = (
    "bash",
    "sh",
    "html",
    "javascript",
    "js",
    "latex",
    "markdown",
    "svg",
    "writefile",
    "perl",
    "ruby",
    "script",
)
MAGIC = re.compile(r"^(\s*)(?:[%!].*|\?.*|.*\?\s*)$")
ASSIGNED_MAGIC = re.compile(r"^(\s*[\w, ]+=\s*)[%!].*$")
SOURCE = re.compile(r'"(cell_type|source|input)"\s*:\s*')


@dataclass
class Cell:
    """One cell of code: where it came from, its text, and its statements, or why there are none."""

    place: str
    source: str
    tree: ast.Module | None = None
    trouble: str = ""


def read_cells(name, data):
    """``(cells, notes)`` of a file's bytes; every cell is parsed, cells without code are left out."""
    text, notes, what = _text(data), [], "part"
    if text.lstrip().startswith("{"):
        sources, what = _notebook(text, notes), "code cell"
    else:
        sources = _script(text)
    written = [source for source in sources if source.strip()]
    if len(written) == 1 and _parsed(Cell(name, written[0])).tree is None:
        sources, what = _blocks(written[0]), "part"
    numbered = [(number, source) for number, source in enumerate(sources, 1) if source.strip()]
    cells = [_parsed(Cell(f"{name}, {what} {number}", source)) for number, source in numbered]
    notes += [f"{cell.place}{_begins(cell)} could not be read: {cell.trouble}" for cell in cells if cell.trouble]
    return [cell for cell in cells if cell.tree is not None and cell.tree.body], notes


def _begins(cell):
    """What to know the cell by: its definitions, or else its first line."""
    found = re.findall(r"(?m)^(?:def|class) \w+", cell.source) or [cell.source.strip().split("\n")[0][:60]]
    return f" ({', '.join(f'`{each}`' for each in found)})"


def _text(data):
    for start, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig"), (b"", "latin-1")):
        if data.startswith(start):
            try:
                return data.decode(encoding).replace("\r\n", "\n").replace("\0", "")
            except UnicodeDecodeError:
                continue
    return ""


def _notebook(text, notes):
    """Sources of all code cells, by the rules or, where the JSON is broken, by looking for what reads like cells."""
    try:
        tree = json.loads(text)
        cells = tree.get("cells")
        if cells is None:  # the notebook format before 2015
            cells = [cell for sheet in tree.get("worksheets", ()) for cell in sheet.get("cells", ())]
        found = []
        for cell in cells:
            source = cell.get("source", cell.get("input", ""))
            source = source if isinstance(source, str) else "".join(part for part in source if isinstance(part, str))
            if cell.get("cell_type", "code") == "code":
                found.append(source)
        return found
    except (ValueError, AttributeError, TypeError, RecursionError):
        notes.append("the notebook's JSON is broken: cells were saved from what is left")
        return _salvaged(text)


def _salvaged(text):
    decoder, kind, found = json.JSONDecoder(strict=False), "code", []
    for match in SOURCE.finditer(text):
        if match[1] == "cell_type":
            kind = "code" if text[match.end() : match.end() + 6] == '"code"' else "text"
        elif kind == "code":
            source = _strings_from(decoder, text, match.end())
            if source.strip():
                found.append(source)
    return found


def _strings_from(decoder, text, start):
    """The text that begins at ``start``: one JSON string, or as many of a list as can be read."""
    if text[start : start + 1] != "[":
        try:
            value = decoder.raw_decode(text, start)[0]
        except ValueError:
            return ""
        return value if isinstance(value, str) else ""
    lines, place = [], start + 1
    while match := re.compile(r'[\s,]*(?=")').match(text, place):
        try:
            line, place = decoder.raw_decode(text, match.end())
        except ValueError:
            break
        lines.append(line)
    return "".join(lines)


def _script(text):
    """Parts of a Python file: its cells if it has marks for them."""
    parts = re.split(r"(?m)^# ?(?:%%.*|In ?\[[ \d]*\]:?.*|<codecell>)$", text)
    return [part for part in parts if part.strip()] if len(parts) > 1 else [text] * bool(text.strip())


def _blocks(text):
    """A file that does not parse, cut before every line that starts a definition, an import or an assignment."""
    starts = re.compile(r"(?m)^(?=(?:def |class |async def |import |from |@|[A-Za-z_]\w*\s*=))")
    parts = [part for part in starts.split(text) if part.strip()]
    joined = []
    for part in parts:  # a decorator belongs to what follows
        if (
            joined
            and joined[-1].lstrip().startswith("@")
            and "\ndef " not in joined[-1]
            and "\nclass " not in joined[-1]
        ):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def _parsed(cell):
    first = cell.source.lstrip().split("\n", 1)[0]
    if first.startswith("%%"):
        if first[2:].split(" ")[0].strip() in ELSEWHERE:
            cell.tree = ast.Module([], [])
            return cell
        cell.source = cell.source.replace(first, "pass", 1)
    for source in (cell.source, _without_magics(cell.source)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                cell.tree = ast.parse(source)
            cell.source, cell.trouble = source, ""
            return cell
        except SyntaxError as error:
            cell.trouble = cell.trouble or f"syntax error in its line {error.lineno}: {error.msg}"
        except (ValueError, MemoryError, RecursionError) as error:
            cell.trouble = cell.trouble or f"no Python: {type(error).__name__}"
    return cell


def _without_magics(source):
    lines = []
    for line in source.split("\n"):
        line = ASSIGNED_MAGIC.sub(r"\1None", line)
        lines.append(MAGIC.sub(r"\1pass", line) if not line.strip().startswith("#") else line)
    return "\n".join(lines)
