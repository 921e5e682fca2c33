"""``grade``: a folder of submissions, over all cores, resumable; each report is on disk as soon as it exists."""

import contextlib
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from seqrec_edu.teaching.grading import stage
from seqrec_edu.teaching.grading.collect import SUFFIXES
from seqrec_edu.teaching.grading.nest import Nest, clean_environment
from seqrec_edu.teaching.grading.questions import Limits

START = "import sys; sys.path.insert(0, {!r}); from seqrec_edu.teaching.grading import worker; worker.main()"
USERS = range(61200, 61900)  # users that exist nowhere: one per worker, so that the limit on processes is its own


@dataclass
class Graded:
    """What a run leaves: reports in the order of the students' names, how many are new, seconds, protections held."""

    reports: list[dict]
    new: int
    seconds: float
    held: list[str] = field(default_factory=list)


def submissions(folder, name=""):
    """Students and their files: ``ada.ipynb``, ``ada/any.ipynb`` or, as nbgrader has it, ``ada/NAME/any.ipynb``."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() not in SUFFIXES or path.is_symlink() or any(part.startswith(".") for part in parts):
            continue
        student = path.stem if len(parts) == 1 else parts[0]
        found.setdefault(student, []).append(path)
    for student, paths in found.items():
        own = [path for path in paths if name and name in path.relative_to(folder).parts[1:-1]]
        found[student] = own or paths
    return found


def grade(folder, assignment, out, *, limits=None, workers=None, level="full", path=(), again=False, progress=None):
    """Grade every submission in ``folder`` and write one report per student into ``out/reports``.

    What was graded before and has not changed (files, questions, limits) is not graded again, unless ``again``: a run
    that was stopped is gone on with by starting it once more. ``workers`` is the number of submissions at a time, one
    per core if left out. ``path`` are folders the questions' judges are imported from. ``progress(report)`` is called
    after each. Raises ``FileNotFoundError`` if there is no such folder. Returns ``Graded``.
    """
    folder, out, limits, began = Path(folder), Path(out), limits or Limits(), time.perf_counter()
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name the one that holds the submissions")
    (out / "reports").mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(each) for each in path]
    try:
        digest, blocked = assignment.digest(limits), [question.blocked() for question in assignment.questions]
        most = max((question.limits(limits).question_seconds for question in assignment.questions), default=0.0)
        longest = limits.total_seconds + most * limits.patience
    finally:
        del sys.path[: len(path)]
    reports, todo = {}, []
    for student, paths in submissions(folder, assignment.name).items():
        key = _key(paths, digest)
        reports[student] = None if again else _stored(out, student, key)
        if reports[student] is None:
            todo.append((student, paths, key))
    if todo:
        _clear_stale_stages()
        with tempfile.TemporaryDirectory(prefix=f"grading_{os.getpid()}_") as place:
            variants = stage.make(Path(place), blocked)
            nest = Nest(Path(place), [folder, out, *_project()], level)
            setup = {
                "assignment": assignment.as_json(), "limits": asdict(limits), "nest": nest.for_worker(),
                "variants": variants, "path": [str(Path(each).resolve()) for each in path], "seconds": longest,
            }  # fmt: skip
            try:
                _work(todo, setup, workers or len(_cores()), out, reports, progress)
            finally:
                nest.close()
    held = sorted({name for report in reports.values() for name in report.get("held", ())})
    return Graded([reports[name] for name in sorted(reports)], len(todo), time.perf_counter() - began, held)


def _work(todo, setup, workers, out, reports, progress):
    """Threads that each feed one checker's process; the first error of any of them is raised at the end."""
    jobs, troubles = queue.SimpleQueue(), []
    for job in todo:
        jobs.put(job)

    def feed(number):
        checker = Checker(setup | {"user": USERS[(os.getpid() * 8 + number) % len(USERS)]})
        try:
            while not troubles:
                student, paths, key = jobs.get_nowait()
                report = checker.report(student, paths) | {"key": key}
                _store(out, student, report)
                reports[student] = report
                if progress is not None:
                    progress(report)
        except queue.Empty:
            pass
        except BaseException as error:
            troubles.append(error)
        finally:
            checker.close()

    threads = [threading.Thread(target=feed, args=(number,)) for number in range(min(workers, len(todo)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as error:  # a keyboard interrupt: what is under way is finished, the rest waits for next time
        troubles.append(error)
        for thread in threads:
            thread.join()
    if troubles:
        raise troubles[0]


class Checker:
    """One checker's process, started anew when it breaks."""

    def __init__(self, setup):
        self.setup, self.process, self.seconds = setup, None, setup["seconds"]

    def report(self, student, paths):
        """The report of a submission; one that breaks two checkers is refused, and says so."""
        how = ""
        for _ in range(2):
            if self.process is None:
                self._start()
            answer, how = self._ask({"student": student, "paths": [str(path.resolve()) for path in paths]})
            if answer is not None and "trouble" not in answer:
                return answer
            self.close(kill=True)
        return self._refused(student, f"It could not be graded: the checker {how or 'lost its nursery'}.")

    def _refused(self, student, reason):
        questions = [
            dict(question=each["name"], function=each["function"], points=0.0, out_of=each["points"], kind="ended",
                 mistake="", sentence=reason, example="", position="", hints=[], notes=[], code="")
            for each in self.setup["assignment"]["questions"]
        ]  # fmt: skip
        total = sum(each["out_of"] for each in questions)
        return {
            "student": student, "assignment": self.setup["assignment"]["name"], "state": "refused", "reason": reason,
            "points": 0.0, "out_of": total, "notes": [], "questions": questions, "held": [],
            "seconds": 0.0,
        }  # fmt: skip

    def _start(self):
        commands = self.setup["nest"]["commands"]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", START.format(str(stage.PACKAGE.parent))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[] if commands is None else [commands],
            env=clean_environment(), text=True, encoding="utf-8", start_new_session=True,
        )  # fmt: skip
        ready, how = self._ask(self.setup, 300)
        if ready is None:
            raise RuntimeError(f"the checker's process {how} before its first submission")

    def _ask(self, message, seconds=None):
        """One line there, one line back: ``(answer, "")`` or ``(None, how it failed)``."""
        timer = threading.Timer(seconds or self.seconds, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timer.cancel()
        if line:
            return json.loads(line), ""
        return None, f"ended with status {self.process.wait()}"

    def close(self, kill=False):
        """Let it go when it has finished."""
        if self.process is not None:
            if kill:
                self.process.kill()
            for end in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    end.close()
            self.process.wait()
            self.process = None


def _key(paths, digest):
    found = hashlib.sha256(digest.encode())
    for path in paths:
        found.update(path.name.encode() + b"\0")
        with contextlib.suppress(OSError):
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def report_path(out, student):
    """Where a student's report stands; any name of a student makes a file name."""
    return Path(out) / "reports" / f"{quote(student, safe=' ')[:200]}.json"


def _stored(out, student, key):
    try:
        report = json.loads(report_path(out, student).read_text(encoding="utf-8"))
        return report if report["key"] == key and report["student"] == student else None
    except (OSError, ValueError, KeyError):
        return None


def _store(out, student, report):
    """Write beside, then rename: a report is there whole or not at all."""
    path = report_path(out, student)
    beside = path.with_suffix(f".{os.getpid()}.part")
    beside.write_text(json.dumps(report, indent=1, sort_keys=True), encoding="utf-8")
    os.replace(beside, path)


def _clear_stale_stages():
    """Remove what runs that were killed have left in the temporary folder."""
    for place in Path(tempfile.gettempdir()).glob("grading_*_*"):
        owner = place.name.split("_")[1]
        if owner.isdigit() and sys.platform.startswith("linux") and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(place, ignore_errors=True)


def _cores():
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _project():
    """The package itself, and the checkout around it if there is one: tests and notebooks hold answers too."""
    package = stage.PACKAGE
    return [package.parent] if (package.parent / "pyproject.toml").exists() else [package]
