"""The what-if panel: its edits, its two lists, its reasons, and what it is without a kernel."""

import numpy as np
import pytest
import torch

from seqrec_edu.data import Histories, leave_one_out
from seqrec_edu.lens import attribution, mixing_matrix
from seqrec_edu.models import MostRecent, build
from seqrec_edu.panels import show
from seqrec_edu.panels.subjects import batch_of
from seqrec_edu.panels.what_if import WhatIf
from tests.panels.conftest import DAY, LABELS

WIDGET = "application/vnd.jupyter.widget-view+json"
FIRST = 1_700_000_000


@pytest.fixture
def shop():
    """Three people: one with four events, one with a single event, one with none."""
    items = np.array([1, 2, 3, 1, 4], dtype=np.int32)
    times = FIRST + DAY * np.array([0, 1, 8, 9, 0], dtype=np.int64)
    return Histories(items, times, np.array([0, 4, 5, 5]), LABELS, ["a", "b", "c"])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build("tim4rec", n_items=6, d_model=16, d_state=4, head_dim=8, chunk_size=7)


def set_to(panel, *, event=None, action=None, days=None):
    """Move the controls as a reader would."""
    if event is not None:
        panel._edits.place.value = event + 1
    if action is not None:
        panel._edits.action.value = action
    if days is not None:
        panel._edits.days.value = days


def edited(panel):
    cards = panel._edits.edited()
    return cards.items, cards.times


def shown(panel):
    """The figure as the page has it."""
    return panel.plot.figure


def test_it_opens_with_the_last_event_removed(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3)
    items, times = edited(panel)
    assert items.tolist() == [1, 2, 3] and len(times) == 3
    assert panel.sentence == "Without event 4 (Tent): 2 up, 1 down in the top 3."
    assert [item for item, _ in panel.after()[:3]] == [3, 2, 1]


def test_move_keeps_the_event_and_sorts_by_time(shop, rank):
    panel = WhatIf(rank, shop, 0)
    set_to(panel, event=2, action="move", days=-7.5)
    items, times = edited(panel)
    assert items.tolist() == [1, 3, 2, 1] and (np.diff(times) >= 0).all()
    assert panel.sentence.startswith("Event 3 (Novel <1>) moved by -7.5 days:")


def test_keep_changes_nothing(shop, rank):
    panel = WhatIf(rank, shop, 0, action="keep")
    assert edited(panel)[0].tolist() == [1, 2, 3, 1] and "nothing changed" in panel.sentence


def test_list_and_slider_are_one_choice_and_draw_once(shop, rank):
    panel = WhatIf(rank, shop, 0)
    drawn = panel.plot.revision
    panel._edits.event.value = 0
    assert panel._edits.place.value == 1
    panel._edits.place.value = 3
    assert panel._edits.event.value == 2 and "event 3" in panel.sentence
    assert panel.plot.revision == drawn + 2


def test_an_item_is_found_by_a_part_of_its_name_and_added_on_a_day(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3, action="add")
    assert panel.sentence.startswith("Nothing added yet") and "nothing changed" in panel.sentence
    panel._edits.item.value = "lam"
    assert panel._edits.item.options == ("Lamp",)
    items, times = edited(panel)
    assert items.tolist() == [1, 2, 3, 1, 4] and times[-1] == times[-2]  # at the end
    assert panel.sentence.startswith("With Lamp added on day 9.0:") and panel.after()[0][0] in (1, 4)
    panel._edits.day.value = 0.5
    assert edited(panel)[0].tolist() == [1, 4, 2, 3, 1]
    panel._edits.item.value = "o"  # Stove, Novel, Rope
    assert panel._edits.edited() is panel._edits.steps[0] and len(panel._edits.item.options) == 3
    assert panel.sentence.startswith('3 items fit "o", choose one of the list:')


def test_edits_can_be_kept_undone_and_forgotten(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3)
    panel._edits.take.click()
    assert panel._edits.action.value == "keep" and len(panel._edits.event.options) == 3
    assert panel.sentence == "After 1 edit: 2 up, 1 down in the top 3."
    set_to(panel, event=0, action="remove")
    assert panel.sentence.startswith("After 1 edit, without event 1 (Tent):") and edited(panel)[0].tolist() == [2, 3]
    panel._edits.take.click()
    assert panel.sentence.startswith("After 2 edits:") and edited(panel)[0].tolist() == [2, 3]
    panel._edits.undo.click()
    assert edited(panel)[0].tolist() == [1, 2, 3]
    set_to(panel, event=1, action="move", days=-0.5)
    panel._edits.take.click()
    assert any("↔" in row for row, _ in panel._edits.event.options)
    panel._edits.reset.click()
    assert edited(panel)[0].tolist() == [1, 2, 3, 1] and "nothing changed" in panel.sentence
    assert panel._edits.undo.disabled and panel._edits.take.disabled


