"""What reaches the gate of MLSA4Rec and what leaves it: the equation, by hand, from the gate's own weights."""

import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.data.batches import Batch
from seqrec_edu.lens import interests
from seqrec_edu.lens.proposal import NoGate, pooled_layers, proposal, share_of_pads
from tests.lens.support import LENGTH, batch, model


@pytest.mark.parametrize(
    "settings", [{}, {"gate": "sigmoid"}, {"attention": "running"}, {"attention": "off"}, {"mode": "official"}]
)
def test_gate_times_stream(settings):
    made, one = model("mlsa4rec", **settings), batch(7)
    found = proposal(made, one)
    stream = found.proposed
    torch.testing.assert_close(found.passed, found.gate * stream)
    torch.testing.assert_close(found.share, found.passed.norm(dim=-1) / stream.norm(dim=-1))
    places = LENGTH if settings == {"mode": "official"} else 7  # whole rows
    assert stream.shape == (1, places, 16) and found.layer == "gate"
    assert found.activation == ("sigmoid" if settings == {"gate": "sigmoid"} else "gelu")
    low, high = (0, 1) if settings == {"gate": "sigmoid"} else (-0.17, float("inf"))
    assert low - 1e-3 < float(found.gate.min()) and float(found.gate.max()) < high


def test_the_stream_is_mamba_behind_its_norm_and_the_result_is_the_blocks():
    made, one = model("mlsa4rec"), batch(6)
    found = proposal(made, one)
    with torch.no_grad():
        start = made.embed(one.item)
        stream = made.norms[0](made.mambas[0](start)[0] + start)
        attended = made.attention(stream, one.mask)
        gate = F.gelu(made.gate.gate_proj(attended))
        result = made.gate(attended, stream, start)
    for ours, theirs in ((found.proposed, stream), (found.gate, gate), (found.result, result)):
        torch.testing.assert_close(ours, theirs)
    assert not made.gate._forward_pre_hooks  # looked at, and left as it was


def test_only_one_gate_will_do():
    for name in ("lightsans", "tim4rec"):
        with pytest.raises(NoGate, match="has no gates"):
            proposal(model(name), batch(5))


def test_layers_with_interests():
    assert pooled_layers(model("mlsa4rec")) == {"attention": 2}
    assert pooled_layers(model("lightsans")) == {"layers.0": 2, "layers.1": 2}
    assert pooled_layers(model("mlsa4rec", attention="off")) == pooled_layers(model("sasrec")) == {}


def test_pads_have_a_share_where_they_are_pooled():
    one = Batch.of([3, 5, 9], [10, 20, 30])
    corrected, official = (interests(model("mlsa4rec", mode=mode), one).feeds[0] for mode in ("corrected", "official"))
    assert share_of_pads(corrected, 3) == 0
    expected = float(official[3:].sum(0).mean())  # columns sum to 1
    assert official.shape[0] == LENGTH and 0 < expected < 1
    assert share_of_pads(official, 3) == pytest.approx(expected)
    assert share_of_pads(torch.tensor([[0.25, 1.0], [0.75, 0.0]]), 1) == pytest.approx(0.375)
