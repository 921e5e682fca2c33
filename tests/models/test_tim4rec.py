"""TiM4Rec in its two modes: published sizes, released settings, and what each quirk costs, measured."""

from dataclasses import fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import leave_one_out
from seqrec_edu.layers import (
    OFFICIAL,
    CausalConv,
    ForgettingMap,
    GapUpdate,
    LogGap,
    PositionMap,
    RowGap,
    TimeQuirks,
    TimeStepMap,
)
from seqrec_edu.models import TiM4Rec, TiM4RecConfig, build
from seqrec_edu.training.checkpoint import load_model, save_model
from seqrec_edu.training.objectives import NotCausal, check_objective
from seqrec_edu.training.settings import FitSettings

NOW, LENGTH = 970_000_000, 12
QUIRKS = [field.name for field in fields(TimeQuirks)]
PRESETS = ["ml-1m", "ml-1m-256", "beauty", "kuairand", "steam"]


def small(**settings):
    """A small model, louder than at the start: there τ multiplies steps near 0 and hardly shows."""
    sizes = {"d_model": 16, "d_state": 4, "head_dim": 8, "chunk_size": 7, "dropout": 0.0, "history_length": LENGTH}
    model = build("tim4rec", n_items=30, **(sizes | settings)).double().eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "time_maps" in name or "updates" in name or "in_proj" in name or "dt_bias" in name:
                parameter.normal_(std=0.3, generator=draw)
    return model


def batch(b=3, l=9, seed=0):
    draw = torch.Generator().manual_seed(seed)
    item = torch.randint(1, 31, (b, l), generator=draw)
    time = NOW + torch.randint(1, 90_000, (b, l), generator=draw).cumsum(1)
    return Batch(item, time, torch.full((b,), l))


def retimed(history, time):
    return Batch(history.item, time, history.length)


def quirk(name):
    """The settings that turn one quirk on, with what it needs."""
    needs = {"dead_last_update": "mix_positions", "pads_in_norm": "row_norm"}
    return {name: True} | ({needs[name]: True} if name in needs else {})


# --- published sizes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "body", "unused"),
    [
        ({"time": "off"}, 127_648, 0),
        ({"history_length": 50}, 138_330, 51 + 2 * 50),
        ({"history_length": 50, "p2p_residual": True}, 143_328, 50 * 51 + 2 * 50),
        ({"history_length": 200}, 290_130, 201 + 2 * 200),
        ({"history_length": 200, "p2p_residual": True}, 370_128, 200 * 201 + 2 * 200),
    ],
)
def test_published_number_of_parameters(settings, body, unused):
    """Counted from the authors' code at d = 64, without the item embedding, what is never used included."""
    model = build("tim4rec", n_items=10, mode="official", **settings)
    assert model.n_body_parameters == body
    assert sum(model.unused_parameters().values()) == unused
    if unused:
        alive = build("tim4rec", n_items=10, **settings, **{q: q != "dead_last_update" for q in QUIRKS})
        assert alive.n_body_parameters == body - unused and not alive.unused_parameters()


def test_the_time_branch_is_over_half_of_the_body_and_the_whole_agrees_with_a_third_party():
    at_200 = build("tim4rec", n_items=10, mode="official")
    time = sum(p.numel() for n, p in at_200.named_parameters() if n.startswith(("gap.", "time_maps.", "updates.")))
    assert time == 162_482 and round(100 * time / at_200.n_body_parameters) == 56
    kuairand = build("tim4rec", n_items=7_111, **(TiM4Rec.preset("kuairand") | {"time": "step"}))
    assert sum(p.numel() for p in kuairand.parameters()) == 593_498


