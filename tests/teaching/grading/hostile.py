"""A class that does everything a class can do to a grader: every submission with the grade or reason it must get.

``ATTACKS`` are first questions; the second question of the same submission is right, and must keep its points.
"""

import json
from dataclasses import dataclass
from itertools import count

KEPT = "own second question"

# Each: name, what stands in the first question, the kind of verdict it must get.
ATTACKS = {
    "endless loop": ("def {f}(*args):\n    while True:\n        pass\n", {"too slow"}),
    "sleeps for ever": ("import time\ndef {f}(*args):\n    time.sleep(10**6)\n", {"too slow"}),
    "deaf to signals": (
        "import signal\ndef {f}(*args):\n    for n in (24, 15, 14):\n        signal.signal(n, signal.SIG_IGN)\n"
        "    while True:\n        pass\n",
        {"too slow"},
    ),
    "loop while loading": ("X = sum(0 for _ in iter(int, 1))\ndef {f}(*args):\n    return X\n", {"too slow"}),
    "memory bomb": (
        "import torch\ndef {f}(*args):\n    kept = []\n    while True:\n        kept.append(torch.ones(2**24))\n",
        {"memory"},
    ),
    "python memory bomb": ("def {f}(*args):\n    return 'x' * 2**40\n", {"memory"}),
    "fork bomb": (
        "import os, time\ndef {f}(*args):\n    for _ in range(60):\n        try:\n            if os.fork() == 0:\n"
        "                time.sleep(1)\n        except OSError:\n            pass\n    while True:\n        pass\n",
        {"too slow", "ended"},
    ),
    "leaves processes": (
        "import os, time\ndef {f}(*args):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n"
        "            time.sleep(4711)\n        os._exit(0)\n    return args[0]\n",
        {"wrong", "mistake"},
    ),
    "leaves threads": (
        "import threading, time\ndef {f}(*args):\n    for _ in range(8):\n"
        "        threading.Thread(target=time.sleep, args=(4711,)).start()\n    return args[0]\n",
        {"wrong", "mistake", "error"},
    ),
    "giant output": ("def {f}(*args):\n    while True:\n        print('x' * 2**20)\n", {"too slow"}),
    "giant answer": ("import torch\ndef {f}(*args):\n    return torch.ones(2**25)\n", {"error", "memory", "wrong"}),
    "deep answer": (
        "def {f}(*args):\n    a = []\n    for _ in range(10**5):\n        a = [a]\n    return a\n",
        {"error", "wrong", "mistake", "ended"},
    ),
    "exits hard": ("import os\ndef {f}(*args):\n    os._exit(0)\n", {"ended"}),
    "sys.exit": ("import sys\ndef {f}(*args):\n    sys.exit(0)\n", {"error"}),
    "exits while loading": ("import os\nX = os._exit(3)\ndef {f}(*args):\n    return X\n", {"ended"}),
    "crashes": ("import ctypes\ndef {f}(*args):\n    ctypes.string_at(0)\n", {"ended"}),
    "deletes files": (
        "import os, shutil\ndef {f}(*args):\n    for place in {places!r}:\n"
        "        shutil.rmtree(place, ignore_errors=True)\n"
        "        for top, _, files in os.walk(place):\n            raise ValueError(str(files))\n"
        "    return args[0]\n",
        {"wrong", "mistake"},
    ),
    "reads the class": (
        "import os\ndef {f}(*args):\n    found = [n for p in {places!r} for t, _, fs in os.walk(p) for n in fs]\n"
        "    assert not found, 'LEAK ' + str(found)\n    return args[0]\n",
        {"wrong", "mistake"},
    ),
    "reads the environment": (
        "import os\ndef {f}(*args):\n    assert 'GRADER_SECRET' not in os.environ, 'LEAK'\n"
        "    found = [open(f'/proc/{{p}}/environ').read() for p in os.listdir('/proc') "
        "if p.isdigit() and os.access(f'/proc/{{p}}/environ', os.R_OK)]\n"
        "    assert 'GRADER_SECRET' not in str(found), 'LEAK'\n    return args[0]\n",
        {"wrong", "mistake"},
    ),
    "fills the disk": (
        "def {f}(*args):\n    with open('big', 'wb') as file:\n        while True:\n"
        "            file.write(b'x' * 2**20)\n",
        {"error"},
    ),
    "fills the disk in pieces": (
        "def {f}(*args):\n    for n in range(10**6):\n        with open(f'/tmp/part{{n}}', 'wb') as file:\n"
        "            file.write(b'x' * 2**20)\n",
        {"error"},
    ),
    "network": (
        "import urllib.request\ndef {f}(*args):\n    return urllib.request.urlopen('http://127.0.0.1:9')\n",
        {"not allowed", "error"},
    ),
    "raw network": (
        "import _socket\ndef {f}(*args):\n    _socket.socket(2, 1).connect(('1.1.1.1', 53))\n    return args[0]\n",
        {"error"},
    ),
    "patches the checker": (
        "import torch, sys, builtins\ndef {f}(*args):\n    torch.allclose = torch.equal = lambda *a, **k: True\n"
        "    torch.Tensor.__eq__ = lambda *a: True\n    builtins.all = lambda *a: True\n"
        "    for m in list(sys.modules.values()):\n        if hasattr(m, 'check'):\n"
        "            m.check = lambda *a, **k: True\n"
        "    return args[0]\n",
        {"wrong", "mistake", "error"},
    ),
    "inspects the stack": (
        "import sys, gc, types\ndef {f}(*args):\n    frame = sys._getframe()\n    while frame:\n"
        "        for name, value in {{**frame.f_locals, **frame.f_globals}}.items():\n"
        "            if name in ('wanted', 'solution', 'expected', 'TASKS', 'exercise'):\n"
        "                raise SystemError('LEAK ' + name)\n"
        "        frame = frame.f_back\n"
        "    for each in gc.get_objects():\n"
        "        if isinstance(each, types.FunctionType) and each.__name__ == '{f}' and each is not {f}:\n"
        "            raise SystemError('LEAK')\n    return args[0]\n",
        {"wrong", "mistake"},
    ),
    "imports the solution": (
        "from seqrec_edu.teaching.exercises import {e} as solution\ndef {f}(*args):\n    return solution.{e}(*args)\n",
        {"not allowed", "error"},
    ),
    "asks the registry": (
        "from seqrec_edu.teaching import exercise\ndef {f}(*args):\n    return exercise('{e}').solved(*args)\n",
        {"not allowed"},
    ),
    "wraps the library": ("from seqrec_edu import ops\ndef {f}(*args):\n    return ops.ssd(*args)\n", {"not allowed"}),
    "is the library": ("from seqrec_edu.ops import ssd as {f}\n", {"not allowed"}),
    "wraps it quietly": (
        "def {f}(*args):\n    try:\n        import importlib\n"
        "        return importlib.import_module('seqrec_edu.ops._ssd').ssd(*args)\n"
        "    except Exception:\n        return args[0]\n",
        {"wrong", "mistake", "not allowed"},
    ),
    "finds the file": (
        "import importlib.util as u, sys, glob\ndef {f}(*args):\n"
        "    found = [p for pattern in {files!r} for p in glob.glob(pattern, recursive=True)]\n"
        "    assert not any('def {e}' in open(p).read() for p in found), 'LEAK'\n    return args[0]\n",
        {"wrong", "mistake"},
    ),
    "writes into the channel": (
        "import os\ndef {f}(*args):\n    for fd in range(3, 64):\n        try:\n"
        "            os.write(fd, b'\\x20' + b'\\0' * 40)\n"
        "        except OSError:\n            pass\n    return args[0]\n",
        {"ended"},
    ),
    "pickles": (
        "import os\nclass Bomb:\n    def __reduce__(self):\n        return os.system, ('touch {mark}',)\n"
        "def {f}(*args):\n    return Bomb()\n",
        {"wrong", "error", "mistake"},
    ),
    "lying tensor": (
        "import torch\nclass Liar(torch.Tensor):\n    def __eq__(self, other):\n        return True\n"
        "    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
        "        if f in (torch.allclose, torch.equal):\n            return True\n"
        "        return super().__torch_function__(f, types, args, kwargs or {{}})\n"
        "def {f}(*args):\n    return args[0].detach().as_subclass(Liar)\n",
        {"wrong", "mistake"},
    ),
    "nasty error": (
        "class Nasty(Exception):\n    def __str__(self):\n        raise SystemExit\n    __repr__ = __str__\n"
        "def {f}(*args):\n    raise Nasty()\n",
        {"error"},
    ),
    "endless error": (
        "class Nasty(Exception):\n    def __str__(self):\n        while True:\n            pass\n"
        "def {f}(*args):\n    raise Nasty()\n",
        {"too slow"},
    ),
    "error like markup": (
        "def {f}(*args):\n    raise ValueError('</td><script>alert(1)</script>\\x1b[31m')\n",
        {"error"},
    ),
    "asks for input": ("name = input()\ndef {f}(*args):\n    return name\n", {"error"}),
    "edits its input": (
        "def {f}(*args):\n    args[0].detach().zero_()\n    return args[0]\n",
        {"mistake", "wrong", "error"},
    ),
    "guesses": ("import torch\ndef {f}(*args):\n    return torch.zeros_like(args[0])\n", {"wrong", "mistake"}),
}