def test_a_changed_control_redraws_figure_table_and_status(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3)
    before = shown(panel)["layout"]["title"]["text"]
    set_to(panel, event=1)
    assert shown(panel)["layout"]["title"]["text"] != before
    assert "event 2 (Stove)" in panel._status.value and 'role="status"' in panel._status.value
    assert panel._table.value.count("<tr>") == 4 and '<th scope="col">' in panel._table.value


def test_the_recommender_runs_once_per_new_history(shop, rank):
    calls = []

    def counted(items, times):
        calls.append(items.tolist())
        return rank(items, times)

    panel = WhatIf(counted, shop, 0)
    assert len(calls) == 2  # the untouched history and the first edit
    set_to(panel, action="keep")
    set_to(panel, days=-3.0)
    set_to(panel, action="remove")
    panel._edits.take.click()
    assert len(calls) == 2
    panel._edits.reset.click()
    set_to(panel, event=0, action="remove")
    assert calls[-1] == [2, 3, 1] and len(calls) == 3


def test_the_history_is_never_changed(shop, rank):
    kept = shop.items.copy(), shop.times.copy()
    panel = WhatIf(rank, shop, 0, action="move", days=5)
    set_to(panel, event=0, days=9.0)
    panel._edits.take.click()
    assert (shop.items == kept[0]).all() and (shop.times == kept[1]).all()


def test_an_error_of_the_recommender_is_shown_and_the_panel_lives_on(shop, rank):
    def fragile(items, times):
        if len(items) == 3 and items[0] == 2:
            raise RuntimeError("no <model>")
        return rank(items, times)

    panel = WhatIf(fragile, shop, 0)
    set_to(panel, event=0)
    assert 'role="alert"' in panel._status.value and "no &lt;model&gt;" in panel._status.value
    set_to(panel, event=1)
    assert 'role="status"' in panel._status.value


def test_another_person_has_other_cards_and_one_without_a_choice_is_an_alert(shop, rank):
    panel = WhatIf(rank, shop, 0)
    panel._people.control.value = 1
    assert 'role="alert"' in panel._status.value and "user 1 has 1 event" in panel._status.value
    panel._people.control.value = 2
    assert "no events" in panel._status.value
    panel._people.control.value = 0
    assert 'role="status"' in panel._status.value and len(panel._edits.event.options) == 4


def test_a_person_alone_has_no_choice_of_users(shop, rank):
    panel = WhatIf(rank, shop.user(0))
    assert panel._people.controls == [] and panel.sentence == WhatIf(rank, shop, 0).sentence


def test_names_are_escaped_in_html(shop, rank):
    panel = WhatIf(rank, shop, 0, event=2)
    assert "Novel &lt;1&gt;" in panel._table.value and "Novel <1>" not in panel._table.value


# --- reasons ---------------------------------------------------------------------------------------------------------


def test_the_reasons_are_the_attribution_and_the_row_of_the_chosen_head(shop, model):
    person = shop.user(0)
    panel = WhatIf(model, person, action="keep", k=3, show="reasons")
    target, head = panel._target.options[1][1], 1
    panel._target.value, panel._head.value = target, head
    effects = attribution(model, person.items, person.times, target=target).effect()[:, 0]
    row = mixing_matrix(model, batch_of(model, person), layer="ssds.0").history()[head][-1]
    first, second = panel.figure.data
    np.testing.assert_allclose(np.asarray(first.x), effects, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(second.x), row, rtol=1e-5)
    assert f"event {np.abs(effects).argmax() + 1} (" in panel.sentence and "ssds.0, head 1 reads most" in panel.sentence
    assert panel.sentence.startswith(f"{person.label(target)} at rank 2, nothing edited:")
    assert len(panel.table.cells) == 4 and panel.table.header[-1] == "weight in the row"


def test_the_reasons_are_those_of_the_edited_history(shop, model):
    panel = WhatIf(model, shop.user(0), event=1, show="reasons")
    assert len(panel.figure.data[0].x) == 3 and "Stove" not in [cells[0][2:] for cells in panel.table.cells]
    runs = []
    model.register_forward_pre_hook(lambda *_: runs.append(1))
    panel._target.value = panel._target.options[2][1]
    assert not runs  # one attribution serves all items of the list


def test_a_function_gives_the_reasons_of_running_it_again(shop, rank):
    panel = WhatIf(rank, shop.user(0), action="keep", k=3, show="reasons")
    (bars,) = panel.figure.data
    items, times = shop.history(0)
    whole, target = dict(rank(items, times)), panel._target.value
    without = [dict(rank(np.delete(items, i), np.delete(times, i)))[target] for i in range(4)]
    np.testing.assert_allclose(np.asarray(bars.x), whole[target] - np.array(without), rtol=1e-6)
    assert panel.sentence.endswith("a function has no mixing matrix whose row could be shown.")
    assert panel._layer.layout.display == "none" and panel._target.layout.display is None


