"""The arithmetic of measuring, on a clock that only moves when a task says so."""

import gc

import pytest

from seqrec_edu.bench.run import ratio
from seqrec_edu.bench.timing import interleave, summary


class Clock:
    """Seconds that tasks spend, and the order in which they ran."""

    def __init__(self):
        self.now, self.ran = 0.0, []

    def __call__(self):
        return self.now

    def task(self, name, seconds):
        steps = iter(seconds) if isinstance(seconds, list) else None

        def run():
            self.now += next(steps) if steps else seconds
            self.ran.append(name)

        return run


def test_every_round_begins_with_another_task():
    clock = Clock()
    interleave({name: clock.task(name, 1.0) for name in "abc"}, 3, clock=clock)
    assert "".join(clock.ran) == "abc" + "abc" + "bca" + "cab"


def test_times_are_those_of_each_round_without_the_first_run():
    clock = Clock()
    found = interleave({"a": clock.task("a", [9.0, 2.0, 3.0]), "b": clock.task("b", [7.0, 4.0, 5.0])}, 2, clock=clock)
    assert found == {"a": [2.0, 3.0], "b": [4.0, 5.0]}


def test_short_tasks_are_repeated_and_divided():
    clock = Clock()
    found = interleave(
        {"short": clock.task("short", 0.004), "long": clock.task("long", 1.0)}, 2, clock=clock, least=0.02
    )
    assert found["short"] == pytest.approx([0.004, 0.004])
    assert clock.ran.count("short") == 1 + 2 * 5 and clock.ran.count("long") == 3


def test_a_slow_task_leaves_with_what_it_has():
    clock = Clock()
    tasks = {"slow": clock.task("slow", 50.0), "quick": clock.task("quick", 1.0)}
    found = interleave(tasks, 5, clock=clock, patience=60.0)
    assert len(found["slow"]) == 2 and len(found["quick"]) == 5
    assert len(interleave({"slow": clock.task("slow", 50.0)}, 5, clock=clock, patience=1.0)["slow"]) == 1


def test_the_collector_is_off_while_a_task_runs_and_on_afterwards():
    seen = []
    interleave({"a": lambda: seen.append(gc.isenabled())}, 1)
    assert seen and not any(seen) and gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        interleave({"a": lambda: 1 / 0}, 1)
    assert gc.isenabled()


def test_nothing_to_time():
    assert interleave({}, 3) == {}


def test_summary_and_ratio():
    assert summary([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0, "rounds": 3}
    # The machine was twice as slow in the second round: the ratio of a round does not see it.
    assert ratio([10.0, 20.0, 10.0], [1.0, 2.0, 1.0]) == {"median": 10.0, "low": 10.0, "high": 10.0}
    assert ratio([10.0], [1.0, 2.0, 4.0])["low"] == 10.0  # a slow task has fewer rounds
