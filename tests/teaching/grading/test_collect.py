"""Finding the lines of an answer in what was handed in, without running any."""

import json
import sys
from pathlib import Path

import pytest

from seqrec_edu.teaching.grading.collect import Submission
from seqrec_edu.teaching.grading.salvage import read_cells

sys.path.insert(0, str(Path(__file__).parent))
import hostile


def submission(tmp_path, *cells, release=""):
    path = tmp_path / "one.ipynb"
    path.write_bytes(hostile.notebook(*cells))
    return Submission([path], release=release)


def value_of(answer, name="f", *args):
    scope = {}
    exec(answer.source, scope)
    return scope[name](*args)


def test_helpers_come_along_and_experiments_stay_behind(tmp_path):
    found = submission(
        tmp_path, "import math\nN = 3", "M = N + 1\nprint(M)\nwhile True: pass", "def help(): return M",
        "def f(): return math.floor(help() + 0.5)", "for i in iter(int, 1): unrelated = i",
    ).answer("f")  # fmt: skip
    assert value_of(found) == 4 and "while" not in found.source and "unrelated" not in found.source


def test_a_local_is_no_global_of_the_same_name(tmp_path):
    found = submission(
        tmp_path, "import math", "z = check(f, 'f')\nz = expensive(z)",
        "def f(x=math.pi):\n    z = [z for z in (x,)]\n    return z[0] * N",
        "N = 2", "await something(N)",
    ).answer("f")  # fmt: skip
    assert value_of(found, "f", 3) == 6 and "expensive" not in found.source and "import math" in found.source


def test_cells_in_any_order(tmp_path):
    assert value_of(submission(tmp_path, "def f(): return A", "A = B + 1", "B = 1").answer("f")) == 2


def test_a_constant_is_what_it_became(tmp_path):
    found = submission(tmp_path, "T = {}\nT['a'] = 1", "N = 1\nN += 2\nN = N * 2", "def f(): return T['a'], N")
    assert value_of(found.answer("f")) == (1, 6)


def test_the_last_definition_counts_and_that_is_said(tmp_path):
    found = submission(tmp_path, "def f(): return 1", "def f(): return 2").answer("f")
    assert value_of(found) == 2 and "defined 2 times" in found.notes[0]


@pytest.mark.parametrize(
    "source", ["f = lambda x: x", "from math import floor as f", "class f:\n    def __new__(c, x): return x"]
)
def test_other_ways_to_define(tmp_path, source):
    assert value_of(submission(tmp_path, source).answer("f"), "f", 3) == 3


def test_recursion_between_helpers(tmp_path):
    found = submission(
        tmp_path, "def even(n): return n == 0 or odd(n - 1)", "def odd(n): return n and even(n - 1)", "f = even"
    )
    assert value_of(found.answer("f"), "f", 4)


def test_lost_helpers_come_from_the_release_but_answers_do_not(tmp_path):
    release = "SIZE = 7\ndef g(): raise NotImplementedError\n"
    found = submission(tmp_path, "def f(): return SIZE", release=release)
    answer = found.answer("f")
    assert value_of(answer) == 7 and "SIZE" in answer.notes[0]
    assert found.answer("g").kind == "missing"


def test_a_stub_is_not_written(tmp_path):
    for body in ("pass", "...", "return None", '"""What to do."""', "return"):
        assert submission(tmp_path, f"def f(x):\n    {body}\n").answer("f").kind == "not written"


def test_magics_keep_their_lines(tmp_path):
    found = submission(tmp_path, "%load_ext x\n!ls\nfiles = !ls\nhelp?\ndef f(): return '%d' % 3")
    assert value_of(found.answer("f")) == "3" and found.notes == []


def test_every_cut_of_a_notebook_can_be_read():
    whole = hostile.notebook("def f(): return 1", "def g(): return 'ü'\n")
    for cut in range(0, len(whole), 3):
        read_cells("cut.ipynb", whole[:cut])
    cells, notes = read_cells("cut.ipynb", whole[:-20])
    assert [cell.source for cell in cells] == ["def f(): return 1", "def g(): return 'ü'\n"] and "broken" in notes[0]


