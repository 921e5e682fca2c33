"""Random inputs in axis letters, and one comparison for values and gradients."""

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

DOUBLE, SINGLE = 1e-9, 2e-5  # relative error allowed against the float64 reference
ROUNDING = 1e-13  # of the largest tensor of a call: what float64 leaves of a sum that cancels


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def scan_inputs(b, l, e, n, *, state=True):
    inputs = {
        "x": normal(b, l, e, seed=1),
        "dt": F.softplus(normal(b, l, e, seed=2) - 2),
        "A": -torch.exp(normal(e, n, seed=3)),
        "B": normal(b, l, n, seed=4),
        "C": normal(b, l, n, seed=5),
        "D": normal(e, seed=6),
        "z": normal(b, l, e, seed=7),
    }
    return inputs | ({"initial_state": normal(b, e, n, seed=8)} if state else {})


def ssd_inputs(b, l, h, p, g, n, *, time=True, state=True):
    inputs = {
        "x": normal(b, l, h, p, seed=1),
        "dt": F.softplus(normal(b, l, h, seed=2) - 1),
        "A": -torch.exp(normal(h, seed=3)),
        "B": normal(b, l, g, n, seed=4),
        "C": normal(b, l, g, n, seed=5),
        "D": normal(h, seed=6),
    }
    if time:
        inputs["decay_scale"] = F.softplus(normal(b, l, h, seed=7))
    return inputs | ({"initial_state": normal(b, h, p, n, seed=8)} if state else {})


def conv_inputs(b, l, e, k, *, state=True):
    inputs = {"x": normal(b, l, e, seed=1), "weight": normal(e, k, seed=2), "bias": normal(e, seed=3)}
    return inputs | ({"initial_state": normal(b, k - 1, e, seed=4)} if state else {})


def values_and_gradients(operation, inputs, dtype, **options):
    """Outputs of an operation, and the gradients of a fixed weighting of them to every input, as one named dict."""
    leaves = {name: value.detach().to(dtype, copy=True).requires_grad_() for name, value in inputs.items()}
    outputs = operation(**leaves, **options)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    weighted = sum((y * weights(y)).sum() for y in outputs)
    gradients = torch.autograd.grad(weighted, list(leaves.values()))
    found = {f"output {i}": y for i, y in enumerate(outputs)}
    return found | {f"gradient of {name}": g for name, g in zip(leaves, gradients, strict=True)}


def weights(y):
    return torch.randn(y.shape, generator=generator(99), dtype=torch.float64).to(y.dtype)


def assert_same(found, expected, tolerance):
    """Every tensor within ``tolerance`` of the expected one, relative to its norm.

    A gradient that is zero but for rounding (one event: its weight is always 1) has no relative error. It is held
    against a hundredth of the largest tensor of the call; any other tensor, however small, against itself.
    """
    assert found.keys() == expected.keys()
    sizes = {name: float(value.detach().double().norm()) for name, value in expected.items()}
    largest = max(sizes.values()) or 1.0
    for name, value in expected.items():
        assert found[name].shape == value.shape, f"{name} is {tuple(found[name].shape)}, not {tuple(value.shape)}"
        assert torch.isfinite(found[name]).all(), f"{name} is not finite"
        size = sizes[name] if sizes[name] > ROUNDING * largest else largest / 100
        error = float((found[name].detach().double() - value.detach().double()).norm()) / size
        assert error < tolerance, f"{name}: relative error {error:.2e}, allowed {tolerance:.0e}"


class LargestTensor(TorchDispatchMode):
    """The number of elements of the largest tensor that any operation inside returned."""

    largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, torch.Tensor):
                self.largest = max(self.largest, value.numel())
        return result


def jacobian_over_time(function, x):
    """``J "t s"`` of one output channel to one input channel, as autograd sees it: ``function("l") -> "l"``."""
    return torch.autograd.functional.jacobian(function, x)
