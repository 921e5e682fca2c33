"""Points and seconds of mixers of known worth, graded as a class: the reference, weaker ones, and those that cheat.

python benchmarks/mixers.py            writes benchmarks/results/mixers.json; about three minutes on one core
"""

import argparse
import inspect
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "teaching" / "mixer")]
import answers  # noqa: E402
import torch  # noqa: E402

from seqrec_edu.teaching.course import handing_in, read  # noqa: E402
from seqrec_edu.teaching.course.regions import unmarked  # noqa: E402
from seqrec_edu.teaching.grading import Limits, nest, proxy, stage, worker  # noqa: E402
from seqrec_edu.teaching.grading.run import USERS  # noqa: E402

SOURCE = ROOT / "notebooks" / "assignments" / "6_design_your_own_mixer.ipynb"
IMPORTS = "import math\n\nimport torch\nfrom torch import nn\n\n\n"


def class_of(names):
    """Name → text of a submission; the reference is the notebook's own solution."""
    assignment = read(SOURCE)
    solution = unmarked(assignment.notebook.cells[assignment.questions[0].solution].source)
    texts = {"reference": IMPORTS + solution}
    for name, function in vars(answers).items():
        if inspect.isfunction(function) and function.__module__ == "answers":
            texts[name] = IMPORTS + inspect.getsource(function).replace(f"def {name}(", "def build_mixer(", 1)
    return {name: text for name, text in texts.items() if not names or name in names}


class Counting(worker.Remote):
    """Adds up what the processes of students have computed."""

    spent = 0.0

    def close(self):
        if not self._closed.is_set():
            Counting.spent += self.processor_seconds() or 0.0
        super().close()


def graded(texts):
    """Name and report of each, and seconds of the processor: checker and students together, starting them left out."""
    worker.Remote = proxy.Remote = Counting
    assignment, limits = handing_in.gradable(SOURCE), Limits()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "stage"
        folder.mkdir()
        variants = stage.make(folder, [question.blocked() for question in assignment.questions])
        started = nest.Nest(folder)
        for name, text in texts.items():
            path = Path(place) / f"{name}.py"
            path.write_text(text)
            Counting.spent, before = 0.0, time.process_time()
            report = worker.grade_one([path], name, assignment, limits, started.for_worker(), USERS[0], variants)
            yield name, report["questions"][0], Counting.spent + time.process_time() - before
        started.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="some of the mixers; nothing is written then")
    names, found = parser.parse_args().names, {}
    torch.set_num_threads(1)
    for name, result, seconds in graded(class_of(names)):
        kept = {key: result[key] for key in ("points", "out_of", "kind", "mistake", "sentence", "notes")}
        found[name] = kept | {"processor_seconds": round(seconds, 1)}
        said = f"{result['kind']} {result['mistake']}: {result['sentence']}"
        print(f"{name:<24}{result['points']:5.1f}  {seconds:5.1f} s  {said}", flush=True)
        for part in result["notes"] if names else ():
            print("   ", part)
    if not names:
        target = ROOT / "benchmarks" / "results" / "mixers.json"
        target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
