"""Notebooks and markdown files as HTML: ``build_site.py`` puts a page around each."""

import base64
import html
import json
import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import plotly.graph_objects as go
from bs4 import BeautifulSoup
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from seqrec_edu.figures import dark

ROOT = Path(__file__).resolve().parent.parent
PLOTLY = "application/vnd.plotly.v1+json"
PANEL = "application/vnd.jupyter.widget-view+json"
DIGEST = "Figure: "
PLAYS = "<!--panel-->"  # how a panel begins that draws itself without a kernel
OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|//")
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$")
FOR_TOOLS = re.compile(r"[ \t]*# (?:fmt: skip|noqa\b.*)$", re.MULTILINE)  # says nothing to a reader
highlight = Highlight2HTML()


@dataclass
class Body:
    """The inside of one page, and what it needs beside it."""

    html: str = ""
    files: dict[str, bytes | Path] = field(default_factory=dict)  # place in the site → content, or a file to copy
    headings: list[tuple[int, str, str]] = field(default_factory=list)  # level, anchor, text
    sections: list[tuple[str, str, str]] = field(default_factory=list)  # anchor, heading, plain text: for the search
    figures: int = 0


class Markdown(IPythonRenderer):
    """Markdown as JupyterLab shows it, with links that lead to pages of the site."""

    def __init__(self, body: Body, source: Path, pages: dict[Path, str], github: bool):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.body, self.source, self.pages, self.github = body, source, pages, github

    def heading(self, text: str, level: int, **attrs) -> str:
        plain = html.unescape(re.sub(r"<[^>]+>", "", text))
        name = anchor(plain, self.github)
        self.body.headings.append((level, name, text))
        safe = html.escape(name, quote=True)
        return (
            f'<h{level} id="{safe}">{text}<a class="anchor" href="#{safe}" aria-label="Link to here">#</a></h{level}>\n'
        )

    def link(self, text: str, url: str, title: str | None = None) -> str:
        target = self.resolve(url)
        if target is None:
            return f'<span title="{html.escape(url, quote=True)} in the repository">{text}</span>'
        return super().link(text, target, title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return super().image(text, self.resolve(url) or url, title)

    def table(self, text: str) -> str:
        return f'<div class="scroll"><table>\n{text}</table></div>\n'

    def resolve(self, url: str) -> str | None:
        """Where a link leads in the site: a page, a copy of a small file of the repository, or nowhere."""
        if OUTSIDE.match(url) or url.startswith("#"):
            return url
        path, _, fragment = url.partition("#")
        target = Path(os.path.normpath(self.source.parent / unquote(path)))
        if target in self.pages:
            return self.pages[target] + (f"#{fragment}" if fragment else "")
        if not target.is_file() or not target.is_relative_to(ROOT):
            return None
        place = f"files/{target.relative_to(ROOT).as_posix()}"
        if target.suffix not in (".png", ".svg", ".jpg", ".json"):
            place += ".txt"  # a browser would offer code and markdown for download
        self.body.files[place] = target
        return place


def anchor(text: str, github: bool = False) -> str:
    """The id of a heading: as JupyterLab makes it, or as a code host does for markdown files."""
    if github:
        return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
    return text.replace(" ", "-")


def markdown(source: str, renderer: Markdown) -> str:
    """Markdown to HTML. Inside a fold it is markdown too, also where no empty line says so."""
    source = re.sub(r"</summary>[ \t]*\n?", "</summary>\n\n", source)
    source = re.sub(r"\n?[ \t]*</details>", "\n\n</details>\n\n", source)
    return MarkdownWithMath(renderer=renderer).render(source)


def plain(source_html: str) -> str:
    """The text of some HTML, in one line."""
    return re.sub(r"\s+", " ", BeautifulSoup(source_html, "html.parser").get_text(" ")).strip()


def readable(text: str) -> str:
    """Text for the search: without marks, and formulas without commands; a reader looks for Δ, not for its command."""
    text = FORMULA.sub(lambda found: without_commands(found.group(1) or found.group(2)), " ".join(text.split()))
    return re.sub(r"\*\*|`|(?<!\w)\*(?=\S)|(?<=[^\s*])\*(?!\w)", "", text)


def without_commands(tex: str) -> str:
    """``\\Delta_t\\,\\mathrm{softplus}(z)`` as ``Δ_t softplus(z)``."""

    def letter(found: re.Match) -> str:
        name = found.group(1).removeprefix("var")
        size = "CAPITAL" if name[0].isupper() else "SMALL"
        try:
            return unicodedata.lookup(f"GREEK {size} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
        except KeyError:
            return " "

    plain_letters = re.sub(r"\\([A-Za-z]+)", letter, tex)
    return re.sub(r"\s+", " ", re.sub(r"\\[^A-Za-z]|[{}&]", " ", plain_letters)).strip()


def from_markdown(path: Path, pages: dict[Path, str], text: str | None = None) -> Body:
    """A markdown file, or some text out of it."""
    body = Body()
    body.html = markdown(
        path.read_text(encoding="utf-8") if text is None else text, Markdown(body, path, pages, github=True)
    )
    for part in re.split(r"(?=<h[1-6] id=)", body.html):
        found = re.match(r'<h\d id="([^"]*)">(.*?)<a class="anchor"', part)
        if found:
            body.sections.append((found.group(1), readable(plain(found.group(2))), readable(plain(part))))
    return body


def from_notebook(path: Path, content: NotebookNode, pages: dict[Path, str]) -> Body:
    """A notebook with its stored outputs; nothing is executed."""
    body = Body()
    renderer = Markdown(body, path, pages, github=False)
    parts = []
    for cell in content.cells:
        before = len(body.headings)
        if cell.cell_type == "markdown":
            parts.append(f'<div class="text">{markdown(cell.source, renderer)}</div>')
        elif cell.cell_type == "code":
            parts.append(code_cell(cell, path.stem, body))
        remember(body, cell, before)
    body.html = "\n".join(parts)
    return body


def remember(body: Body, cell: NotebookNode, before: int) -> None:
    """Add the text of a cell to the section that it stands in, or begin the sections that it opens."""
    pieces = [" ".join(cell.source.split())]
    if cell.cell_type == "markdown":
        pieces = re.split(r"^#{1,6} .*$", re.sub(r"<[^>]+>", " ", cell.source), flags=re.MULTILINE)
    opened = [(name, readable(plain(text))) for _, name, text in body.headings[before:]]
    if body.sections and pieces[0].strip():
        name, heading, text = body.sections[-1]
        more = readable(pieces[0]) if cell.cell_type == "markdown" else pieces[0]
        body.sections[-1] = (name, heading, f"{text} {more}".strip())
    for (name, heading), piece in zip(opened, pieces[1:], strict=False):
        body.sections.append((name, heading, readable(piece)))


def code_cell(cell: NotebookNode, stem: str, body: Body) -> str:
    """Source, then outputs; the line that describes a figure becomes its caption."""
    outputs = list(cell.outputs)
    shown = []
    for place, output in enumerate(outputs):
        data = output.get("data", {})
        if PLOTLY in data or PANEL in data or "image/png" in data:
            following = outputs[place + 1] if place + 1 < len(outputs) else {}
            words = take_words(following, PANEL in data)
            shown.append(figure(data, output.get("metadata", {}), words, stem, body))
        else:
            shown.append(other(output))
    code = highlight(FOR_TOOLS.sub("", cell.source), language="python")
    count = f'<span class="count" aria-hidden="true">{cell.execution_count or ""}</span>'
    out = f'<div class="output">{"".join(shown)}</div>' if any(shown) else ""
    return f'<div class="cell"><div class="input">{count}{code}</div>{out}</div>'


def take_words(output: dict, whole: bool) -> str:
    """Take the digest of a figure out of the printed text after it; of a panel, what stands before it as well."""
    lines = output.get("text", "").splitlines(keepends=True) if output.get("name") == "stdout" else []
    places = [place for place, line in enumerate(lines) if DIGEST in line]
    if not places:
        return ""
    first = 0 if whole else places[0]
    words = "".join(lines[first : places[0] + 1]).strip()
    output["text"] = "".join(lines[:first] + lines[places[0] + 1 :])
    return words


def figure(data: dict, metadata: dict, words: str, stem: str, body: Body) -> str:
    """A figure that moves, a panel, or a picture; each with its picture and its words."""
    body.figures += 1
    name = f"{stem}-{body.figures}"
    kind = "panel" if PANEL in data else "plot" if PLOTLY in data else "picture"
    picture, draw = "", ""
    if "image/png" in data:
        place = f"images/{name}.png"
        body.files[place] = base64.b64decode(data["image/png"])
        size = metadata.get("image/png", {})
        shape = "".join(f' {side}="{size[side]}"' for side in ("width", "height") if side in size)
        picture = f'<img src="{place}" alt="{html.escape(title(words), quote=True)}"{shape} loading="lazy">'
    if kind == "plot":
        draw = f'<script type="application/json">{for_script(both_themes(data[PLOTLY]))}</script>'
    elif PLAYS in data.get("text/html", ""):
        picture, kind = data["text/html"], "panel playing"
    note = '<p class="note">A stored picture: run the notebook to move it.</p>' if kind == "panel" else ""
    caption = f"<details><summary>In words</summary><p>{html.escape(words)}</p></details>" if words else ""
    inside = f'<div class="drawn">{picture}</div>{draw}<figcaption>{note}{caption}</figcaption>'
    return f'<figure class="{kind}">{inside}</figure>'


def title(words: str) -> str:
    """The first part of a digest: what the figure shows."""
    return words.split(" | ")[0].removeprefix(DIGEST) or "Figure"


def both_themes(figure_json: dict) -> dict:
    """A stored figure, with the colours to exchange on a dark page."""
    shown = {key: figure_json[key] for key in ("data", "layout", "frames") if key in figure_json}
    light = json.loads(go.Figure(shown).to_json())
    pairs: dict[str, str] = {}
    collect(light, json.loads(dark(go.Figure(shown)).to_json()), pairs)
    return {**shown, "dark": pairs}


def collect(light: object, night: object, pairs: dict[str, str]) -> None:
    """The strings in which two trees differ: they are the colours."""
    if isinstance(light, dict) and isinstance(night, dict):
        for key in light.keys() & night.keys():
            collect(light[key], night[key], pairs)
    elif isinstance(light, list) and isinstance(night, list):
        for one, other_one in zip(light, night, strict=False):
            collect(one, other_one, pairs)
    elif isinstance(light, str) and isinstance(night, str) and light != night:
        pairs[light] = night


def for_script(content: object) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def other(output: dict) -> str:
    """Printed text, tables, errors."""
    data = output.get("data", {})
    if output.output_type == "error":
        return f'<pre class="error">{ansi2html(chr(10).join(output.traceback))}</pre>'
    if "text/html" in data:
        return f'<div class="scroll rendered">{data["text/html"]}</div>'
    if "image/svg+xml" in data:
        return f'<div class="drawn">{data["image/svg+xml"]}</div>'
    text = output.get("text", data.get("text/plain", ""))
    stream = " stderr" if output.get("name") == "stderr" else ""
    return f'<pre class="printed{stream}">{ansi2html(text)}</pre>' if text.strip() else ""
