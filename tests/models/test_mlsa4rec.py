"""MLSA4Rec in its two modes: the published size, the released wiring by hand, and what each quirk costs."""

import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.models import MLSA4Rec, build
from tests.models.support import LENGTH, batch, layer_norm, read_from_embedding, readout, small, stepped

QUIRKS = ("softmax_over_positions", "pads_as_events", "random_pad", "overwritten_steps")


@pytest.mark.parametrize("settings", [{}, {"history_length": 50}, MLSA4Rec.preset("ml-1m")], ids=str)
def test_published_number_of_parameters(settings):
    """Counted from the authors' code at d = 64, without the item embedding and the 51,392 that nothing reads."""
    assert build("mlsa4rec", n_items=10, **settings).n_body_parameters == 148_864


def test_official_is_the_released_wiring():
    """Rows of 12 places, softmaxes over the length axis, no mask anywhere."""
    model, history = small("mlsa4rec", mode="official"), batch(9, 4)
    lsa, gate = model.attention, model.gate
    linear = lambda module, x: x @ module.weight.T + module.bias  # noqa: E731
    X = layer_norm(model.embedding_norm, model.item_embedding.weight[F.pad(history.item, (0, 3))])
    H = layer_norm(model.norms[0], model.mambas[0](X)[0] + X)
    Q, K, V = linear(lsa.q_proj, H), linear(lsa.k_proj, H), linear(lsa.v_proj, H)
    pooled_k = torch.softmax(K @ lsa.theta_k, dim=1).mT @ K
    pooled_v = torch.softmax(V @ lsa.theta_v, dim=1).mT @ V
    heads = []
    for of_head in (slice(0, 8), slice(8, 16)):
        weights = torch.softmax(Q[..., of_head] @ pooled_k[..., of_head].mT / 8**0.5, dim=-2)
        heads.append(weights @ pooled_v[..., of_head])
    A = layer_norm(lsa.norm, torch.cat(heads, -1) + H)
    G = layer_norm(gate.gate_norm, F.gelu(linear(gate.gate_proj, A)) * H)
    Z = F.gelu(linear(gate.joint_proj, torch.cat([A, G], -1))) + F.gelu(linear(gate.start_proj, X))
    Z = layer_norm(gate.norm, Z)
    for mamba, norm in zip(model.mambas[1:], model.norms[1:], strict=True):
        Z = layer_norm(norm, mamba(Z)[0] + Z)
    torch.testing.assert_close(model(history), Z[:, :9])


def test_official_is_corrected_with_all_its_quirks():
    one_by_one = small("mlsa4rec", **dict.fromkeys(QUIRKS, True))
    assert torch.equal(one_by_one(batch(9, 4)), small("mlsa4rec", mode="official")(batch(9, 4)))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, True),
        ({"mode": "official"}, False),
        ({"pads_as_events": True}, False),
        ({"softmax_over_positions": True}, True),
        ({"overwritten_steps": True}, True),
    ],
    ids=str,
)
def test_what_stands_at_pads_and_how_many_there_are(settings, kept):
    model, longer = small("mlsa4rec", **settings), small("mlsa4rec", **settings, history_length=2 * LENGTH)
    found = [readout(model, batch(9, 4, 1, l=LENGTH, fill=fill)) for fill in (0, 7)]
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9) == kept
    assert torch.allclose(readout(longer, batch(9, 4, 1)), found[0], rtol=1e-9, atol=1e-9) == kept
    assert read_from_embedding(model, batch(4, 9)) == list(range(4 if kept else LENGTH))


def test_each_switch_makes_another_model():
    history = batch(9, 4)
    switches = [("gate", "gelu"), ("gate", "sigmoid"), ("attention", "off"), ("attention", "running")]
    switches.append(("softmax_over_positions", True))
    found = [readout(small("mlsa4rec", **{name: value}), history) for name, value in switches]
    for i, one in enumerate(found):
        assert all((one - other).abs().max() > 1e-4 for other in found[:i])


