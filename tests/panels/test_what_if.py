"""The what-if panel: its edits, its two lists, and what it is without a kernel."""

import numpy as np
import pytest

from seqrec_edu.panels import WhatIf, show
from seqrec_edu.panels.mime import PLOTLY

WIDGET = "application/vnd.jupyter.widget-view+json"


def set_to(panel, *, event=None, action=None, days=None):
    """Move the controls as a reader would."""
    if event is not None:
        panel._place.value = event + 1
    if action is not None:
        panel._action.value = action
    if days is not None:
        panel._days.value = days


def test_it_opens_with_the_last_event_removed(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3)
    items, times = panel.edited()
    assert items.tolist() == [1, 2, 3] and len(times) == 3
    assert panel.sentence == "Without event 4 (Tent): 2 up, 1 down in the top 3."
    assert [item for item, _ in panel.after()[:3]] == [3, 2, 1]


def test_move_keeps_the_event_and_sorts_by_time(shop, rank):
    panel = WhatIf(rank, shop, 0)
    set_to(panel, event=2, action="move", days=-7.5)
    items, times = panel.edited()
    assert items.tolist() == [1, 3, 2, 1] and (np.diff(times) >= 0).all()
    assert panel.sentence.startswith("Event 3 (Novel <1>) moved by -7.5 days:")


def test_keep_changes_nothing(shop, rank):
    panel = WhatIf(rank, shop, 0, action="keep")
    assert panel.edited()[0].tolist() == [1, 2, 3, 1] and "nothing changed" in panel.sentence


def test_list_and_slider_are_one_choice(shop, rank):
    panel = WhatIf(rank, shop, 0)
    panel._event.value = 0
    assert panel._place.value == 1
    panel._place.value = 3
    assert panel._event.value == 2 and "event 3" in panel.sentence


def test_a_changed_control_redraws_figure_table_and_status(shop, rank):
    panel = WhatIf(rank, shop, 0, k=3)
    before = panel._output.outputs[0]["data"][PLOTLY]["layout"]["title"]["text"]
    set_to(panel, event=1)
    assert panel._output.outputs[0]["data"][PLOTLY]["layout"]["title"]["text"] != before
    assert "event 2 (Stove)" in panel._status.value and 'role="status"' in panel._status.value
    assert panel._table.value.count("<tr>") == 4 and '<th scope="col">' in panel._table.value


def test_the_recommender_runs_once_per_new_edit(shop, rank):
    calls = []

    def counted(items, times):
        calls.append(items.tolist())
        return rank(items, times)

    panel = WhatIf(counted, shop, 0)
    assert len(calls) == 2  # the untouched history and the first edit
    set_to(panel, action="keep")
    set_to(panel, days=-3.0)
    set_to(panel, action="remove")
    assert len(calls) == 2
    set_to(panel, event=0)
    assert calls[-1] == [2, 3, 1] and len(calls) == 3


def test_the_history_is_never_changed(shop, rank):
    items, times = shop.history(0)
    shop.history = lambda user: (items, times)
    kept = items.copy(), times.copy()
    panel = WhatIf(rank, shop, 0, action="move", days=5)
    set_to(panel, event=0, days=9.0)
    assert (items == kept[0]).all() and (times == kept[1]).all()


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


def test_names_are_escaped_in_html(shop, rank):
    panel = WhatIf(rank, shop, 0, event=2)
    assert "Novel &lt;1&gt;" in panel._table.value and "Novel <1>" not in panel._table.value


def test_without_a_kernel_it_is_a_picture_and_a_text(shop, rank, monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "1")
    monkeypatch.setattr("seqrec_edu.panels.mime.picture", lambda figure: b"PNG")
    data, metadata = WhatIf(rank, shop, 0, k=3)._repr_mimebundle_()
    assert set(data) == {WIDGET, "image/png", "text/plain"}
    assert data["text/plain"].splitlines()[1:3] == [" now  before  change  item", "   1       2  ▲ 1     Novel <1>"]
    assert metadata["image/png"]["width"] == 800


def test_show_prints_the_table_or_only_what_it_is(shop, rank, notebook, capsys):
    panel = WhatIf(rank, shop, 0, k=3)
    show(panel)
    assert capsys.readouterr().out == panel.text() + "\n"
    show(panel, values=False)
    assert "Novel" not in capsys.readouterr().out
    assert all("Novel" not in data["text/plain"] for data, _ in notebook.outputs)  # compared by nbval, too


def test_every_control_can_be_reached_with_the_keyboard(shop, rank):
    panel = WhatIf(rank, shop, 0)
    assert all(control.tabbable is not False for control in (panel._place, panel._action, panel._days))


@pytest.mark.parametrize(
    ("user", "options", "message"),
    [
        (3, {}, "user must be within 0…2"),
        (-1, {}, "user must be within 0…2"),
        (1, {}, "user 1 has 1 event"),
        (2, {}, "user 2 has 0 event"),
        (0, {"event": 4}, "event must be within -4…3"),
        (0, {"action": "delete"}, '"keep", "remove" or "move"'),
    ],
)
def test_wrong_calls_explain_themselves(shop, rank, user, options, message):
    with pytest.raises(ValueError, match=message):
        WhatIf(rank, shop, user, **options)


def test_an_empty_recommendation_is_refused(shop):
    with pytest.raises(ValueError, match="empty list"):
        WhatIf(lambda items, times: [], shop, 0)