def test_unused_parameters_are_those_without_a_gradient():
    model, history = small(mode="official"), batch()
    weights = torch.randn(3, 9, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (model(history) * weights).sum().backward()
    silent = {name for name, p in model.named_parameters() if p.grad is None}
    assert silent == set(model.unused_parameters()) == {n for n in silent if n.startswith("updates.1.")} != set()
    # One position's gain cannot show: the first gap is 0 wherever pads do not count; all tensors do learn something.
    assert not [n for n, p in model.named_parameters() if p.grad is not None and not p.grad.any() and "item" not in n]


# --- the modes -------------------------------------------------------------------------------------------------------


def test_corrected_keeps_names_and_settings_of_its_checkpoints():
    """Names of parameters and of settings decide whether weights and runs from before the modes can be read."""
    model = build("tim4rec", n_items=30)
    parts = {
        "": ["item_embedding.weight", "embedding_norm.weight", "embedding_norm.bias", "gap.mean", "gap.std"],
        "ssds.": ["dt_bias", "A_log", "D", "norm.weight", "conv.weight", "conv.bias"]
        + [f"{proj}.{part}" for proj in ("in_proj", "out_proj") for part in ("weight", "bias")],
        "norms.": ["weight", "bias"],
        "feed_forwards.": [f"{m}.{part}" for m in ("body.0", "body.3", "norm") for part in ("weight", "bias")],
        "time_maps.": [
            f"{m}.{part}" for m in ("lift", "mix", "smooth", "sharpen") for part in ("weight", "bias")
        ],
    }  # fmt: skip
    expected = [f"{p}{i}.{n}" if p else n for p, names in parts.items() for i in range(2 if p else 1) for n in names]
    assert sorted(model.state_dict()) == sorted(expected)
    named = "n_items d_model n_layers d_state head_dim conv_width expand chunk_size dropout time"
    assert list(model.settings()) == named.split()
    assert model.settings() == build("tim4rec", n_items=30, history_length=50).settings()
    assert model.causal and isinstance(model.gap, LogGap) and isinstance(model.time_maps[0], TimeStepMap)


def test_a_single_layer_adds_its_input_only_where_told():
    """One layer alone has no residual, as in the authors' code, unless asked; two always have one."""
    for layers, alike in ((1, False), (2, True)):
        without, told = (small(n_layers=layers, single_layer_residual=each) for each in (False, True))
        assert torch.equal(without(batch()), told(batch())) == alike
    one = small(n_layers=1)
    torch.nn.init.zeros_(one.ssds[0].out_proj.weight)
    torch.nn.init.zeros_(one.ssds[0].out_proj.bias)
    hidden = one(batch())
    assert torch.equal(hidden, hidden[:1, :1].expand_as(hidden)), "a silent layer alone lets nothing through"


def test_the_map_of_the_decay_never_falls_when_a_gap_grows():
    assert isinstance(small(time="decay").time_maps[0], ForgettingMap)
    assert type(small(time="step").time_maps[0]) is TimeStepMap


@pytest.mark.parametrize("time", ["step", "decay"])
def test_personal_gaps_step_and_do_not_know_how_long_a_second_is(time):
    model, history = small(time=time, gap_unit="person"), batch()
    whole, state = model(history), None
    for t in range(9):
        hidden, state = model.step(state, history.item[:, t], history.time[:, t])
        torch.testing.assert_close(hidden, whole[:, t])
    slow = NOW + 60 * (history.time - NOW)
    torch.testing.assert_close(model(retimed(history, slow)), whole)
    assert not torch.allclose(small(time=time)(retimed(history, slow)), small(time=time)(history))


def test_the_scale_of_personal_gaps_is_that_of_training():
    """Units restart with every user, and neither validation nor test events are read."""
    times = np.array([0, 0, 50, 60, 80, 7, 107, 107, 307, 700, 20, 20, 20, 21, 99]) + NOW
    names = ["<pad>", *(str(i) for i in range(15))]
    items, offsets = np.arange(1, 16, dtype=np.int32), np.arange(0, 16, 5)
    histories = Histories(items, times, offsets, names, ["a", "b", "c"], "three people")
    model = build("tim4rec", n_items=15, gap_unit="person")
    model.prepare(leave_one_out(histories))
    logs = torch.tensor([0.0, 1, 1, 0, 0, 0], dtype=torch.float64).log1p()
    torch.testing.assert_close(model.gap.mean.double(), logs.mean(), rtol=1e-6, atol=0)
    torch.testing.assert_close(model.gap.std.double(), logs.std(), rtol=1e-6, atol=0)


def test_official_is_corrected_with_all_its_quirks():
    official, one_by_one = small(mode="official"), small(**dict.fromkeys(QUIRKS, True))
    assert official.config.quirks == one_by_one.config.quirks == OFFICIAL
    assert torch.equal(official(batch()), one_by_one(batch()))
    kinds = {type(m) for m in official.modules()}
    assert {RowGap, PositionMap, GapUpdate} <= kinds and not {LogGap, TimeStepMap} & kinds


def test_the_second_layer_reads_what_the_first_made_of_the_gaps():
    model, history = small(mode="official"), batch()
    expected = model(history)
    torch.nn.init.constant_(model.updates[0].norm.bias, 0.5)
    assert not torch.allclose(model(history), expected)
    expected = model(history)
    torch.nn.init.constant_(model.updates[1].norm.bias, 0.5)  # the dead one
    assert torch.equal(model(history), expected)


@pytest.mark.parametrize("settings", [{"mode": "official"}, {"mode": "official", "time": "off"}])
def test_official_settings_build_the_same_model_again(settings, tmp_path):
    model = small(**settings)
    assert small(**{k: v for k, v in model.settings().items() if k != "n_items"}).config == model.config
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors").double()
    torch.testing.assert_close(again(batch()), model(batch()))


# --- what official breaks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"mode": "official"}, *(quirk(name) for name in QUIRKS)], ids=str)
def test_causal_is_declared_as_measured(settings):
    """The time of the last event changes: does any earlier output move? And what follows from it."""
    model, history = small(**settings), batch()
    later = history.time.clone()
    later[:, -1] += 50_000
    change = (model(retimed(history, later)) - model(history)).abs().amax(dim=(0, 2))
    assert change[-1] > 0 and bool((change[:-1] > 0).any()) == (not model.causal)
    assert model.causal == (not {"mode", "row_norm", "mix_positions"} & settings.keys())
    if model.causal:
        check_objective(model, "every-position")
        return
    with pytest.raises(NotCausal, match="tim4rec is not causal"):
        check_objective(model, "every-position")
    check_objective(model, "prefix")
    with pytest.raises(NotImplementedError, match="no state to step"):
        model.step(None, torch.tensor([1]), torch.tensor([NOW]))
    with pytest.raises(ValueError, match="parameters for 12 positions, the batch holds 13"):
        model(batch(l=13))


def test_official_without_time_is_causal_and_steps():
    model, history = small(mode="official", time="off"), batch(l=20)
    whole, state = model(history), None
    assert model.causal
    for t in range(20):
        hidden, state = model.step(state, history.item[:, t], history.time[:, t])
        torch.testing.assert_close(hidden, whole[:, t], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("settings", "shift", "content"),
    [
        ({}, True, True),
        ({"mode": "official"}, False, False),
        ({"float32_seconds": True}, False, True),
        ({"raw_seconds": True}, True, True),
        ({"row_norm": True}, True, True),
        ({"row_norm": True, "raw_seconds": True}, True, True),
        ({"row_norm": True, "pads_in_norm": True}, True, False),
        ({"row_norm": True, "pads_in_norm": True, "raw_seconds": True}, False, False),
        ({"mix_positions": True}, True, True),
        ({"mix_positions": True, "pads_in_norm": True}, True, True),
        ({"gap_unit": "person"}, True, True),
        ({"hardswish": True}, True, True),
    ],
    ids=str,
)
def test_invariance_to_the_clock_and_to_what_padding_holds(settings, shift, content):
    model, history = small(**settings), batch()
    expected = model(history)
    same = {"rtol": 1e-9, "atol": 1e-9}
    moved = history.time + 2_000_000_031  # no multiple of the steps float32 moves in
    assert torch.allclose(model(retimed(history, moved)), expected, **same) == shift
    late = NOW + 10**7  # after the last event: a logarithm reads no gap below 0
    padded = Batch(F.pad(history.item, (0, 3), value=5), F.pad(history.time, (0, 3), value=late), history.length)
    assert torch.allclose(model(padded)[:, :9], expected, **same) == content


def test_official_pads_to_its_history_length_by_itself():
    """A batch as long as its longest history gives what the batch padded to 12 gives; another length is another
    model."""
    model, history = small(mode="official"), batch()
    longer = Batch(F.pad(history.item, (0, 3)), F.pad(history.time, (0, 3)), history.length)
    torch.testing.assert_close(model(longer)[:, :9], model(history))
    assert model(history).shape == (3, 9, 16)
    row = model.gap(longer.time)
    other = RowGap(24).double()(F.pad(longer.time, (0, 12)))
    assert not torch.allclose(row[:, :9], other[:, :9], rtol=0.1)


def test_padding_of_shorter_histories_reaches_no_real_event_when_corrected():
    model, history = small(), batch()
    short = Batch(history.item, history.time, torch.tensor([9, 4, 1]))
    expected = model(short)
    for b, n in enumerate(short.length.tolist()):
        alone = model(Batch(history.item[b : b + 1, :n], history.time[b : b + 1, :n], torch.tensor([n])))
        torch.testing.assert_close(expected[b : b + 1, :n], alone)


# --- released settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_the_released_settings(name):
    preset, training = TiM4Rec.preset(name), TiM4Rec.preset_training(name)
    model = TiM4Rec(TiM4RecConfig(n_items=10, **preset)) if name != "ml-1m-256" else None
    config = TiM4RecConfig(n_items=10, **preset)
    assert config.mode == "official" and config.head_dim * 4 == config.expand * config.d_model  # always 4 heads
    assert (config.time == "off") == (name in ("ml-1m-256", "kuairand"))
    assert FitSettings(**training).history_length == config.history_length == (200 if "ml" in name else 50)
    body = {"ml-1m": 290_130, "beauty": 143_328, "kuairand": 127_648, "steam": 138_330}
    assert model is None or model.n_body_parameters == body[name]


def test_preset_details_and_unknown_names():
    ml, beauty = TiM4Rec.preset("ml-1m"), TiM4Rec.preset("beauty")
    assert (ml["dropout"], ml["time_dropout"], ml["norm_eps"], ml["kaiming_init"]) == (0.2, 0.2, 1e-12, True)
    assert (beauty["dropout"], beauty["time_dropout"], beauty["norm_eps"]) == (0.4, 0.0, 1e-5)
    assert beauty["p2p_residual"] and not beauty["kaiming_init"]
    rates = {name: TiM4Rec.preset_training(name)["learning_rate"] for name in PRESETS}
    assert rates == dict.fromkeys(PRESETS, 1e-3) | {"steam": 5e-4}
    assert [TiM4Rec.preset_training(name)["patience"] for name in PRESETS] == [21, 21, 21, 11, 21]
    ml.clear()
    assert TiM4Rec.preset("ml-1m")  # a copy: nobody changes it for the next
    for of in (TiM4Rec.preset, TiM4Rec.preset_training):
        with pytest.raises(ValueError, match=r"no setting 'ml-20m'; there are " + ", ".join(PRESETS)):
            of("ml-20m")


def test_norm_eps_and_start_of_the_convolutions():
    model = build("tim4rec", n_items=10, mode="official", norm_eps=1e-5, gate_norm_eps=1e-7, kaiming_init=True)
    norms = [model.embedding_norm, *model.norms, model.gap.norm, *(update.norm for update in model.updates)]
    assert {norm.eps for norm in norms} == {1e-5} and {ssd.norm.eps for ssd in model.ssds} == {1e-7}
    assert model.feed_forwards[0].norm.eps == 1e-12  # the authors' own stays at this whatever the setting
    for conv in (m for m in model.modules() if isinstance(m, CausalConv)):
        assert (conv.bias == 0).all()
        expected = (2 / conv.weight.numel()) ** 0.5
        assert 0.5 * expected < conv.weight.std() < 1.5 * expected
    bound = CausalConv(4).weight.shape[1] ** -0.5
    plain = build("tim4rec", n_items=10, mode="official", history_length=5).time_maps[0].smooth
    assert plain.weight.abs().max() <= bound and (plain.bias != 0).any()


def test_errors_name_what_there_is():
    for settings, says in [
        ({"mode": "offical"}, "mode must be one of corrected, official, got 'offical'"),
        ({"p2p_residual": True}, "p2p_residual would change nothing without mix_positions"),
        ({"time_dropout": 0.1}, "time_dropout would change nothing without mix_positions"),
        ({"dead_last_update": True}, "dead_last_update needs mix_positions"),
        ({"mode": "official", "time": "decay"}, '"decay" needs τ ≥ 0'),
        ({"mode": "official", "history_length": 1}, "history_length must be at least 2, got 1"),
    ]:
        with pytest.raises(ValueError, match=says):
            build("tim4rec", n_items=3, **settings)