def test_running_attention_gives_a_prefix_what_it_gave_before():
    model, history = small("mlsa4rec", attention="running"), batch(9)
    before = model(type(history)(history.item[:, :5], history.time[:, :5], torch.tensor([5])))
    torch.testing.assert_close(model(history)[:, :5], before)


@pytest.mark.parametrize("attention", ["running", "off"])
@pytest.mark.parametrize("first", [0, 4])
def test_stepping_is_the_full_pass(attention, first):
    model = small("mlsa4rec", attention=attention)
    model(batch(7, 4, 1))  # leaves nothing behind
    for history in (batch(9, 9, 9), batch(41), batch(5, seed=1)):
        torch.testing.assert_close(stepped(model, history, first), model(history), rtol=1e-10, atol=1e-10)


def test_the_running_pools_do_not_grow():
    """Of keys and values each an average per interest, and its weight."""
    model, history, state = small("mlsa4rec", attention="running"), batch(9, 9), None
    for t in range(9):
        _, state = model.step(state, history.item[:, t], history.time[:, t])
        assert [tuple(each.shape) for each in state[-1]] == [(2, 3, 16), (2, 3, 16), (2, 3, 3), (2, 3, 3)]


def test_the_last_event_pools_the_same_running_or_not():
    """One interaction block: at the last event all events have been pooled either way."""
    whole, running = small("mlsa4rec", n_layers=0), small("mlsa4rec", n_layers=0, attention="running")
    torch.testing.assert_close(readout(running, batch(9, 4, 1)), readout(whole, batch(9, 4, 1)))


def test_kaiming_start():
    """Uniform over ±1/√inputs, so the largest weight comes close to the bound and none passes it."""
    model = build("mlsa4rec", n_items=200, kaiming_init=True)
    for weight in (model.item_embedding.weight[1:], model.gate.joint_proj.weight, model.mambas[0].out_proj.weight):
        assert 0.9 < weight.abs().max() * weight.shape[1] ** 0.5 <= 1
    assert (model.item_embedding.weight[0] == 0).all()
    official = build("mlsa4rec", n_items=200, **MLSA4Rec.preset("beauty"))
    mamba = official.mambas[0]
    assert official.item_embedding.weight[0].norm() > 0.1 and (mamba.dt_bias == 0).all()
    assert 0.9 < mamba.dt_weight.abs().max() * mamba.dt_weight.shape[1] ** 0.5 <= 1
    assert build("mlsa4rec", n_items=200, mode="official").mambas[0].dt_weight.std() < 0.03


def test_step_sizes_at_the_start():
    for overwritten in (False, True):
        steps = torch.cat(
            [F.softplus(m.dt_bias) for m in build("mlsa4rec", n_items=3, overwritten_steps=overwritten).mambas]
        )
        low, high = (0.6931, 0.6932) if overwritten else (0.9e-3, 0.11)
        assert low < steps.min() and steps.max() < high


def test_errors_say_what_there_is():
    for settings, says in [
        ({"gate": "relu"}, "gate must be one of gelu, sigmoid, got 'relu'"),
        ({"attention": "full"}, "attention must be one of low-rank, running, off, got 'full'"),
        ({"attention": "off", "pads_as_events": True}, 'pads_as_events would change nothing with attention="off"'),
        ({"attention": "running", "mode": "official"}, "neither later events nor pads can count"),
        ({"attention": "running", "softmax_over_positions": True}, "neither later events nor pads can count"),
        ({"heads": 3}, "3 heads do not divide d_model 16"),
        ({"interests": 0}, "interests must be at least 1"),
    ]:
        with pytest.raises(ValueError, match=says):
            small("mlsa4rec", **settings)
    with pytest.raises(ValueError, match="reads rows of 12 places, the batch holds 13 events"):
        small("mlsa4rec", mode="official")(batch(13))
    assert small("mlsa4rec")(batch(40)).shape == (1, 40, 16), "the corrected form has no longest history"
