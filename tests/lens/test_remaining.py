"""What is left of an event, against a state into which that event alone was written."""

import pytest
import torch
from einops import rearrange

from seqrec_edu.lens import event_steps, record, remaining
from seqrec_edu.lens.remaining import READ, heads_of, layers_in_time
from seqrec_edu.ops._ssd.reference import semiseparable_mask
from tests.lens.support import batch, model


@pytest.mark.parametrize("settings", [{}, {"time": "decay"}, {"time": "off"}])
def test_of_a_head_it_is_the_semiseparable_mask(settings):
    found = record(model("tim4rec", **settings), batch(12, 5), only=READ)
    for head in (0, 3):
        left = remaining(found, layer="ssds.1", channel=head)
        mask = semiseparable_mask(torch.log(found["ssds.1.decay"].tensor))[:, head]
        torch.testing.assert_close(left, mask)


def test_of_a_channel_it_is_the_norm_left_of_one_event_alone():
    found = record(model("mamba4rec"), batch(9), only=READ)
    taps, channel = found.of("mambas.0"), 7
    left = remaining(found, channel=channel)[0]
    decay, B = taps["decay"][0, :, channel], taps["B"][0]
    for s in range(9):
        state = B[s]
        for t in range(9):
            if t > s:
                state = decay[t] * state
            expected = state.norm() / B[s].norm() if t >= s else torch.zeros((), dtype=left.dtype)
            torch.testing.assert_close(left[t, s], expected)


def test_nothing_written_and_very_fast_decay_stay_finite():
    found = record(model("mamba4rec"), batch(9), only=READ)
    found["mambas.0.B"].tensor[:, 3] = 0
    found["mambas.0.dt"].tensor.mul_(1e4)
    left = remaining(found)
    assert torch.isfinite(left).all() and (left.diagonal(dim1=1, dim2=2) == 1).all()
    assert (left >= 0).all() and (left <= 1 + 1e-12).all()


def test_steps_of_a_head_and_of_a_channel():
    found = record(model("tim4rec"), batch(12, 5))
    steps, taps = event_steps(found, layer="ssds.0", channel=2), found.of("ssds.0")
    torch.testing.assert_close(steps.dt, taps["dt"][..., 2])
    torch.testing.assert_close(steps.decay, torch.exp(taps["dt"][..., 2] * taps["A"][2]))
    of_heads = rearrange(taps["gate"], "b l (h p) -> b l h p", h=taps["dt"].shape[2])
    torch.testing.assert_close(steps.gate, of_heads[:, :, 2].mean(-1))
    found = record(model("mamba4rec"), batch(9))
    steps, taps = event_steps(found, channel=31), found.of("mambas.0")
    torch.testing.assert_close(steps.decay, taps["decay"][:, :, 31].mean(-1))
    torch.testing.assert_close(steps.gate, taps["gate"][..., 31])
    without = record(model("mamba4rec"), batch(9), only=[name for name in READ if name != "gate"])
    assert event_steps(without).gate is None


@pytest.mark.parametrize(
    ("name", "expected", "heads"),
    [
        ("tim4rec", ["ssds.0", "ssds.1"], ("head", 4)),
        ("mamba4rec", ["mambas.0"], ("channel", 32)),
        ("ssd4rec", ["layers.0.ssd", "layers.1.ssd"], ("head", 4)),
        ("echomamba4rec", ["layers.0.pairs.0.mambas.0"], ("channel", 32)),
        ("sasrec", [], None),
        ("gru4rec", [], None),
    ],
)
def test_which_layers_have_a_state_to_follow(name, expected, heads):
    found = record(model(name), batch(9, 4), only=READ)
    assert layers_in_time(found)[: len(expected)] == expected and bool(expected) == bool(layers_in_time(found))
    assert not expected or heads_of(found, expected[0]) == heads


@pytest.mark.parametrize("function", [remaining, event_steps])
def test_errors(function):
    found = record(model("tim4rec"), batch(3))
    with pytest.raises(ValueError, match=f"{function.__name__}: TiM4Rec has 2 states; give layer="):
        function(found)
    with pytest.raises(ValueError, match="channel must be among 0…3, got 4"):
        function(found, layer="ssds.0", channel=4)
