"""Sizes that no model can have are refused by name, before anything is built; and how long a history may be."""

from dataclasses import fields
from typing import get_args, get_type_hints

import pytest
import torch

from seqrec_edu.data.batches import Batch
from seqrec_edu.models import MODELS, MLSA4Rec, MLSA4RecConfig, build
from tests.models.support import SIZES, batch

ZERO_IS_FINE = {("mlsa4rec", "n_layers")}


def of_kind(kind):
    """Every setting of every model that holds such a value: new ones too."""
    for name, (_, config) in MODELS.items():
        hints = get_type_hints(config)
        for each in fields(config):
            if kind in (hints[each.name], *get_args(hints[each.name])):
                yield name, each.name


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(("name", "size"), list(of_kind(int)))
def test_a_size_below_its_least_is_refused(name, size, value):
    if value == 0 and (name, size) in ZERO_IS_FINE:
        return
    model, config = MODELS[name]
    settings = {"n_items": 9, size: value}
    says = f"{model.__name__}: {size} must be at least .*, got {value}"
    with pytest.raises(ValueError, match=says):
        build(name, **settings)
    with pytest.raises(ValueError, match=says):
        model(config(**settings))


@pytest.mark.parametrize("name", [name for name, size in of_kind(int) if size == "history_length"])
def test_a_history_has_two_events(name):
    with pytest.raises(ValueError, match="history_length must be at least 2, got 1"):
        build(name, n_items=9, history_length=1)
    build(name, n_items=9, history_length=2)


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan")])
@pytest.mark.parametrize(("name", "eps"), [each for each in of_kind(float) if each[1].endswith("_eps")])
def test_an_eps_is_above_zero(name, eps, value):
    with pytest.raises(ValueError, match=f"{eps} must be above 0, got {value}"):
        build(name, n_items=9, **{eps: value})


def test_mlsa4rec_may_do_without_layers_behind_its_block():
    assert len(MLSA4Rec(MLSA4RecConfig(n_items=9, n_layers=0)).mambas) == 1


@pytest.mark.parametrize(
    ("name", "settings", "most"),
    [
        *((name, {}, 12) for name in ("sasrec", "bert4rec", "fmlprec", "lightsans", "linrec", "tisasrec")),
        *((name, {}, None) for name in ("mamba4rec", "ssd4rec", "gru4rec")),
        *((name, {"mode": "official"}, 12) for name in ("tim4rec", "mlsa4rec", "echomamba4rec")),
        *(("tim4rec", {"time": time}, None) for time in ("step", "decay", "off")),
        ("tim4rec", {"mode": "official", "time": "off"}, None),
        *(("mlsa4rec", {"attention": attention}, None) for attention in ("low-rank", "running", "off")),
        ("mlsa4rec", {"pads_as_events": True}, 12),
        ("mlsa4rec", {"mode": "official", "attention": "off"}, None),
        *(("echomamba4rec", {"filter": kind}, 12) for kind in ("circular", "causal")),
        ("echomamba4rec", {"filter": "off"}, None),
        ("echomamba4rec", {"filter": "off", "flip_axis": True}, 12),
    ],
)
def test_most_events_is_what_the_model_takes(name, settings, most):
    given = {"n_items": 30, "d_model": 16, **SIZES.get(name, {}), **settings}
    given |= {"history_length": 12} if "history_length" in MODELS[name][1].__dataclass_fields__ else {}
    model = build(name, **given).eval()
    assert model.most_events == most
    model(batch(12))
    if most is None:
        model(batch(13))
    else:
        with pytest.raises(ValueError, match="13"):
            model(batch(13))


@pytest.mark.parametrize("settings", [{}, {"time": "decay"}, {"mode": "official"}])
def test_times_are_whole_seconds(settings):
    """A float holds today's seconds 128 s apart: gaps below would be lost without a word."""
    history = batch(5)
    blurred = Batch(history.item, history.time.float(), history.length)
    for name, more in (("tim4rec", settings), ("tisasrec", {})):
        with pytest.raises(ValueError, match=r"times must be int64 seconds, got torch\.float32"):
            build(name, n_items=30, **more)(blurred)
    assert torch.isfinite(build("tim4rec", n_items=30, time="off")(blurred)).all(), "reads no times"
