"""Points and seconds of mixers of known worth, graded as a class: the reference, weaker ones, and those that cheat.

python benchmarks/mixers.py            writes benchmarks/results/mixers.json; about five minutes on one core
"""

import argparse
import inspect
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "teaching" / "mixer")]
import answers  # noqa: E402

from seqrec_edu.teaching.course import handing_in, read  # noqa: E402
from seqrec_edu.teaching.course.regions import unmarked  # noqa: E402
from seqrec_edu.teaching.grading import grade  # noqa: E402

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="some of the mixers; nothing is written then")
    names = parser.parse_args().names
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "handed_in"
        folder.mkdir()
        for name, text in class_of(names).items():
            (folder / f"{name}.py").write_text(text)
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = grade(folder, handing_in.gradable(SOURCE), Path(place) / "graded", workers=1)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            report = next(each for each in done.reports if each["student"] == name)
            result = report["questions"][0]
            found[name] = {
                "points": result["points"], "out_of": result["out_of"], "kind": result["kind"],
                "mistake": result["mistake"], "sentence": result["sentence"], "parts": result["notes"],
                "processor_seconds": round(sum(after[:2]) - sum(before[:2]), 1),
                "seconds": round(time.perf_counter() - began, 1),
            }  # fmt: skip
            print(f"{name:<24}{result['points']:5.1f}  {found[name]['processor_seconds']:5.1f} s  {result['kind']}, "
                  f"{result['mistake']}: {result['sentence']}", flush=True)  # fmt: skip
            for part in result["notes"] if names else ():
                print("   ", part)
    if not names:
        target = ROOT / "benchmarks" / "results" / "mixers.json"
        target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
