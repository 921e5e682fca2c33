"""Build the course as a static site: ``make site``, or ``python .ci/build_site.py [FOLDER]``.

Nothing is executed: the pages show the stored outputs of the notebooks. The site needs no server and no network; it
opens from a folder, from a memory stick and from any web server alike.
"""

import json
import re
import shutil
import sys
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import jinja2
import plotly
from course import ROOT, Notebook, notebooks
from pygments.formatters import HtmlFormatter
from rendering import Body, for_script, from_markdown, from_notebook, plain

HERE = Path(__file__).resolve().parent / "site"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
STYLES = {"": "xcode", '[data-theme="dark"] ': "github-dark"}


@dataclass
class Page:
    """One page of the site."""

    address: str
    number: str
    title: str
    body: Body
    notebook: Notebook | None = None
    afterwards: str = ""

    @property
    def contents(self) -> list[tuple[int, str, str]]:
        """The headings for the list beside the text."""
        return [heading for heading in self.body.headings if heading[0] == 2]


def build(folder: Path) -> list[Page]:
    """Write the whole site; what was in the folder before is replaced only when everything is there."""
    course = notebooks()
    documents = sorted((ROOT / "docs").glob("*.md"))
    addresses = {each.path: f"{each.path.stem}.html" for each in course}
    addresses |= {path: f"{path.stem}.html" for path in documents}
    addresses[ROOT / "README.md"] = "index.html"
    lessons = [lesson(each, addresses) for each in course]
    papers = [document(path, addresses) for path in documents]
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        new = Path(place) / "site"
        write(new, lessons, papers, front(addresses))
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    return lessons + papers


def lesson(notebook: Notebook, addresses: dict[Path, str]) -> Page:
    """A notebook of the course."""
    body = from_notebook(notebook.path, notebook.content, addresses)
    promise = (
        from_markdown(notebook.path, addresses, notebook.afterwards).html.removeprefix("<p>").removesuffix("</p>\n")
    )
    return Page(addresses[notebook.path], notebook.number, notebook.title, body, notebook, promise)


def document(path: Path, addresses: dict[Path, str]) -> Page:
    """A page of ``docs``, named by its first heading."""
    body = from_markdown(path, addresses)
    return Page(addresses[path], "", plain(body.headings[0][2]), body)


def front(addresses: dict[Path, str]) -> tuple[Body, Body]:
    """What the README says before its first section, and the picture that stands there."""
    readme = ROOT / "README.md"
    head = readme.read_text(encoding="utf-8").split("\n## ")[0].split("\n", 1)[1]
    words, picture = re.split(r"(?=!\[)", head, maxsplit=1)
    return from_markdown(readme, addresses, words), from_markdown(readme, addresses, picture)


def write(folder: Path, lessons: list[Page], papers: list[Page], head: tuple[Body, Body]) -> None:
    """All files of the site."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    pages = lessons + papers
    common = {"lessons": lessons, "papers": papers}
    texts = {"index.html": environment.get_template("index.html.j2").render(**common, page=None, head=head)}
    for place, page in enumerate(pages):
        beside = {"before": pages[place - 1] if place else None, "after": (pages[place + 1 :] or [None])[0]}
        texts[page.address] = environment.get_template("page.html.j2").render(**common, page=page, **beside)
    texts["assets/style.css"] = (HERE / "style.css").read_text(encoding="utf-8") + colours()
    texts["assets/site.js"] = (HERE / "site.js").read_text(encoding="utf-8")
    texts["assets/search.js"] = f"window.COURSE_SEARCH = {for_script(search_entries(pages))};\n"
    texts["assets/katex.css"] = with_fonts_inside((HERE / "katex" / "katex.min.css").read_text(encoding="utf-8"))
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("katex.min.js", "auto-render.min.js", "LICENSE"):
        shutil.copy(HERE / "katex" / name, folder / "assets" / name.replace("LICENSE", "katex-LICENSE.txt"))
    shutil.copy(PLOTLY, folder / "assets" / "plotly.min.js")
    for body in [*head, *(page.body for page in pages)]:
        for name, content in body.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content) if isinstance(content, bytes) else shutil.copy(content, path)


def search_entries(pages: list[Page]) -> list[list[str]]:
    """Address, page, heading and text of every section."""
    return [
        [f"{page.address}#{anchor}", f"{page.number} {page.title}".strip(), heading, text]
        for page in pages
        for anchor, heading, text in page.body.sections
    ]


def colours() -> str:
    """The colours of code, on a light and on a dark page."""
    return "\n".join(
        HtmlFormatter(style=style, nobackground=True).get_style_defs(f"{where}.highlight")
        for where, style in STYLES.items()
    )


def with_fonts_inside(css: str) -> str:
    """KaTeX's style with its fonts written into it: from a folder, some browsers load no font of another file."""

    def inside(match: re.Match) -> str:
        font = b64encode((HERE / "katex" / match.group(1)).read_bytes()).decode()
        return f"src:url(data:font/woff2;base64,{font}) format('woff2')"

    return re.sub(r'src:url\((fonts/[^)]*\.woff2)\) format\("woff2"\)[^;}]*', inside, css)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").resolve()
    count = len(build(target))
    print(json.dumps({"pages": count + 1, "folder": target.name}))
