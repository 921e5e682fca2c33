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
from seqrec_edu.teaching.grading.handed_in import handed_in
from seqrec_edu.teaching.grading.nest import Nest, clean_environment
from seqrec_edu.teaching.grading.questions import Assignment, Limits

START = "import sys; sys.path.insert(0, {!r}); from seqrec_edu.teaching.grading import worker; worker.main()"
USERS = range(61200, 61900)  # users that exist nowhere: one per worker, so that the limit on processes is its own


@dataclass
class Graded:
    """What a run leaves: reports in the order of the students' names, how many are new, seconds, protections held.

    ``remarks`` are lines for the teacher: what was not read, who is not on the roster, what cannot be graded.
    """

    reports: list[dict]
    new: int
    seconds: float
    held: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def grade(
    folder, assignment, out, *, limits=None, workers=None, level="full", path=(), again=False, progress=None, roster=()
):
    """Grade every submission in ``folder`` and write one report per student into ``out/reports``.

    What was graded before and has not changed (files, questions, limits) is not graded again, unless ``again``: a run
    that was stopped is gone on with by starting it once more. ``workers`` is the number of submissions at a time, one
    per core if left out. ``path`` are folders the questions' judges are imported from. ``progress(report)`` is called
    after each. ``roster`` are ids: those who handed in nothing get a report of state ``nothing``. Raises
    ``FileNotFoundError`` if there is no such folder, ``ValueError`` for ``out`` inside of it. Returns ``Graded``.
    """
    folder, out, limits, began = Path(folder), Path(out), limits or Limits(), time.perf_counter()
    _check_places(folder, out)
    (out / "reports").mkdir(parents=True, exist_ok=True)
    digest, blocked, longest = _judged_by(assignment, limits, path)
    found = handed_in(folder, assignment.name, roster)
    reports, todo = _without_files(found, assignment, roster, out), []
    with_files = {student: paths for student, paths in found.students.items() if paths}
    for student, paths in with_files.items():
        files = [path.relative_to(folder).as_posix() for path in paths]
        key = _key(files, paths, digest)
        reports[student] = None if again else _stored(out, student, key)
        if reports[student] is None:
            todo.append((student, paths, files, key))
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
    remarks = _remarks(found, assignment, roster)
    return Graded([reports[name] for name in sorted(reports)], len(todo), time.perf_counter() - began, held, remarks)


def _check_places(folder, out):
    if folder.is_file():
        raise NotADirectoryError(f"{folder} is a file: name the folder around it")
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: name the one that holds the submissions")
    if out.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{out} is inside the folder of submissions, where it would look like a student's")


def _judged_by(assignment, limits, path):
    """``(digest, blocked modules per question, seconds a submission may take)``, from judges that ``path`` may hold."""
    sys.path[:0] = [str(each) for each in path]
    try:
        digest, blocked = assignment.digest(limits), [question.blocked() for question in assignment.questions]
        most = max((question.limits(limits).question_seconds for question in assignment.questions), default=0.0)
        return digest, blocked, limits.total_seconds + most * limits.patience
    finally:
        del sys.path[: len(path)]


def _without_files(found, assignment, roster, out):
    """Reports of those of whom there is nothing to read, written: a folder without a notebook, or nothing at all."""
    made = {name: assignment.without_answers(name, "refused", "unreadable", why) for name, why in found.unread.items()}
    for student in set(roster) - set(found.students):
        own = [name for name in found.strays if name.casefold().startswith(f"{student}.".casefold())]
        why = f"no notebook or Python file; found {', '.join(own)}" if own else "nothing was handed in"
        made[student] = assignment.without_answers(student, "nothing", "nothing", why)
    for student, report in made.items():
        _store(out, student, report)
    return made


def _remarks(found, assignment, roster):
    lines = [f"not graded: {each.name}. {each.ungraded().sentence}" for each in assignment.questions if each.ungraded()]
    lines += [f"refused: {student}: {why}" for student, why in found.unread.items()]
    if absent := sorted(set(roster) - set(found.students)):
        lines.append(f"handed in nothing: {', '.join(absent)}")
    if found.strays:
        lines.append(f"not read: {', '.join(found.strays)}; expected STUDENT.ipynb, STUDENT.py or a folder for each")
    if roster and (others := sorted(set(found.students) - set(roster))):
        lines.append(f"not on the roster, but graded: {', '.join(others)}")
    return lines


def _work(todo, setup, workers, out, reports, progress):
    """Threads that each feed one checker's process; the first error of any of them is raised at the end."""
    jobs, troubles = queue.SimpleQueue(), []
    for job in todo:
        jobs.put(job)

    def feed(number):
        checker = Checker(setup | {"user": USERS[(os.getpid() * 8 + number) % len(USERS)]})
        try:
            while not troubles:
                student, paths, files, key = jobs.get_nowait()
                report = checker.report(student, paths) | {"key": key, "files": files}
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
        why = f"It could not be graded: the checker {how or 'lost its nursery'}."
        return Assignment.from_json(self.setup["assignment"]).without_answers(student, "refused", "ended", why)

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


def _key(files, paths, digest):
    found = hashlib.sha256(digest.encode())
    for name, path in zip(files, paths, strict=True):
        found.update(os.fsencode(name) + b"\0")
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