def test_an_old_notebook_and_one_with_text_for_source():
    old = {
        "worksheets": [
            {"cells": [{"cell_type": "code", "input": ["a = 1\n"]}, {"cell_type": "markdown", "source": "b"}]}
        ]
    }
    assert [cell.source for cell in read_cells("x", json.dumps(old).encode())[0]] == ["a = 1\n"]
    assert len(read_cells("x", b'{"cells": [{"source": "a = 1"}, 3]}')[0]) == 1


def test_other_encodings():
    for encoding in ("utf-16", "utf-8-sig", "latin-1"):
        assert read_cells("x.py", "a = 'ü'\r\nb = 1".encode(encoding))[0][0].tree.body


def test_syntax_errors_cost_their_part_only():
    cells, notes = read_cells("x.py", b"import math\ndef f(:\n    pass\n\n@math.floor\ndef g(): pass\nx = 1\n")
    assert len(notes) == 1 and "syntax error" in notes[0]
    assert {name for cell in cells for name in ("g", "x") if name in cell.source} == {"g", "x"}


STUB = 'def f(x):\n    """What to do."""\n    raise NotImplementedError("not written yet")\n'


def both(tmp_path, first, second, release=""):
    """A student's two notebooks; the names put ``first`` in front."""
    for name, cells in (("a-Copy1", first), ("a", second)):
        (tmp_path / f"{name}.ipynb").write_bytes(hostile.notebook(*cells))
    return Submission([tmp_path / "a-Copy1.ipynb", tmp_path / "a.ipynb"], release=release)


def test_an_untouched_copy_does_not_beat_the_answer(tmp_path):
    written = ["N = 5", "def f(x): return x + N", "def g(x): return 2 * f(x)"]
    untouched = ["N = 1", STUB, STUB.replace("f(", "g(")]
    for first, second in ((written, untouched), (untouched, written)):
        found = both(tmp_path, first, second)
        assert value_of(found.answer("f"), "f", 1) == 6  # with the N that stands beside it
        assert value_of(found.answer("g"), "g", 1) == 12
    assert found.answer("f").file == "a.ipynb"
    answer = both(tmp_path, written, untouched).answer("f")
    assert answer.file == "a-Copy1.ipynb" and "the last one that is written counts (a-Copy1.ipynb" in answer.notes[0]
    assert both(tmp_path, untouched, untouched).answer("f").file == "a.ipynb"


def test_what_a_stub_is(tmp_path):
    nested = "def f(x):\n    def inner():\n        raise NotImplementedError\n    return inner\n"
    begun = "def f(x):\n    y = x + 1\n    raise NotImplementedError('your turn')\n"
    kept = "def f(x):\n    return 3\n    raise NotImplementedError\n"
    branch = "def f(x):\n    if x:\n        return 3\n    raise NotImplementedError\n"
    for written in (kept, branch):
        assert value_of(both(tmp_path, [written], [begun]).answer("f"), "f", 1) == 3
    assert value_of(both(tmp_path, [kept], [nested], release=nested).answer("f"), "f", 1) == 3
    assert callable(value_of(both(tmp_path, [kept], [nested]).answer("f"), "f", 1))


def test_a_broken_answer_beside_an_untouched_copy_is_not_called_unwritten(tmp_path):
    answer = both(tmp_path, ["", "x = 1", "def help():\n    pass\ndef f(x:\n    return 1\n"], [STUB]).answer("f")
    assert answer.kind == "unreadable"
    assert answer.trouble.startswith("a-Copy1.ipynb, code cell 3 (`def help`, `def f`) could not be read: syntax error")


def test_files_of_the_same_name_are_told_apart(tmp_path):
    for folder, value in (("old", 1), ("new", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text(f"def f(): return {value}")
    found = Submission([tmp_path / "new" / "a.py", tmp_path / "old" / "a.py"])
    assert found.files == ["new/a.py", "old/a.py"] and found.answer("f").file == "old/a.py"
