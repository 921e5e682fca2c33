"""The state after every event is the one that the layer reads from, and that a step hands on."""

import pytest
import torch
from einops import einsum

from seqrec_edu.lens import record, states
from tests.lens.support import batch, model


@pytest.mark.parametrize("settings", [{}, {"time": "decay"}])
def test_what_an_ssd_layer_reads_and_hands_on(settings):
    tim, inside = model("tim4rec", **settings), batch(9)
    found, module = record(tim, inside), tim.ssds[1]
    taps = found.of("ssds.1")
    _, (_, carried) = tim._advance(inside, None)
    for head in range(module.config.heads):
        S = states(found, layer="ssds.1", channel=head)
        read = einsum(S, taps["C"], "b l p n, b l n -> b l p") + module.D[head].detach() * taps["x"][:, :, head]
        torch.testing.assert_close(read, taps["scanned"][:, :, head])
        torch.testing.assert_close(S[:, -1], carried[1][0][1][:, head].detach())


def test_what_a_mamba_reads():
    mamba = model("mamba4rec")
    found = record(mamba, batch(9))
    taps, D = found.of("mambas.0"), mamba.mambas[0].D.detach()
    for channel in (0, 31):
        S = states(found, channel=channel)
        read = (S * taps["C"]).sum(-1) + D[channel] * taps["x"][:, :, channel]
        torch.testing.assert_close(read * taps["gate"][:, :, channel], taps["scanned"][:, :, channel])


def test_errors():
    found = record(model("tim4rec"), batch(3))
    with pytest.raises(ValueError, match="give layer=, one of"):
        states(found)
    with pytest.raises(ValueError, match="channel must be among 0…3, got 4"):
        states(found, layer="ssds.0", channel=4)
    with pytest.raises(ValueError, match="states: SASRec has no decays"):
        states(record(model("sasrec"), batch(3)))
