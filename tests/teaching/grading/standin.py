"""Two small exercises behind the interface of ``seqrec_edu.teaching``, so that these tests stand by themselves."""

from types import SimpleNamespace

import torch

HINTS = ("Look at the first event.", "Write the sum out for three events.")


def running_mean(x):
    steps = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)
    return x.cumsum(1) / steps[:, None]


def decayed_sum(x, log_a):
    state, outputs = torch.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        state = torch.exp(log_a) * state + x[:, t]
        outputs.append(state)
    return torch.stack(outputs, 1)


TASKS = {
    "running_mean": (running_mean, lambda draw: (draw(2, 5, 3),), ("ops._ssd", "ops._causal_conv1d")),
    "decayed_sum": (decayed_sum, lambda draw: (draw(2, 5, 3), -draw(3).abs()), ("ops._selective_scan",)),
}


def exercise(name):
    return SimpleNamespace(name=name, own=TASKS[name][2], hints=HINTS, source=name)


def check(function, name, *, seed=0, seconds=5.0):
    solution, draw, _ = TASKS[name]
    generator = torch.Generator().manual_seed(seed)
    for dtype in (torch.float64, torch.float32):
        inputs = draw(lambda *shape, dtype=dtype: torch.randn(*shape, dtype=dtype, generator=generator))
        inputs = (inputs[0].transpose(0, 2).contiguous().transpose(0, 2).requires_grad_(), *inputs[1:])
        kept = inputs[0].detach().clone()
        wanted = solution(*inputs)
        try:
            got = function(*inputs)
        except NotImplementedError:
            return verdict("not written", "", "The function is not written yet.")
        except Exception as error:
            return verdict("error", type(error).__name__, f"{type(error).__name__}: {error}")
        if not torch.equal(kept, inputs[0]):
            return verdict("mistake", "argument changed in place", "It overwrites x.")
        if not isinstance(got, torch.Tensor) or got.shape != wanted.shape:
            return verdict("wrong", "shape", f"Expected a tensor b l d, got {got!r}"[:200])
        if not torch.allclose(got, wanted, atol=1e-5):
            if torch.allclose(got, wanted.flip(1), atol=1e-5):
                return verdict("mistake", "flipped in l", "The axis l is reversed.", "b=0, l=0", got, wanted)
            return verdict("wrong", "", "The values differ.", "b=0, l=0", got, wanted)
        pulls = [pull_of(each, inputs[0]) for each in (got, wanted)]
        if pulls[0] is None or not torch.allclose(*pulls, atol=1e-4):
            return verdict("mistake", "gradient lost", "No gradient arrives at x.")
    return verdict("right", "", "")


def pull_of(output, x):
    """The gradient that arrives at x, None if none does."""
    return torch.autograd.grad(output.square().sum(), x, allow_unused=True)[0] if output.requires_grad else None


def verdict(kind, mistake, sentence, position="", got=None, expected=None):
    first = [f"{each.flatten()[0].item():.3g}" if each is not None else "" for each in (got, expected)]
    return SimpleNamespace(
        passed=kind == "right", kind=kind, mistake=mistake, sentence=sentence, example="x b=2, l=5, d=3",
        position=position, got=first[0], expected=first[1],
    )  # fmt: skip
