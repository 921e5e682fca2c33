"""A notebook as slides: one HTML file that needs no network, no script from elsewhere, no font to be fetched."""

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from nbformat import NotebookNode

from seqrec_edu.data.files import write_whole
from seqrec_edu.teaching.course import versions
from seqrec_edu.teaching.course.formulas import mathml
from seqrec_edu.teaching.course.regions import unmarked
from seqrec_edu.teaching.course.source import INSTRUCTOR, is_test, read, tags

TEMPLATE = Path(__file__).with_name("slides.html")
LONGEST = 18  # lines of code that a slide shows; of longer cells it shows the output
BREAKS = ("slide", "subslide")
LEFT_OUT = ("skip", "notes", INSTRUCTOR)
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\d$])", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
HELD = "\ue000{}\ue001"  # private characters: no text has them
HEADING = re.compile(r"(?m)^(?=#{1,2} )")


def slides(path: str | Path, out: str | Path, *, solutions: bool = False) -> int:
    """Write a notebook as slides into the file ``out``; returns how many there are.

    A slide begins where a cell is marked so (``slideshow.slide_type``, or a tag ``slide``), and where none is marked,
    at every heading of the first two levels. An assignment is shown as it is released, without outputs of solutions,
    unless ``solutions``; its graded tests are never shown. Cells marked ``skip`` or ``notes`` are left out. Formulas
    become MathML. Raises ValueError where there is nothing to show.
    """
    assignment = read(path)
    notebook = assignment.notebook
    if assignment.questions and not solutions:
        notebook = versions.release(assignment)
    pages = [f'<section tabindex="-1">\n{page}\n</section>' for page in _pages(notebook)]
    if not pages:
        raise ValueError(f"{path}: there is nothing to show: no heading, and no cell marked as a slide")
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace("{{title}}", escape(assignment.title)).replace("{{slides}}", "\n".join(pages))
    write_whole(Path(out), text.encode())
    return len(pages)


def _pages(notebook: NotebookNode) -> list[str]:
    cells = [cell for cell in notebook.cells if kind(cell) not in LEFT_OUT]
    marked = any(kind(cell) in BREAKS for cell in cells)
    pages: list[list[str]] = []
    for cell in cells:
        if marked or cell.cell_type != "markdown":
            pieces = [(marked and kind(cell) in BREAKS, cell.source)]
        else:
            pieces = [(bool(re.match("#{1,2} ", text)), text) for text in HEADING.split(cell.source) if text.strip()]
        for begins, text in pieces:
            if begins or not pages:
                pages.append([])
            pages[-1].append(markdown(text) if cell.cell_type == "markdown" else "\n".join(_code(cell)))
    return [page for parts in pages if (page := "\n".join(part for part in parts if part))]


def kind(cell: NotebookNode) -> str:
    """How a cell is marked for slides: its slide type, or a tag of that name; "" if not."""
    known = (*BREAKS, "fragment", *LEFT_OUT)
    marked = cell.metadata.get("slideshow", {}).get("slide_type", "")
    return next((name for name in (*tags(cell), marked) if name in known), "")


def markdown(text: str) -> str:
    """Markdown with formulas as HTML. Formulas and code are kept from each other."""
    from nbconvert.filters import markdown2html

    held: list[str] = []

    def hold(html: str) -> str:
        held.append(html)
        return HELD.format(len(held) - 1)

    def formula(match: re.Match) -> str:
        return hold(mathml(match[1] or match[2], display=bool(match[1])))

    parts, at = [], 0
    for code in CODE.finditer(text):
        parts += [FORMULA.sub(formula, text[at : code.start()]), code[0]]
        at = code.end()
    html = str(markdown2html("".join([*parts, FORMULA.sub(formula, text[at:])])))
    html = re.sub("<a class=.anchor-link.*?</a>", "", html)
    return re.sub("\ue000(\\d+)\ue001", lambda match: held[int(match[1])], html)


def _code(cell: NotebookNode) -> Iterator[str]:
    if cell.cell_type != "code":
        return
    if is_test(cell):
        return  # nothing for a class to see, least of all what it hides
    source = unmarked(cell.source)
    if 0 < len(source.splitlines()) <= LONGEST:
        yield f"<pre><code>{_coloured(source)}</code></pre>"
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" in data:
            words = escape(str(data.get("text/plain", "a figure"))[:200])
            yield f'<img alt="{words}" src="data:image/png;base64,{"".join(data["image/png"].split())}">'
        elif "image/svg+xml" in data:
            yield str(data["image/svg+xml"])
        elif "text/html" in data:
            yield str(data["text/html"])
        elif shown := output.get("text") or data.get("text/plain"):
            yield f'<pre class="output">{escape(str(shown))}</pre>'


def _coloured(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, nowrap=True, style="friendly"))