def test_what_leaves_a_short_list_loses_at_least_so_much(shop):
    def two(items, times):
        score = {int(item): 10 * int((items == item).sum()) - int(item) for item in items}
        return sorted(score.items(), key=lambda pair: -pair[1])[:2]

    panel = WhatIf(two, shop.user(0), action="keep", k=2, show="reasons")
    panel._target.value = 2  # without its only event the Novel takes its place, one point below
    assert "taking out event 2 (Stove) lowers its score most, by at least 1;" in panel.sentence


def test_a_baseline_is_attributed_without_a_row(shop):
    panel = WhatIf(MostRecent().fit(leave_one_out(shop)), shop.user(0), k=3, show="reasons")
    assert "MostRecent has no mixing matrix" in panel.sentence


def test_without_times_it_says_so(shop, rank):
    person = shop.user(0)
    panel = WhatIf(rank, person.edited(person.items, np.full(4, FIRST)))
    assert "have no times" in panel.sentence and "have no times" not in WhatIf(rank, person).sentence


# --- without a kernel ------------------------------------------------------------------------------------------------


def test_without_a_kernel_it_is_a_picture_and_a_text(shop, rank, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "1")
    monkeypatch.setattr("seqrec_edu.panels.mime.picture", lambda *_: b"PNG")
    panel = WhatIf(rank, shop, 0, k=3)
    data, metadata = panel.bundle()
    assert {WIDGET, "image/png", "text/plain"} <= set(data) and data["text/plain"] == "[What if]"
    assert metadata["image/png"]["width"] == 800
    assert panel.digest().splitlines()[2:4] == [" now  before  change  item", "   1       2  ▲ 1     Novel <1>"]


def test_show_prints_the_table_or_only_what_it_is(shop, rank, notebook, capsys):
    panel = WhatIf(rank, shop, 0, k=3)
    show(panel)
    assert capsys.readouterr().out == panel.digest() + "\n"
    show(panel, values=False)
    assert "Novel" not in capsys.readouterr().out
    assert all("Novel" not in data["text/plain"] for data, _ in notebook.outputs)  # compared by nbval, too


def test_every_control_can_be_reached_with_the_keyboard(shop, rank):
    edits = WhatIf(rank, shop, 0)._edits
    controls = (edits.place, edits.action, edits.days, edits.item, edits.day, edits.take, edits.undo, edits.reset)
    assert all(control.tabbable is not False for control in controls)
    assert all(control.description for control in controls if hasattr(control, "description") and control.description)


@pytest.mark.parametrize(
    ("user", "options", "message"),
    [
        (3, {}, "user must be in 0..2"),
        (-1, {}, "user must be in 0..2"),
        (1, {}, "user 1 has 1 event"),
        (2, {}, "user 2 has no events"),
        (0, {"event": 4}, "event must be within -4…3"),
        (0, {"action": "delete"}, "keep, remove, move, add"),
        (0, {"show": "why"}, "top, reasons"),
    ],
)
def test_wrong_calls_explain_themselves(shop, rank, user, options, message):
    with pytest.raises(ValueError, match=message):
        WhatIf(rank, shop, user, **options)


def test_an_empty_recommendation_is_refused(shop):
    with pytest.raises(ValueError, match="empty list"):
        WhatIf(lambda items, times: [], shop, 0)


def test_a_model_of_another_dataset_is_refused(shop):
    with pytest.raises(ValueError, match="built for another dataset"):
        WhatIf(build("sasrec", n_items=9, d_model=16), shop.user(0))
    with pytest.raises(ValueError, match="expected a model or a function"):
        WhatIf("sasrec", shop.user(0))


def test_the_only_event_stays_and_an_edit_of_nothing_cannot_be_kept(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3)
    for _ in range(3):
        set_to(panel, action="remove")
        panel._edits.take.click()
    set_to(panel, action="remove")
    assert len(edited(panel)[0]) == 1 and panel._edits.take.disabled
    assert panel.sentence.startswith("After 3 edits, the only event stays")
    panel = WhatIf(rank, shop, 0, k=3, action="move")
    set_to(panel, days=0.0)
    assert panel._edits.take.disabled
    set_to(panel, days=-3.0)
    assert not panel._edits.take.disabled


def test_all_names_that_fit_are_counted_though_not_all_are_offered(rank):
    names = ["<pad>", *(f"Lamp {n}" for n in range(50))]
    many = Histories(np.array([1, 2], np.int32), np.array([FIRST, FIRST + DAY]), np.array([0, 2]), names, ["a"])
    panel = WhatIf(rank, many, 0, k=3, action="add")
    panel._edits.item.value = "lamp"
    assert '50 items fit "lamp"' in panel._edits.said() and len(panel._edits.item.options) == 40
