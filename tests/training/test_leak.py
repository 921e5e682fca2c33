"""The deliberate leak: a circular filter, forced to train at every position, against one that reads no later event.

In a world whose ceiling is known, reading ahead is not a matter of opinion: who scores more than the truth allows has
seen the answer. The same weights then fail where the next item is truly absent, which is the only place of any use.
"""

import pytest

from seqrec_edu.data.synthetic import world
from seqrec_edu.models import build
from seqrec_edu.training import FitSettings, NotCausal, evaluate, fit
from seqrec_edu.training.ceiling import Leaking, against_ceiling, every_position, fresh_users

LENGTH = 20
WORLD = world("noise-hmm", items=20)
SETTINGS = FitSettings(epochs=16, batch_size=256, history_length=LENGTH, learning_rate=1e-2, validate_every=16)


@pytest.fixture(scope="module")
def split():
    return fresh_users(WORLD, 120, valid=60, test=400, seed=1, length=LENGTH)


@pytest.fixture(scope="module")
def strangers():
    """Whole histories of people nobody is trained on: what a model knows by heart does not help with them."""
    return fresh_users(WORLD, 120, valid=1, test=1, seed=2, length=LENGTH)


def filtered(kind):
    return build("fmlprec", n_items=20, d_model=16, n_layers=1, dropout=0.0, history_length=LENGTH, filter=kind)


@pytest.fixture(scope="module")
def measured(split, strangers):
    """Both filters, trained alike: at every position of a window, and where the next item is absent."""
    found = {}
    for kind in ("circular", "causal"):
        model = filtered(kind)
        model.causal = True  # for one of them a lie: exactly what `fit` refuses to go along with
        fit(model, split, SETTINGS, device="cpu")
        inside = every_position(model, strangers, history_length=LENGTH)
        absent = evaluate(model, split, "test", history_length=LENGTH, resamples=0)
        found[kind] = against_ceiling(inside, WORLD, strangers), against_ceiling(absent, WORLD, split)
    return found


def test_the_lie_is_needed(split):
    with pytest.raises(NotCausal, match="find each target in its own input"):
        fit(filtered("circular"), split, SETTINGS)
    assert filtered("causal").causal


def test_a_circular_filter_scores_above_the_ceiling_where_the_answer_stands_in_the_input(measured):
    inside, _ = measured["circular"]
    assert {each.metric for each in inside.leaking} == {"HR@1", "HR@10", "NDCG@10"}
    assert inside.standings["HR@1"].low > inside.standings["HR@1"].ceiling + 0.2
    with pytest.raises(Leaking, match=r"HR@1 and HR@10 and NDCG@10 cannot be reached from what came before the target"):
        inside.check()


def test_and_collapses_where_it_does_not(measured):
    inside, absent = measured["circular"]
    assert not absent.leaking
    assert absent.standings["HR@1"].high < 0.25 * inside.standings["HR@1"].low
    assert absent.standings["HR@1"].high < 0.25 * absent.standings["HR@1"].ceiling
    assert absent.standings["HR@1"].high < measured["causal"][1].standings["HR@1"].low


def test_a_causal_filter_does_neither(measured):
    inside, absent = measured["causal"]
    for each in (inside, absent):
        assert each.check() is each and not each.leaking
        assert each.standings["NDCG@10"].value > 0.7 * each.standings["NDCG@10"].ceiling
    # Positions early in a history have less past, so that they are harder: no better than the ends.
    assert inside.standings["HR@1"].value <= absent.standings["HR@1"].high
