"""Every count against its plain definition, person by person; empty histories and people without events included."""

import itertools
import statistics as plain

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqrec_edu.data.statistics import gaps, statistics

QUICK = settings(max_examples=60, deadline=None)  # no deadline: other work may share the machine
EVENTS = st.lists(st.tuples(st.integers(1, 5), st.integers(-9, 40)), max_size=6)  # (item, time) of one person
PEOPLE = st.lists(EVENTS, min_size=1, max_size=5)
ITEMS = 5


def arrays(people):
    people = [[(item, time) for (item, _), time in zip(p, sorted(t for _, t in p), strict=True)] for p in people]
    flat = [event for person in people for event in person]
    items, times = (np.array([event[axis] for event in flat], dtype=np.int64) for axis in (0, 1))
    return people, items, times, np.cumsum([0, *map(len, people)])


def quantile(values, share):
    return float(np.quantile(values, share)) if values else 0.0


@QUICK
@given(PEOPLE)
@example([[]])
@example([[], [(1, 3)], []])
@example([[(1, 0), (5, 0)], [(5, 0)], [(1, 7), (1, 7), (2, 9)], []])
def test_agrees_with_the_definition(people):
    people, items, times, offsets = arrays(people)
    between = [b[1] - a[1] for p in people for a, b in itertools.pairwise(p)]
    had = sum(item in [other for other, _ in p[:place]] for p in people for place, (item, _) in enumerate(p))
    lengths = [len(p) for p in people]

    assert gaps(times, offsets).tolist() == between
    found = statistics(items, times, offsets, ITEMS)
    assert found.as_dict() == {
        "users": len(people),
        "items": ITEMS,
        "events": sum(lengths),
        "density": sum(lengths) / (len(people) * ITEMS),
        "length_min": min(lengths),
        "length_median": plain.median(lengths),
        "length_mean": pytest.approx(plain.mean(lengths)),
        "length_max": max(lengths),
        "gap_median": quantile(between, 0.5),
        "gap_90": quantile(between, 0.9),
        "gap_99": quantile(between, 0.99),
        "gap_max": max(between, default=0),
        "zero_gaps": between.count(0) / len(between) if between else 0.0,
        "repeats": pytest.approx(had / max(1, sum(lengths))),
        "single_time_users": sum(len({time for _, time in p}) == 1 for p in people),
        "first_time": times.min() if times.size else 0,
        "last_time": times.max() if times.size else 0,
    }


def test_text():
    _, items, times, offsets = arrays([[(1, 0), (1, 0), (2, 100)], [(3, 60)]])
    assert str(statistics(items, times, offsets, ITEMS)).splitlines() == [
        "4 events, 2 users, 5 items, density 40.0000%",
        "events per user: 1 to 3, median 2.0, mean 2.0",
        "gaps (s): median 50, 90 % 90, 99 % 99; zero: 50.00%",
        "repeated items: 25.00%; users with one single timestamp: 1",
        "from 1970-01-01 00:00:00 to 1970-01-01 00:01:40 (UTC)",
    ]
