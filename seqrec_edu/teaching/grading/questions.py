"""What is graded: questions of an assignment, limits, results. The only file that knows how a function is judged."""

import hashlib
import importlib
import json
import re
from dataclasses import asdict, dataclass, field, replace

from seqrec_edu.teaching.course.variation import variant

GRADER = 2  # raise it when grades may come out differently: results of an older grader are then made again
UNGRADED = "not graded"


@dataclass(frozen=True)
class Limits:
    """What one question of one submission may use: so many seconds of computing, as many of sleeping.

    ``patience`` times the seconds is the limit by the wall clock, for a busy machine.
    """

    question_seconds: float = 10.0
    patience: float = 6.0
    total_seconds: float = 240.0
    memory_mib: int = 1024
    processes: int = 32
    open_files: int = 64
    files_mib: int = 16
    output_kb: int = 64
    answer_mib: int = 64
    submission_mib: int = 20


@dataclass(frozen=True)
class Question:
    """One question: its ``name`` for people, the ``function`` to look for, ``points``, and the ``exercise`` it poses.

    ``allowed`` lifts the block on modules below ``seqrec_edu`` that the exercise would otherwise leave out. ``judge``
    is the module that has ``check`` and ``exercise``.
    """

    name: str
    function: str
    points: float
    exercise: str
    allowed: tuple[str, ...] = ()
    judge: str = "seqrec_edu.teaching"

    def posed(self):
        """The exercise; None where the judge knows none of this name, as for a question of a teacher's own."""
        try:
            return importlib.import_module(self.judge).exercise(self.exercise)
        except ValueError:
            return None

    def ungraded(self):
        """The result where there is no exercise to grade by; None where there is one."""
        if self.posed() is not None:
            return None
        why = f"`check` knows no exercise {self.exercise!r}: grade this question by hand or with nbgrader."
        return self.result(UNGRADED, why)

    def blocked(self):
        """Modules below ``seqrec_edu`` that are the very thing asked for."""
        return tuple(sorted(set(getattr(self.posed(), "own", ())) - set(self.allowed)))

    def answer(self):
        """What the function gives: "function" for values to compare, "module" for one to train and score."""
        return getattr(self.posed(), "answer", "function")

    def limits(self, limits):
        """The limits of this question: an exercise that trains says how many seconds that may take."""
        seconds = getattr(self.posed(), "seconds", 0.0)
        return replace(limits, question_seconds=max(seconds, limits.question_seconds))

    def ask(self, function, seed, limits):
        """``Result`` of a function; its hints are those of the exercise. A verdict with a ``share`` gives part of the
        points, and its ``notes`` say for what."""
        module = importlib.import_module(self.judge)
        # The student's process is stopped by its own limits, in processor time: the check's clock comes after them.
        seconds = limits.question_seconds * limits.patience + 10
        verdict = module.check(function, self.exercise, seed=seed, seconds=seconds)
        found = self.result(verdict.kind, verdict.sentence, verdict.mistake)
        found.points = round(self.points * getattr(verdict, "share", float(verdict.passed)), 2)
        found.notes = [steady(note) for note in getattr(verdict, "notes", ())]
        if not verdict.passed:
            found.example = "" if verdict.example is None else steady(verdict.example)
            found.position = steady(verdict.position)
            if verdict.position:
                found.position += f": got {verdict.got}, expected {verdict.expected}"
            found.hints = [steady(hint) for hint in module.exercise(self.exercise).hints]
        return found

    def result(self, kind, sentence, mistake=""):
        """A result without points."""
        return Result(self.name, self.function, 0.0, self.points, kind, steady(mistake), steady(sentence))


@dataclass
class Result:
    """What a question earned, and why, and from which ``file``.

    ``kind`` is the verdict's, or one of: missing, unreadable, ended, memory, nothing (handed in), not graded.
    """

    question: str
    function: str
    points: float
    out_of: float
    kind: str
    mistake: str = ""
    sentence: str = ""
    example: str = ""
    position: str = ""
    hints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    code: str = ""
    file: str = ""


@dataclass(frozen=True)
class Assignment:
    """Questions under a name; ``release`` is the text of what the students were given (a notebook or Python).

    From the release come imports and helpers that a submission lost, and what a similarity report does not count.
    """

    name: str
    questions: tuple[Question, ...]
    release: str = ""

    def digest(self, limits):
        """Changes whenever a grade could: questions, release, limits, exercises, the grader itself."""
        said = [GRADER, asdict(self), asdict(limits), [_source(question) for question in self.questions]]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def seed(self, student):
        """The seed of a student's inputs: that of the student's variant, so that nothing is stored."""
        return variant(student, self.name).seed

    def without_answers(self, student, state, kind, reason):
        """The report of a student of whom nothing could be judged."""
        results = [question.ungraded() or question.result(kind, reason) for question in self.questions]
        return {
            "student": student, "assignment": self.name, "state": state, "reason": reason, "points": 0.0,
            "out_of": sum(each.points for each in self.questions), "notes": [],
            "questions": [asdict(each) for each in results], "held": [], "seconds": 0.0,
            "files": [],
        }  # fmt: skip

    def as_json(self):
        return asdict(self)

    @classmethod
    def from_json(cls, tree):
        made = [Question(**(each | {"allowed": tuple(each["allowed"])})) for each in tree["questions"]]
        return cls(tree["name"], tuple(made), tree["release"])


def _source(question):
    """Text of the exercise, if it can be had: a corrected exercise grades anew."""
    return getattr(question.posed(), "source", "")


def steady(text):
    """Text without what differs from run to run (addresses), and without characters that break a report."""
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x…", str(text))
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)[:4000]
