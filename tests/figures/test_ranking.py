"""Ranked lists: bars in order, and a comparison that agrees with the definition of each change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu.figures import change_table, rank_changes, top_k_bars, top_k_change
from seqrec_edu.figures.events import Events
from seqrec_edu.figures.ranking import change_summary
from seqrec_edu.figures.text import plain

BEFORE = [(1, 0.4), (2, 0.3), (3, 0.2), (4, 0.1)]
AFTER = [(2, 0.5), (1, 0.3), (4, 0.2), (9, 0.1)]


def test_bars_keep_the_order_and_mark_the_highlight():
    bar = top_k_bars(["a", "b", "c"], [0.5, 0.25, 0.125], highlight=["b"], note="came next").data[0]
    assert list(bar.y) == [1, 2, 3] and list(bar.x) == [0.5, 0.25, 0.125]
    assert list(bar.text) == ["0.500", "0.250  ◀ came next", "0.125"]
    assert bar.marker.color[1] != bar.marker.color[0] == bar.marker.color[2]


def test_counts_are_written_whole_and_equal_names_stay_apart():
    figure = top_k_bars(["a", "a"], [1200, 3])
    assert list(figure.data[0].text) == ["1,200", "3"] and len(figure.layout.yaxis.ticktext) == 2


@pytest.mark.parametrize("scores", [[0.1, 0.2], [0.1], [float("nan"), 0.1], []])
def test_bars_refuse_what_is_no_ranked_list(scores):
    with pytest.raises(ValueError, match=r"sorted|one score"):
        top_k_bars(["a", "b"], scores)


def test_each_change_has_its_kind_and_mark():
    found = {c.item: (c.kind, c.mark) for c in rank_changes(BEFORE, AFTER, k=3)}
    assert found == {2: ("up", "▲ 1"), 1: ("down", "▼ 1"), 4: ("enters", "was 4"), 3: ("leaves", "out")}
    assert rank_changes(BEFORE, [(9, 1.0)], k=1)[0].mark == "new"
    assert {c.mark for c in rank_changes(BEFORE, BEFORE)} == {"="}
    assert change_summary(rank_changes(BEFORE, BEFORE)) == "nothing changed"
    assert change_summary(rank_changes(BEFORE, AFTER, k=3)) == "1 new, 1 out, 1 up, 1 down"


ranked = st.lists(st.integers(1, 30), min_size=1, max_size=20, unique=True)


@given(ranked, ranked, st.integers(1, 12))
def test_changes_agree_with_the_lists(first, second, k):
    changes = rank_changes([(i, 0.0) for i in first], [(i, 0.0) for i in second], k=k)
    assert [c.item for c in changes][: len(second[:k])] == second[:k]
    assert {c.item for c in changes} == set(first[:k]) | set(second[:k])
    for c in changes:
        assert (c.before, c.after) == tuple(s.index(c.item) + 1 if c.item in s else None for s in (first, second))
        was, now = c.item in first[:k], c.item in second[:k]
        assert c.kind in {(1, 1): ("same", "up", "down"), (0, 1): ("enters",), (1, 0): ("leaves",)}[was, now]


@settings(max_examples=20, deadline=None)
@given(ranked, ranked)
def test_the_figure_names_every_place_once(first, second):
    figure = top_k_change([(i, 0.0) for i in first], [(i, 0.0) for i in second], k=10)
    ends = [end for t in figure.data if t.mode == "markers+text" for end in zip(t.x, t.y, t.text, strict=True)]
    for side, items in ((0, first[:10]), (1, second[:10])):
        shown = {y: text for x, y, text in ends if x == side}
        assert len(shown) == sum(x == side for x, _, _ in ends) == len(items)
        assert all(f"item {item}" in shown[rank] for rank, item in enumerate(items, 1))
    assert all(text.strip() for _, _, text in ends)  # plotly.js loses the neighbours of an empty label


def test_the_table_says_the_same_as_the_figure():
    assert change_table(BEFORE, AFTER, ["", "Tent", "Stove", "Novel", "Lamp", *"     ", "Map"], k=3).splitlines() == [
        " now  before  change  item",
        "   1       2  ▲ 1     Stove",
        "   2       1  ▼ 1     Tent",
        "   3       4  was 4   Lamp",
        "   –       3  out     Novel",
    ]


def test_names_may_be_a_mapping_and_must_be_complete():
    assert "Tent" in str(top_k_change([(1, 1.0)], [(1, 1.0)], {1: "Tent"}).data[1].text)
    for names in (["<pad>"], {2: "Stove"}):
        with pytest.raises(ValueError, match="holds item 1"):
            top_k_change([(1, 1.0)], [(1, 1.0)], names)


@pytest.mark.parametrize(
    ("before", "after", "k", "message"),
    [([], AFTER, 3, '"before" is empty'), (BEFORE, [(1, 1.0), (1, 0.5)], 3, "twice"), (BEFORE, AFTER, 0, "at least 1")],
)
def test_what_is_no_comparison_is_refused(before, after, k, message):
    with pytest.raises(ValueError, match=message):
        rank_changes(before, after, k=k)


def test_arrays_of_pairs_are_accepted():
    assert rank_changes(list(zip(np.array([3, 1]), np.array([0.9, 0.1]), strict=True)), AFTER, k=2)[0].item == 2


def test_html_in_a_name_is_shown_and_not_obeyed():
    odd = "<b>bold</b> & <i>it</i> flour"
    shown = "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;i&gt;it&lt;/i&gt; flour"
    assert shown in top_k_bars([odd], [0.5]).layout.yaxis.ticktext[0]
    figure = top_k_change([(1, 0.5)], [(1, 0.5)], ["<pad>", odd], k=1)
    assert all(shown in text for trace in figure.data for text in trace.text or ())
    assert (
        Events(1, [odd]).labels == [f"1: {shown}"] and shown[:20] in Events(1, [odd]).ticks(named=True)["ticktext"][0]
    )
    assert odd in plain(Events(1, [odd]).labels[0]) and odd in change_table([(1, 0.5)], [(1, 0.5)], ["<pad>", odd], k=1)
