"""The lab: its edits of times, what the scales and masks make of them, and what it says where times say nothing."""

import numpy as np
import pytest

from seqrec_edu.data.person import Person
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.figures.heat import values_of
from seqrec_edu.models import build
from seqrec_edu.panels.time_lab import TimeMaskLab

DATA = shoppers(users=30, seed=0)
DAY = 86_400
NAMES = ["", *(f"item {i}" for i in range(1, 31))]
PERSON = Person([3, 17, 5, 8, 22], 1_700_000_000 + np.cumsum([0, 40, 3600, 3 * DAY, 600]), NAMES)


@pytest.fixture
def lab():
    return TimeMaskLab(PERSON)


def line(panel, name, row):
    """One line of the picture."""
    return next(t for t in panel.figure.data if t.name == name and t.yaxis == f"y{row if row > 1 else ''}")


def test_it_opens_at_the_event_after_the_longest_gap(lab):
    assert lab._event.value == 4 and lab.figure.layout.shapes[-1].x0 == 3.6
    np.testing.assert_allclose(line(lab, "seconds", 1).y, [0.1, 40, 3600, 3 * DAY, 600])
    assert lab.sentence.startswith("In float32 seconds ") and "Beside the longest, 3 days," in lab.sentence


def test_moving_an_event_changes_two_gaps(lab):
    lab._move.value = -DAY
    np.testing.assert_allclose(line(lab, "seconds", 1).y, [0.1, 40, 3600, 2 * DAY, DAY + 600])
    lab._move.value = 0
    np.testing.assert_allclose(line(lab, "seconds", 1).y, [0.1, 40, 3600, 3 * DAY, 600])


def test_an_event_moved_past_others_takes_its_item_along(lab):
    lab._move.value = -7 * DAY
    assert lab._person.items.tolist() == [8, 3, 17, 5, 22] and lab._place == 0
    assert lab.figure.layout.shapes[-1].x0 == 0.6 and "Of event 1 the last state" in lab.sentence


def test_what_was_moved_stays_when_another_is_chosen(lab):
    lab._move.value = -DAY
    lab._event.value = 5
    assert lab._move.value == 0
    lab._move.value = DAY
    np.testing.assert_allclose(line(lab, "seconds", 1).y[3:], [2 * DAY, 2 * DAY + 600])
    lab._reset.click()
    assert (lab._person.times == PERSON.times).all() and lab._move.value == 0


def test_a_pause_flattens_the_official_form_but_not_the_corrected(lab):
    before = {form: np.ptp(line(lab, form, 2).y[[1, 2, 4]]) for form in ("official", "corrected")}
    lab._pause.click()
    assert line(lab, "seconds", 1).y[3] == 33 * DAY
    after = {form: np.ptp(line(lab, form, 2).y[[1, 2, 4]]) for form in ("official", "corrected")}
    assert after["official"] < 0.2 * before["official"] and after["corrected"] == before["corrected"]


def test_pads_flatten_it_too_and_the_mask_follows(lab):
    alone = line(lab, "official", 4).y.copy()
    lab._pads.value = 150
    assert np.ptp(line(lab, "official", 2).y) < 0.01 < np.ptp(line(lab, "corrected", 2).y)
    assert "Beside the first of 150 pads, whose gap is minus a date," in lab.sentence
    assert (line(lab, "official", 4).y[:4] != alone[:4]).all()
    np.testing.assert_allclose(line(lab, "without times", 4).y[-1], 1)


def test_the_same_second_until_there_is_nothing_to_normalise(lab):
    for event in (2, 3, 4, 5):
        lab._event.value = event
        lab._same.click()
    assert not lab._person.timed
    assert lab.sentence.startswith("All events happened at the same second: there is nothing to normalise.")
    assert lab.figure.layout.title.text == "<b>The mask without times</b>" and "official" not in lab.sentence
    np.testing.assert_allclose(values_of(lab.figure.data[0]), lab._masks.kept["without times"][0], atol=1e-6)
    lab._reset.click()
    assert "float32" in lab.sentence


def test_a_history_without_times_or_with_one_event():
    for person in (Person([1, 2, 3], [7, 7, 7], NAMES), Person([4], [7], NAMES)):
        lab = TimeMaskLab(person)
        assert "nothing to normalise" in lab.sentence and len(lab.table.cells) == len(person)


def test_relations_and_their_unit(lab):
    lab._view.value = "relations"
    assert values_of(lab.figure.data[0])[2, 1] == 90 and "units of 40 s" in lab.sentence
    lab._unit.value = "raw"
    assert values_of(lab.figure.data[0])[1, 0] == 40 and "units of 1 s" in lab.sentence


def test_masks_side_by_side(lab):
    lab._view.value = "masks"
    assert [note.text for note in lab.figure.layout.annotations] == ["without times", "official", "corrected"]
    first = values_of(lab.figure.data[2])
    lab._head.value = 1
    assert not np.allclose(first, values_of(lab.figure.data[2]))


def test_given_models_are_used_and_rows_of_one_length_fix_the_pads():
    official = build("tim4rec", n_items=30, d_model=16, head_dim=8, mode="official", history_length=20)
    rival = build("tisasrec", n_items=30, d_model=16, span=9, scale="running")
    lab = TimeMaskLab(PERSON, {"a": official, "b": rival})
    assert lab._pads.disabled and lab._pads.value == 15 and lab._by.value == "layer"
    assert lab._unit.value == "running" and line(lab, "TiSASRec's bucket", 3).y.max() == 9
    assert lab.sentence.endswith("official as given, corrected at first weights.")
    lab._by.value = "plain"
    assert lab._pads.disabled and "one length" in lab._pads.tooltip


def test_the_layers_map_needs_whole_rows(lab):
    lab._pads.value = 3
    lab._by.value = "layer"
    assert lab._pads.disabled and lab._pads.value == 195 and "first weights in both forms" in lab.sentence
    lab._by.value = "plain"
    assert not lab._pads.disabled


def test_another_person_starts_unedited():
    lab = TimeMaskLab(DATA, user=3)
    lab._move.value = 3600
    lab._people.control.value = 5
    assert lab._move.value == 0 and (lab._person.times == DATA.history(5)[1]).all() and lab._event.max == 30


def test_one_drawing_for_one_change(lab):
    before = lab.plot.revision
    lab._pause.click()
    lab._move.value = 3600
    lab._event.value = 2
    lab._by.value = "layer"
    assert lab.plot.revision == before + 4


def test_what_it_is_without_a_picture(lab):
    sentence, figure, *rows = lab.digest().splitlines()
    assert sentence == lab.sentence and figure.startswith("Figure: The times of somebody, as models read them")
    assert rows[0].startswith("event") and len(rows) == 6 and "seqrec-time-lab" in lab._dom_classes


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"event": 6}, "event must be within 1…5"),
        ({"pads": 201}, "pads must be within 0…200"),
        ({"head": 4}, "head must be within 0…3"),
        ({"scale": "daily"}, "scale must be one of user, running, raw"),
        ({"by": "hand"}, "by must be one of plain, layer"),
        ({"show": "film"}, "show must be one of scales, relations, masks"),
        ({"models": build("sasrec", n_items=30, d_model=16)}, "only a TiM4Rec and a TiSASRec"),
        ({"models": build("tim4rec", n_items=9, d_model=16)}, "built for another dataset"),
    ],
)
def test_wrong_calls_explain_themselves(more, words):
    with pytest.raises(ValueError, match=words):
        TimeMaskLab(PERSON, **more)
    with pytest.raises(ValueError, match="expected a person"):
        TimeMaskLab(None)