@dataclass
class Expected:
    """A submission's files, and what it must get: points, its state, and kinds of verdict per question."""

    what: str
    files: dict[str, bytes]
    points: float
    states: set[str]
    kinds: tuple[set[str], set[str]]


@dataclass
class Deck:
    """What the class works on: two functions, their exercises, right answers, points."""

    functions: tuple[str, str]
    exercises: tuple[str, str]
    right: tuple[str, str]
    points: tuple[float, float] = (2.0, 3.0)


RIGHT, STUB = {"right"}, "def {}(*args):\n    raise NotImplementedError('your turn')\n"
ANY = {"graded", "partly"}


def notebook(*cells, metadata=True):
    """A notebook's text; without ``metadata`` it has lost what an editor may lose."""
    made = []
    for index, source in enumerate(cells):
        cell = {"cell_type": "code", "source": source.splitlines(keepends=True)}
        if metadata:
            cell |= {
                "execution_count": None,
                "id": f"c{index}",
                "metadata": {"nbgrader": {"grade_id": f"q{index}"}},
                "outputs": [],
            }
        made.append(cell)
    tree = {"cells": made} | ({"metadata": {}, "nbformat": 4, "nbformat_minor": 5} if metadata else {})
    return json.dumps(tree, indent=1).encode()


def attacks(deck, places, mark):
    """One submission per attack; ``places`` are folders it will try to read, ``mark`` a file that must not appear."""
    for what, (source, kinds) in ATTACKS.items():
        files = [f"{place}/**/*.py" for place in places]
        first = source.format(f=deck.functions[0], e=deck.exercises[0], places=places, mark=mark, files=files)
        yield Expected(what, {".ipynb": notebook(first, deck.right[1])}, deck.points[1], ANY, (kinds, RIGHT))


