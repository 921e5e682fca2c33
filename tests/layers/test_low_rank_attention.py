"""MLSA4Rec's attention block and gate: their sizes, what they read, and the formulas written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seqrec_edu.layers import (
    InteractionGate,
    LowRankAttention,
    LowRankAttentionConfig,
    MambaConfig,
    MambaLayer,
    initialise,
)


def build(**changes):
    torch.manual_seed(0)
    return LowRankAttention(LowRankAttentionConfig(8, heads=2, interests=3, **changes)).double().eval()


def parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def test_parameters_add_up_to_the_published_body():
    """148,864 active parameters in the body of MLSA4Rec, counted in the authors' code: three Mamba layers with a norm
    each, this block, this gate, and the norm of the embedding."""
    block, gate = LowRankAttention(LowRankAttentionConfig(64)), InteractionGate(64, 0.1)
    assert (parameters(block), parameters(gate)) == (15_168, 16_832)
    mambas = [MambaLayer(MambaConfig(64, 32)) for _ in range(3)]
    assert parameters(*mambas, *(nn.LayerNorm(64) for _ in range(4)), block, gate) == 148_864


@pytest.mark.parametrize("softmax_over", ["interests", "positions"])
def test_block_is_its_formula(softmax_over):
    """Written out head by head with nothing but matrix products, as the authors' code does it: no mask."""
    layer, x = build(softmax_over=softmax_over), torch.randn(2, 7, 8, dtype=torch.float64)
    Q, K, V = layer.q_proj(x), layer.k_proj(x), layer.v_proj(x)
    pooled_k = torch.softmax(K @ layer.theta_k, dim=1).mT @ K
    pooled_v = torch.softmax(V @ layer.theta_v, dim=1).mT @ V
    heads = []
    for of_head in (slice(0, 4), slice(4, 8)):
        scores = Q[..., of_head] @ pooled_k[..., of_head].mT / 2  # √4
        weights = torch.softmax(scores, dim=-1 if softmax_over == "interests" else -2)
        heads.append(weights @ pooled_v[..., of_head])
    expected = F.layer_norm(torch.cat(heads, -1) + x, (8,), eps=1e-12)
    torch.testing.assert_close(layer(x), expected)


def test_pads_do_not_matter_with_a_mask_and_do_without():
    layer, x = build(), torch.randn(1, 12, 8, dtype=torch.float64)
    short, mask = x[:, :9], torch.arange(12)[None] < 9
    expected = layer(short, mask[:, :9])
    torch.testing.assert_close(layer(x, mask)[:, :9], expected)
    torch.testing.assert_close(expected, layer(short))
    assert (layer(x)[:, :9] - expected).abs().max() > 1e-3


@pytest.mark.parametrize("causal", [True, False])
def test_only_the_running_variant_is_causal(causal):
    layer, x = build(causal=causal), torch.randn(1, 9, 8, dtype=torch.float64)
    J = torch.autograd.functional.jacobian(lambda x: layer(x)[0].sum(-1), x)[:, 0].abs().sum(-1)
    assert bool((J.triu(1) == 0).all()) == causal
    prefix = layer(x[:, :5])[:, -1]
    if causal:
        torch.testing.assert_close(layer(x)[:, 4], prefix)


def test_pools_start_unit_normal_and_a_wrapper_leaves_them_so():
    layer = LowRankAttention(LowRankAttentionConfig(64))
    for _ in range(2):
        assert 0.9 < layer.theta_k.std() < 1.1 and 0.9 < layer.theta_v.std() < 1.1
        initialise(layer)
    assert layer.q_proj.weight.std() < 0.03


def test_dropout_acts_in_training_only_and_every_parameter_learns():
    layer, x = build(dropout=0.5, attention_dropout=0.5), torch.randn(2, 6, 8, dtype=torch.float64)
    assert torch.equal(layer(x), layer(x))
    layer.train()
    assert not torch.equal(layer(x), layer(x))
    (layer(x) * torch.randn(2, 6, 8)).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in layer.parameters())
    only_weights = build(dropout=0.0, attention_dropout=0.5).train()
    assert not torch.equal(only_weights(x), only_weights(x))


def test_runs_under_autocast():
    layer, gate, x = build().float().train(), InteractionGate(8, 0.1), torch.randn(2, 9, 8)
    mask = torch.arange(9) < torch.tensor([[9], [4]])
    for causal in (False, True):
        layer = build(causal=causal).float().train()
        with torch.autocast("cpu", torch.bfloat16):
            y = gate(layer(x, mask), x, x)
        y.float().sum().backward()
        assert torch.isfinite(y).all()


@pytest.mark.parametrize("activation", ["gelu", "sigmoid"])
def test_gate_is_its_formula(activation):
    gate = InteractionGate(8, 0.3, activation).double().eval()
    A, H, X = torch.randn(3, 2, 5, 8, dtype=torch.float64)
    act = {"gelu": F.gelu, "sigmoid": torch.sigmoid}[activation]
    norm = lambda t: F.layer_norm(t, (8,), eps=1e-12)  # noqa: E731
    W1, W2, W3 = gate.gate_proj, gate.joint_proj, gate.start_proj
    G = norm(act(A @ W1.weight.T + W1.bias) * H)
    joint = F.gelu(A @ W2.weight[:, :8].T + G @ W2.weight[:, 8:].T + W2.bias)
    torch.testing.assert_close(gate(A, H, X), norm(joint + F.gelu(X @ W3.weight.T + W3.bias)))


def test_a_silent_sigmoid_gate_passes_half_and_a_silent_gelu_gate_nothing():
    """With W1 = 0 and b1 = 0: σ(0) = ½ lets the norm restore H, gelu(0) = 0 leaves a zero that no norm can."""
    H = torch.randn(1, 3, 8)
    seen = {}
    for activation in ("gelu", "sigmoid"):
        gate = InteractionGate(8, 0.0, activation)
        nn.init.zeros_(gate.gate_proj.weight), nn.init.zeros_(gate.gate_proj.bias)
        gate.gate_norm.register_forward_hook(lambda module, inputs, output, key=activation: seen.update({key: output}))
        gate(H, H, H)
    torch.testing.assert_close(seen["sigmoid"], F.layer_norm(H, (8,)), rtol=1e-3, atol=1e-3)
    assert (seen["gelu"] == 0).all()


def test_errors():
    with pytest.raises(ValueError, match="3 heads do not divide d_model 64"):
        LowRankAttentionConfig(64, heads=3)
    with pytest.raises(ValueError, match="interests must be at least 1"):
        LowRankAttentionConfig(64, interests=0)
    with pytest.raises(ValueError, match="one of gelu, sigmoid, got 'relu'"):
        InteractionGate(64, 0.1, "relu")
    with pytest.raises(ValueError, match="weight of an event by those of later ones"):
        build(softmax_over="positions", causal=True)(torch.randn(1, 3, 8, dtype=torch.float64))
