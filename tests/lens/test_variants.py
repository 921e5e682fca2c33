"""The same model wired otherwise: which wirings there are, what comes of them, and why others are refused."""

import pytest
from torch import nn

from seqrec_edu.lens import rewired, wiring
from seqrec_edu.lens.variants import AXES, filled_to, reads_ahead, small_models, why_not
from seqrec_edu.models import MODELS, build
from tests.lens.conftest import SIZES, small


def test_how_models_are_wired():
    assert wiring(small("echomamba4rec")) == {"filter": "circular", "direction": "both", "mode": "corrected"}
    assert wiring(small("echomamba4rec", filter="off", backward="reversed")) == {
        "filter": "none", "direction": "both", "mode": "corrected"}  # fmt: skip
    assert wiring(small("fmlprec", filter="causal"))["filter"] == "causal"
    assert wiring(small("sasrec")) == {"filter": "none", "direction": "forward", "mode": None}
    assert wiring(small("tisasrec", scale="user"))["mode"] == "official"
    assert wiring(small("ssd4rec", beta=0.3))["direction"] == "both"
    assert wiring(nn.Linear(2, 2)) == dict.fromkeys(AXES)


@pytest.mark.parametrize("name", MODELS)
def test_every_wiring_is_had_or_refused_with_a_reason(name):
    model = small(name)
    for axis, words in AXES.items():
        for word in words:
            if why_not(model, axis, word):
                with pytest.raises(ValueError, match="cannot be had"):
                    rewired(model, {axis: word})
            else:
                assert wiring(rewired(model, {axis: word}))[axis] == word


def test_what_is_so_already_is_not_built_again():
    model = small("echomamba4rec")
    assert rewired(model, {"filter": "circular", "mode": None}) is model and rewired(model, {}) is model
    other = rewired(model, {"filter": "causal", "direction": "forward"})
    assert other.causal and other.config.d_model == model.config.d_model and other is not model


def test_the_seed_decides_the_weights():
    model = build("echomamba4rec", **{key: SIZES[key] for key in ("n_items", "d_model", "d_state")})
    first, again, another = (rewired(model, {"filter": "none"}, seed=seed) for seed in (0, 0, 1))
    weights = [each.item_embedding.weight for each in (first, again, another)]
    assert (weights[0] == weights[1]).all() and (weights[0] != weights[2]).any()


def test_tim4rec_as_released_comes_back_corrected():
    official = small("tim4rec", mode="official", time_dropout=0.2, p2p_residual=True, history_length=12)
    corrected = rewired(official, {"mode": "corrected"})
    assert corrected.causal and not official.causal


def test_settings_that_exclude_each_other_say_so():
    with pytest.raises(ValueError, match="running"):
        rewired(small("mlsa4rec"), {"direction": "forward", "mode": "official"})
    with pytest.raises(ValueError, match="no wiring colour"):
        rewired(small("sasrec"), {"colour": "red"})


def test_who_reads_ahead_is_who_declares_no_causality():
    for name in MODELS:
        model = small(name)
        assert bool(reads_ahead(model, "item")) == (not model.causal), name
    assert reads_ahead(small("tisasrec", scale="user"), "time") and not reads_ahead(small("tisasrec"), "time")
    assert reads_ahead(small("tim4rec", mode="official", history_length=12), "time")
    assert not reads_ahead(nn.Linear(2, 2), "item")


def test_who_fills_rows():
    assert filled_to(small("echomamba4rec", mode="official", history_length=12)) == 12
    assert filled_to(small("tim4rec", mode="official", history_length=12)) == 12
    assert filled_to(small("echomamba4rec")) is None and filled_to(small("sasrec")) is None
    assert filled_to(nn.Linear(2, 2)) is None
    wired = {"mlsa4rec": {"attention": "off"}, "echomamba4rec": {"filter": "off", "backward": "off"}}
    for name, without in wired.items():  # with what reads the pads the filling goes too
        official = {"mode": "official", "history_length": 12}
        assert filled_to(small(name, **official)) == 12 and filled_to(small(name, **official, **without)) is None


def test_small_models_share_their_sizes():
    for name, model in small_models(30, 20).items():
        assert type(model).__name__ == name and model.config.d_model == 16 and model.config.n_items == 30