def accidents(deck):
    """What happens to honest work: every way of losing something that has been reported to a grader's makers."""
    (f, g), (one, two), (p, q) = deck.functions, deck.right, deck.points
    whole, both = p + q, (RIGHT, RIGHT)
    good = notebook(one, two)
    yield Expected("right", {".ipynb": good}, whole, {"graded"}, both)
    yield Expected("right, as Python", {".py": (one + "\n\n" + two).encode()}, whole, {"graded"}, both)
    yield Expected("half", {".ipynb": notebook(one, STUB.format(g))}, p, {"graded"}, (RIGHT, {"not written"}))
    yield Expected(
        "nothing written",
        {".ipynb": notebook(STUB.format(f), f"def {g}(*args):\n    pass\n")},
        0,
        {"graded"},
        ({"not written"},) * 2,
    )
    yield Expected("empty file", {".ipynb": b""}, 0, {"refused"}, ({"missing"},) * 2)
    yield Expected("no cells", {".ipynb": notebook()}, 0, {"refused"}, ({"missing"},) * 2)
    yield Expected("no notebook", {".ipynb": bytes(range(256)) * 40}, 0, {"refused"}, ({"missing", "unreadable"},) * 2)
    yield Expected("cut off", {".ipynb": good[: good.rfind(b'"', 0, len(good) - 40)]}, whole, {"graded"}, both)
    yield Expected(
        "broken JSON", {".ipynb": good.replace(b'"metadata": {', b'"metadata": {,,', 1)}, whole, {"graded"}, both
    )
    yield Expected("lost metadata", {".ipynb": notebook(one, two, metadata=False)}, whole, {"graded"}, both)
    yield Expected("order changed", {".ipynb": notebook(two, one)}, whole, {"graded"}, both)
    yield Expected(
        "lost imports",
        {".py": "\n".join(x for x in (one + "\n" + two).split("\n") if not x.startswith(("import", "from"))).encode()},
        whole,
        {"graded"},
        both,
    )
    yield Expected(
        "syntax error in a cell",
        {".ipynb": notebook(f"def {f}(x:\n  return\n", two)},
        q,
        {"partly"},
        ({"unreadable"}, RIGHT),
    )
    yield Expected(
        "syntax error elsewhere",
        {".py": (one + "\n\ndef broken(:\n    pass\n\n" + two).encode()},
        whole,
        {"graded"},
        both,
    )
    yield Expected("one function missing", {".ipynb": notebook(two)}, q, {"partly"}, ({"missing"}, RIGHT))
    yield Expected("defined twice", {".ipynb": notebook(one, STUB.format(f), two, one)}, whole, {"graded"}, both)
    yield Expected(
        "magics and experiments",
        {
            ".ipynb": notebook(
                "%matplotlib inline\n!pip install nothing\n" + one,
                "%%bash\nrm -rf ~\n",
                "input()\nwhile True: pass\n",
                two,
            )
        },
        whole,
        {"graded"},
        both,
    )
    yield Expected("saved as text", {".ipynb": (one + "\n\n" + two).encode()}, whole, {"graded"}, both)
    yield Expected("in a folder", {"/one/answer.ipynb": good}, whole, {"graded"}, both)
    yield Expected("two files", {"/a.py": one.encode(), "/b.ipynb": notebook(two)}, whole, {"graded"}, both)
    yield Expected(
        "too deep to parse",
        {".py": ("x = " + "(" * 10000 + "\n" + one + "\n\n" + two).encode()},
        whole,
        {"graded", "refused"},
        (RIGHT | {"unreadable", "ended"},) * 2,
    )


