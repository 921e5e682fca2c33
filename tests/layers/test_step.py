"""Feeding a recurrent layer one event at a time gives the full pass, whichever backend runs."""

import pytest
import torch

from seqrec_edu import ops
from seqrec_edu.layers import CausalConv, MambaConfig, MambaLayer, Recurrent, SSDConfig, SSDLayer

MAKE = {
    "conv": lambda: CausalConv(8, 4),
    "conv of width 1": lambda: CausalConv(8, 1, activation=None),
    "mamba": lambda: MambaLayer(MambaConfig(8, 4)),
    "ssd": lambda: SSDLayer(SSDConfig(8, 4, 4, chunk_size=5)),
}
BACKENDS = [
    ("reference", torch.float64, 1e-9),
    ("vectorised", torch.float64, 1e-9),
    ("reference", torch.float32, 1e-5),
    ("vectorised", torch.float32, 1e-5),
    (None, torch.float32, 1e-5),  # the fastest: compiled where numba is there
]


def draw(*shape, dtype=torch.float64, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def compare(layer, x, state, expected, tolerance, **over_time):
    """Step through ``x`` from ``state`` on, with the tensors ``over_time`` cut into events as well."""
    for t in range(x.shape[1]):
        options = {name: v[:, t] if torch.is_tensor(v) else v for name, v in over_time.items()}
        y, state = layer.step(state, x[:, t], **options)
        assert y.shape == (x.shape[0], expected.shape[2])
        assert (y - expected[:, t]).norm() < tolerance * (1 + expected[:, t].norm())
    return state


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize(("backend", "dtype", "tolerance"), BACKENDS)
def test_stepping_is_the_full_pass(name, backend, dtype, tolerance):
    if backend:
        with ops.use(backend):
            run(name, dtype, tolerance)
    else:
        run(name, dtype, tolerance)


@torch.no_grad()
def run(name, dtype, tolerance):
    torch.manual_seed(0)
    layer, x = MAKE[name]().to(dtype), draw(2, 17, 8, dtype=dtype)
    whole, last = layer(x)
    state = compare(layer, x, None, whole, tolerance)
    for found, expected in zip(flat(state), flat(last), strict=True):
        torch.testing.assert_close(found, expected, rtol=10 * tolerance, atol=10 * tolerance)
    _, state = layer(x[:, :9])  # read what is known at once, then go on event by event
    compare(layer, x[:, 9:], state, whole[:, 9:], tolerance)


def flat(state):
    return [state] if torch.is_tensor(state) else [tensor for part in state for tensor in flat(part)]


@pytest.mark.parametrize("placement", ["step", "decay"])
def test_a_time_factor_comes_with_its_event(placement):
    layer, x = SSDLayer(SSDConfig(8, 4, 4)).double(), draw(2, 9, 8)
    tau = 0.5 + draw(2, 9, layer.config.heads, seed=2).abs()
    whole, _ = layer(x, time_factor=tau, placement=placement)
    compare(layer, x, None, whole, 1e-9, time_factor=tau, placement=placement)
    assert (whole - layer(x)[0]).abs().max() > 1e-4


def test_gradients_flow_through_the_state():
    layer, x = MambaLayer(MambaConfig(8, 4)).double(), draw(1, 4, 8).requires_grad_()
    state = None
    for t in range(4):
        y, state = layer.step(state, x[:, t])
    (stepped,) = torch.autograd.grad(y.sum(), x)
    (whole,) = torch.autograd.grad(layer(x)[0][:, -1].sum(), x)
    torch.testing.assert_close(stepped, whole, rtol=1e-9, atol=1e-12)


def test_a_whole_history_is_not_a_step():
    for layer in (make() for make in MAKE.values()):
        assert isinstance(layer, Recurrent)
        with pytest.raises(ValueError, match=r"step: x needs the 2 axes 'b d', got \(2, 5, 8\)"):
            layer.step(None, torch.ones(2, 5, 8))
