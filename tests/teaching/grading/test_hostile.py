"""A small hostile class, one of each kind: every submission gets its grade or reason, and none affects another."""

import inspect
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seqrec_edu.teaching.grading import Assignment, Limits, Question, grade, publish

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import hostile  # noqa: E402
import standin  # noqa: E402

NAMES = ("running_mean", "decayed_sum")
DECK = hostile.Deck(
    NAMES, NAMES, tuple("import torch\n\n" + inspect.getsource(getattr(standin, name)) for name in NAMES)
)
QUESTIONS = (
    Question("Q1", NAMES[0], DECK.points[0], NAMES[0], judge="standin"),
    Question("Q2", NAMES[1], DECK.points[1], NAMES[1], judge="standin"),
)
ASSIGNMENT = Assignment("sums", QUESTIONS)
TIGHT = Limits(question_seconds=1.0, memory_mib=512, processes=16, total_seconds=60)
INSIDE = HERE.parents[2] / "seqrec_edu" / "teaching" / "grading" / "inside"
TRY = "import jail; print(jail.wall_off(['/mnt'], [], 'full'))"


def walls():
    """Whether this machine lets a grader wall a process off. Without that nobody should run this class."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    tried = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, cwd=INSIDE)
    return "no network" in tried.stdout and "hidden folders" in tried.stdout


needs_walls = pytest.mark.skipif(
    not walls(), reason="the walls that this class runs into need root on a Linux that allows namespaces"
)


def without_time(report):
    return {name: value for name, value in report.items() if name != "seconds"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("class")
    folder, out, mark = place / "submitted", place / "out", place / "mark"
    folder.mkdir()
    (place / "secret").mkdir()
    (place / "secret" / "other.py").write_text("def running_mean(x): ...")
    os.environ["GRADER_SECRET"] = "never to be seen"
    places = [str(folder), str(place / "secret"), str(HERE.parents[2] / "seqrec_edu"), str(out)]
    members = [*hostile.attacks(DECK, places, mark), *hostile.accidents(DECK)]
    expected = hostile.write(folder, members)
    try:
        graded = grade(folder, ASSIGNMENT, out, limits=TIGHT, path=[HERE], workers=2)
    finally:
        del os.environ["GRADER_SECRET"]
    return graded, expected, folder, out, mark


@needs_walls
def test_every_submission_gets_what_it_must(run):
    graded, expected, _, _, mark = run
    assert hostile.differences(graded.reports, expected) == []
    assert not mark.exists()


@needs_walls
def test_nothing_is_left_behind(run):
    folder = run[2]
    assert sum(1 for path in folder.rglob("*") if path.is_file()) >= len(run[1])
    mine = subprocess.run(["ps", "-eo", "uid,args"], capture_output=True, text=True).stdout
    assert not [
        line for line in mine.splitlines() if 61200 <= int(line.split()[0] if line.split()[0].isdigit() else 0) < 61900
    ]


@needs_walls
def test_protections_are_reported(run):
    assert run[0].held == ["hidden folders", "no network", "own processes", "own user"]


@needs_walls
def test_again_is_not_done_again_and_the_books_are_the_same(run):
    graded, _, folder, out, _ = run
    began = time.perf_counter()
    second = grade(folder, ASSIGNMENT, out, limits=TIGHT, path=[HERE])
    assert second.new == 0 and time.perf_counter() - began < 10
    assert second.reports == graded.reports
    page = publish(second, folder, ASSIGNMENT, out).read_text()
    files = sorted(path for path in out.rglob("*") if path.is_file())
    texts = [path.read_bytes() for path in files]
    publish(second, folder, ASSIGNMENT, out)
    assert [path.read_bytes() for path in files] == texts
    assert "<script>alert" not in page and "http" not in page.replace("http-equiv", "").replace("http://127", "")
    assert len((out / "grades.csv").read_text().splitlines()) > len(graded.reports)
    assert len(list((out / "feedback").iterdir())) == len(graded.reports)


def test_killed_midway_and_started_again(tmp_path):
    """The reports that were there stay as they are; the rest is made; the grades are those of one run."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(6):
        (folder / f"s{number}.py").write_text("\n".join(DECK.right) if number % 2 else DECK.right[1])
    script = f"""
import sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parents[2])!r}]
import test_hostile as t
t.grade({str(folder)!r}, t.ASSIGNMENT, {str(out)!r}, limits=t.TIGHT, path=[t.HERE], workers=1)
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    reports = out / "reports"
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end and len(list(reports.glob("*.json"))) < 2:
        time.sleep(0.02)
    process.kill()
    process.wait()
    early = {path.name: path.read_bytes() for path in reports.glob("*.json")}
    assert len(early) >= 2
    graded = grade(folder, ASSIGNMENT, out, limits=TIGHT, path=[HERE], workers=1)
    assert graded.new == 6 - len(early)
    assert {name: (reports / name).read_bytes() for name in early} == early
    assert [report["points"] for report in graded.reports] == [3.0, 5.0] * 3
    whole = grade(folder, ASSIGNMENT, out, limits=TIGHT, path=[HERE], workers=1, again=True)
    assert list(map(without_time, whole.reports)) == list(map(without_time, graded.reports))