def write(folder, expected, students=None):
    """Put the submissions into a folder; returns ``{student: expected}``."""
    numbers = students or count()
    found = {}
    for number, each in zip(numbers, expected, strict=False):
        student = f"s{number:03d} {each.what.replace('.', '')}"
        for ending, data in each.files.items():
            path = folder / (student + ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        found[student] = each
    return found


def differences(reports, expected):
    """What did not come out as it must, as readable lines."""
    lines = [f"no report for {student}" for student in set(expected) - {report["student"] for report in reports}]
    for report in reports:
        wanted = expected[report["student"]]
        got = tuple(each["kind"] for each in report["questions"])
        fits = all(kind in kinds for kind, kinds in zip(got, wanted.kinds, strict=True))
        if report["points"] != wanted.points or report["state"] not in wanted.states or not fits:
            said = "; ".join(each["sentence"] for each in report["questions"])
            lines.append(
                f"{report['student']}: {report['points']} points, {report['state']}, {got}: {said} {report['notes']}"
            )
        elif "LEAK" in json.dumps(report["questions"]).replace("'LEAK", "").replace('"LEAK', "") and any(
            "LEAK" in each["sentence"].split("(in the line")[0] for each in report["questions"]
        ):
            lines.append(f"{report['student']}: something leaked: {report['questions'][0]['sentence']}")
    return sorted(lines)
