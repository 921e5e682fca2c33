"""Pokes on one history, against the audit's dependence, Jacobians and what is known of each wiring."""

import numpy as np
import pytest
import torch
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.lens import Poker, dependence, subject
from tests.lens.conftest import MeanOfAll
from tests.lens.support import LENGTH, model

ITEMS = np.array([3, 17, 5, 5, 22, 9, 30, 1, 12])
TIMES = 970_000_000 + np.cumsum([0, 60, 86_400, 30, 0, 7200, 5, 600_000, 90])
n = len(ITEMS)


def test_a_poke_is_the_difference_of_two_passes():
    one = model("mamba4rec")
    poker = Poker(one, ITEMS, TIMES, pads=2)
    found = poker.poke(3)
    other = ITEMS.copy()
    other[3] = poker.instead(3)
    before, after = (one(Batch.of(items, TIMES, pads=2)).detach()[0, :n] for items in (ITEMS, other))
    expected = (after - before).abs().amax(-1) / before.abs().max()
    np.testing.assert_allclose(found.change[0, :n], expected, rtol=1e-9, atol=1e-15)
    assert (found.change[0, n:] == 0).all() and found.events.tolist() == [True] * n + [False] * 2
    assert other[3] != ITEMS[3] and 1 <= other[3] <= 30


@pytest.mark.parametrize("name", ["sasrec", "tim4rec", "gru4rec", "tisasrec", "mamba4rec"])
def test_what_a_causal_model_does_not_read_is_zero_to_the_last_bit(name):
    """However many pokes share a batch, and whichever place in it they have."""
    poker = Poker(model(name), ITEMS, TIMES, pads=2)
    for stream in poker.streams:
        found = poker.poke(stream=stream)
        assert found.places.tolist() == list(range(n + 2)) and not found.ahead.any()
        assert (np.tril(found.change, -1) == 0).all() and (found.change[n:] == 0).all()
    assert (np.diag(poker.poke(stream="item").change)[:n] > 0).all()


@pytest.mark.parametrize(
    ("name", "settings", "stream"),
    [("echomamba4rec", {}, "item"), ("fmlprec", {}, "item"), ("linrec", {}, "item"), ("bert4rec", {}, "item"),
     ("tisasrec", {"scale": "user"}, "time"), ("tim4rec", {"mode": "official", "history_length": LENGTH}, "time")],
)  # fmt: skip
def test_models_that_read_ahead_are_caught(name, settings, stream):
    found = Poker(subject(model(name, **settings)).moved(), ITEMS, TIMES).poke(stream=stream)
    assert found.ahead.any() and not np.triu(found.ahead).any()
    if stream == "item":
        assert found.ahead.sum() == n * (n - 1) // 2


def test_a_causal_filter_leaves_rounding_and_no_more():
    found = Poker(model("fmlprec", filter="causal"), ITEMS, TIMES).poke()
    early = found.change[np.tril_indices(n, -1)]
    assert 0 < early.max() < found.tolerance and not found.ahead.any()


def test_the_map_agrees_with_the_audits_on_what_is_read():
    one = subject(model("echomamba4rec", filter="off", backward="aligned"))
    found = Poker(one, np.resize(ITEMS, LENGTH), 970_000_000 + 4000 * np.arange(LENGTH)).poke()
    assert (dependence(one)["item"][:LENGTH, :LENGTH] == found.moved.T).all()


def test_pads_by_content_and_by_number():
    clean, official = (model("echomamba4rec", mode=mode) for mode in ("corrected", "official"))
    for one, read in ((clean, False), (official, True)):
        poker = Poker(one, ITEMS, TIMES, pads=3)
        pads = poker.poke(*range(n, n + 3), stream="both")
        assert pads.moved[:, :n].any() == read and not pads.ahead.any()
        assert poker.apart(Poker(one, ITEMS, TIMES)) < poker.tolerance  # official fills its rows anyhow
    left = Poker(clean, ITEMS, TIMES, pads=3, side="left")
    assert left.events.tolist() == [False] * 3 + [True] * n
    assert left.apart(Poker(clean, ITEMS, TIMES)) > 1e-3 and left.poke(0, stream="both").moved[0, 3:].all()


def test_pads_in_front_are_the_past_of_a_causal_model():
    poker = Poker(model("mamba4rec"), ITEMS, TIMES, pads=2, side="left")
    found = poker.poke(1, 4)
    assert found.moved[0, 2:].any() and (found.change[1, :4] == 0).all() and (found.change[:, :2] == 0).all()
    assert poker.apart(Poker(poker.subject, ITEMS, TIMES)) > 0


def test_times_are_read_by_those_who_read_them():
    assert not Poker(model("sasrec"), ITEMS, TIMES).poke(stream="time").change.any()
    assert Poker(model("tim4rec"), ITEMS, TIMES).poke(4, stream="time").moved[0, 4:].any()


def test_one_event():
    for stream in ("item", "time", "both"):
        assert Poker(model("tim4rec"), [4], [9]).poke(stream=stream).change.shape == (1, 1)


def test_a_learners_module_of_items_and_one_in_float32_only():
    class Learner(nn.Module):
        def __init__(self):
            super().__init__()
            self.items, self.rnn = nn.Embedding(31, 8), nn.GRU(8, 8, batch_first=True)

        def forward(self, item):
            return self.rnn(self.items(item.long()).float())[0].float()

    poker = Poker(Learner(), ITEMS, TIMES)
    assert poker.streams == ("item",)
    found = poker.poke()
    assert not found.ahead.any() and np.diag(found.change).min() > 0
    assert not poker.poke(stream="time").change.any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Poker(model("sasrec"), ITEMS, TIMES, side="top"), "side must be one of right, left"),
        (lambda: Poker(model("sasrec"), [], []), "at least one event"),
        (lambda: Poker(model("sasrec"), ITEMS, TIMES[:-1]), "at least one event"),
        (lambda: Poker(model("sasrec"), ITEMS, TIMES).poke(stream="place"), "stream must be one of item, time, both"),
        (lambda: Poker(model("sasrec"), ITEMS, TIMES, pads=1).poke(n + 1), "places must be among 0…9"),
        (lambda: Poker(MeanOfAll(), ITEMS, TIMES), "no items: a history cannot be given to it"),
    ],
)
def test_wrong_calls(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_outputs_that_are_no_numbers_are_an_error():
    broken = model("sasrec")
    with torch.no_grad():
        broken.feed_forwards[0].norm.weight[:] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        Poker(broken, ITEMS, TIMES)


def test_the_model_stays_as_it_was():
    one = model("tim4rec").train()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    Poker(one, ITEMS, TIMES).poke(2)
    assert one.training and all(torch.equal(before[name], value) for name, value in one.state_dict().items())
