"""What is made from a source beside its versions: variants, slides, lesson plans, bundles, the grader's questions."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from seqrec_edu.teaching.course import NotReady, bundle, export, gradable, plan, slides, variant, variants
from seqrec_edu.teaching.course.formulas import mathml
from seqrec_edu.teaching.course.planning import rows
from seqrec_edu.teaching.course.rosters import students
from seqrec_edu.teaching.course.variation import numbers, rewritten
from tests.teaching.course import small

CELL = """# Your numbers.
student = "example"  # variant: id
person = 12  # variant: integer 3 to 9
keep = 0.85  # variant: number 0.7 to 0.9, step 0.05
shop = "tea"  # variant: choice "tea", "coffee"
seed = 0  # variant: seed
fixed = 5"""


# Variants.


def test_numbers_come_from_the_id_alone_and_stay_the_same_for_years():
    ada = variant(" ada ", "sums")
    assert ada == variant("ada", "sums") and ada.seed == variant("ada", "sums").seed
    assert (ada.seed, ada.integer("person", 3, 9)) == (ADA_SEED, ADA_PERSON)  # written down once: never to change
    assert len({variant(f"s{k}", "sums").seed for k in range(500)}) == 500
    assert variant("ada", "other").seed != ada.seed


def test_the_grader_takes_the_seed_of_the_variant(tmp_path):
    graded = gradable(small.save(tmp_path, varied()))
    assert [graded.seed(each) for each in ("ada", "b-2")] == [variant(each, "sums").seed for each in ("ada", "b-2")]


ADA_SEED, ADA_PERSON = 29245600, 6


def test_every_value_of_a_range_is_drawn_and_none_beside_it():
    drawn = [numbers(CELL, variant(f"s{k}", "sums")) for k in range(200)]
    assert {each["person"] for each in drawn} == set(range(3, 10))
    assert {each["keep"] for each in drawn} == {0.7, 0.75, 0.8, 0.85, 0.9}
    assert {each["shop"] for each in drawn} == {"tea", "coffee"}


def test_a_cell_gets_the_students_numbers_and_no_ranges():
    mine = variant("ada", "sums")
    scope: dict = {}
    exec(rewritten(CELL, mine), scope)
    assert {name: scope[name] for name in numbers(CELL, mine)} == numbers(CELL, mine)
    assert scope["student"] == "ada" and scope["fixed"] == 5
    assert "variant:" not in rewritten(CELL, mine) and "# Your numbers." in rewritten(CELL, mine)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x = 1  # variant: number 0 to 1", "needs a step"),
        ("x = 1  # variant: integer 5", "expected `integer LOW to HIGH`"),
        ("x = 1  # variant: integer 5 to 3", "no whole number"),
        ("x = 1  # variant: choice", "nothing to choose from"),
        ("x = 1  # variant: dice", "not understood"),
    ],
)
def test_a_line_that_says_nothing_sensible_is_refused(line, says):
    with pytest.raises(ValueError, match=says):
        numbers(line, variant("ada", "sums"))


def varied():
    notebook = small.notebook()
    notebook.cells.insert(2, new_code_cell(CELL, metadata={"tags": ["variant"]}, id="numbers"))
    return notebook


def test_a_release_for_everyone_of_a_roster(tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("\ufeffname;id\nAda;ada\nBob;b-2\n\n", encoding="utf-8")
    source = small.save(tmp_path, varied())
    assert [mine.student for mine in variants(source, roster, tmp_path / "out")] == ["ada", "b-2"]
    made = nbformat.read(tmp_path / "out" / "b-2" / "sums.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in made.cells)
    assert 'student = "b-2"' in text and "added_to_itself" not in text
    assert made.metadata["seqrec_edu"]["student"] == "b-2"
    table = list(csv.DictReader((tmp_path / "out" / "sums.csv").read_text(encoding="utf-8").splitlines()))
    assert int(table[1]["person"]) == numbers(CELL, variant("b-2", "sums"))["person"]
    before = (tmp_path / "out" / "ada" / "sums.ipynb").read_bytes()
    variants(source, roster, tmp_path / "out")
    assert (tmp_path / "out" / "ada" / "sums.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id\n", "no student"),
        ("id\nada\nADA\n", "lines 2 and 3: the id 'ADA' twice"),
        ("id\n../ada\n", "cannot name a folder"),
        ("id,name\n,Ada\n", "id '' cannot name a folder"),
        ("name,mail\nAda,a@b\n", "r.csv has no column id (found name, mail)"),
        ("id\n\nada\n\nADA\n", "lines 3 and 5: the id 'ADA' twice"),
    ],
)
def test_a_roster_that_cannot_be_used_is_refused(tmp_path, text, says):
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(says)):
        students(tmp_path / "r.csv")


def test_a_roster_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "r.csv").write_bytes("id,name\nada,Zoë\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"r\.csv is not UTF-8: save it as CSV UTF-8"):
        students(tmp_path / "r.csv")
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ValueError, match=f"no roster {re.escape(str(path))}"):
            students(path)


def test_who_drew_the_same_numbers_is_said(tmp_path):
    notebook = varied()
    numbered = next(cell for cell in notebook.cells if cell.id == "numbers")
    numbered.source = 'student = "example"  # variant: id\nside = 1  # variant: integer 1 to 2'
    ids = [f"s{k}" for k in range(4)]
    (tmp_path / "r.csv").write_text("\n".join(["id", *ids]), encoding="utf-8")
    heard = []
    variants(small.save(tmp_path, notebook), tmp_path / "r.csv", tmp_path / "out", say=heard.append)
    sides = {side: [s for s in ids if variant(s, "sums").integer("side", 1, 2) == side] for side in (1, 2)}
    groups = [names for names in sides.values() if len(names) > 1]
    assert sorted(heard) == sorted(f"{', '.join(n[:-1])} and {n[-1]} share all numbers" for n in groups) and groups


def test_a_source_without_a_variant_cell_is_refused(tmp_path):
    (tmp_path / "r.csv").write_text("id\nada\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no cell is tagged 'variant'"):
        variants(small.save(tmp_path), tmp_path / "r.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Slides.


def test_slides_need_no_network_and_show_no_solution(tmp_path):
    made = small.notebook()
    made.cells[0].source += "\n\nWith $y_t = \\frac{1}{2}$ and `a $5 price`."
    count = slides(small.save(tmp_path, made), tmp_path / "s.html")
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert count == 3 == page.count("<section")  # the title and two questions
    assert not re.search(r"(?:src|href)=.https?:|@import|url\(", page)
    assert "<math" in page and "a $5 price" in page
    assert "added_to_itself" not in page and "often halved" not in page
    slides(small.save(tmp_path, made), tmp_path / "s.html", solutions=True)
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert "added_to_itself" in page and "BEGIN SOLUTION" not in page and "hidden_verdict" not in page


def test_marked_cells_make_the_slides_where_there_are_any(tmp_path):
    picture = new_output("display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "Figure: <y>"})
    cells = [
        new_markdown_cell("# One\n\n## not a slide of its own", metadata={"slideshow": {"slide_type": "slide"}}),
        new_code_cell("x", outputs=[picture], metadata={"tags": ["slide"]}),
        new_markdown_cell("left out", metadata={"tags": ["skip"]}),
    ]
    assert slides(small.save(tmp_path, new_notebook(cells=cells), "talk"), tmp_path / "s.html") == 2
    page = (tmp_path / "s.html").read_text(encoding="utf-8")
    assert 'alt="Figure: &lt;y&gt;"' in page and "left out" not in page


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        ("x_t^2", "<msubsup><mi>x</mi><mrow><mi>t</mi></mrow><mrow><mn>2</mn></mrow></msubsup>"),
        (r"\Delta_t A < 0", "<mo>&lt;</mo>"),
        (r"\frac{a}{b}", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        (r"\text{for all } t", "<mtext>for all </mtext>"),
        (r"\begin{pmatrix} 1 \end{pmatrix}", r"<code>\begin{pmatrix} 1 \end{pmatrix}</code>"),
        ("x_", "<code>x_</code>"),
    ],
)
def test_formulas(tex, part):
    assert part in mathml(tex)


def test_every_formula_of_the_course_but_a_matrix_is_understood():
    from seqrec_edu.teaching.course.presenting import CODE, FORMULA

    unknown, known = [], 0
    for path in (Path(__file__).resolve().parents[3] / "notebooks").rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for match in FORMULA.finditer(CODE.sub("", cell.source)):
                    known += 1
                    unknown += [match[0]] if mathml(match[1] or match[2]).startswith("<code>") else []
    assert known > 100 and len(unknown) <= 0.02 * known, unknown


# Lesson plans.


def test_a_plan_adds_reading_working_and_measured_seconds(tmp_path):
    path = small.save(tmp_path)
    parts = plan(path)
    assert [part.title for part in parts] == ["opening", "1. Write double", "2. Write thirds"]
    assert [part.working for part in parts] == [0, 4, 4] and not any(part.measured for part in parts)
    seconds = [60.0, *[0.0] * 6, 30.0, 0.0]
    (tmp_path / "timings.json").write_text(json.dumps({"sums": {"seconds": seconds}}), encoding="utf-8")
    parts = plan(tmp_path)
    assert all(part.measured for part in parts) and [part.waiting for part in parts] == [1.0, 0.0, 0.5]
    table = rows(parts)
    assert table[0][:2] == ["sums", "opening"] and table[-1][1] == "all"
    assert float(table[-1][5]) == round(sum(part.total for part in parts))
    assert [line[-1] for line in table[:2]] == ["0", f"{parts[0].total:.0f}"]


# Bundles.


def checkout(folder):
    (folder / "notebooks" / "assignments").mkdir(parents=True)
    (folder / "requirements.lock").write_text("einops==0.8.2\n", encoding="utf-8")
    small.save(folder / "notebooks" / "assignments")
    small.save(folder / "notebooks", new_notebook(cells=[new_markdown_cell("# Read", id="a")]), "00_read")
    return folder


def test_a_bundle_is_the_same_each_time_and_holds_no_solution(tmp_path):
    project = checkout(tmp_path / "project")
    first, second = (bundle(project, tmp_path / name, wheels=False) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {"README.md", "install.py", "requirements.txt", "notebooks/00_read.ipynb"} <= set(names)
        assert b"added_to_itself" not in archive.read("notebooks/assignments/sums.ipynb")
        archive.extractall(tmp_path / "room")
    done = subprocess.run([sys.executable, tmp_path / "room" / "install.py"], capture_output=True, text=True)
    assert done.returncode == 1 and "made without wheels" in done.stderr


def test_a_bundle_of_the_course_holds_every_receipt_that_its_notebooks_read(tmp_path):
    project = Path(__file__).resolve().parents[3]
    with zipfile.ZipFile(bundle(project, tmp_path / "course.zip", wheels=False)) as archive:
        held = set(archive.namelist())
    tracked = {path.relative_to(project).as_posix() for path in (project / "benchmarks" / "results").rglob("*.json")}
    assert tracked and tracked <= held
    assert "docs/reproduction.md" in held
    # What a notebook names beside itself is in the bundle, or under a folder that is.
    named = re.compile(r'Path\("\.\."\)((?: / "[\w.-]+")+)')
    for path in (project / "notebooks").glob("*.ipynb"):
        for found in named.finditer("\n".join(cell.source for cell in nbformat.read(path, 4).cells)):
            place = "/".join(re.findall(r'"([\w.-]+)"', found[1]))
            assert any(f"{each}/".startswith(f"{place}/") for each in held), (path.name, place)


def test_without_wheels_to_be_had_it_says_so_and_writes_nothing(tmp_path):
    project = checkout(tmp_path / "project")
    empty = ("--no-index", "--find-links", str(tmp_path))
    with pytest.raises(RuntimeError, match="--no-wheels"):
        bundle(project, tmp_path / "a.zip", pip=empty)
    assert not (tmp_path / "a.zip").exists()
    with pytest.raises(ValueError, match="no checkout"):
        bundle(tmp_path, tmp_path / "a.zip", wheels=False)


# Other graders, and our own.


def test_an_export_keeps_the_marks_and_nothing_for_the_teacher_alone(tmp_path):
    (path,) = export(small.save(tmp_path), tmp_path / "out")
    assert path == tmp_path / "out" / "source" / "sums" / "sums.ipynb"
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert "### BEGIN SOLUTION" in text and "### BEGIN HIDDEN TESTS" in text and "often halved" not in text
    compile((tmp_path / "out" / "nbgrader_config.py").read_text(encoding="utf-8"), "config", "exec")


def test_a_source_that_breaks_a_rule_is_not_exported(tmp_path):
    notebook = small.notebook()
    notebook.cells[3].metadata["nbgrader"]["schema_version"] = 2
    with pytest.raises(NotReady, match="schema 2"):
        export(small.save(tmp_path, notebook), tmp_path / "out")


def test_the_grader_learns_its_questions_from_the_source(tmp_path):
    found = gradable(small.save(tmp_path))
    assert [(each.name, each.function, each.points, each.exercise) for each in found.questions] == [
        ("Write double", "double", 2.0, "double"),
        ("Write thirds", "thirds", 2.0, "thirds"),
    ]
    assert "added_to_itself" not in found.release and "def double" in found.release
