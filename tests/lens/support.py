"""Small models that read what they are given, histories to run them on, and Jacobians of the calls they make."""

import torch

from seqrec_edu import ops
from tests.lens.conftest import small
from tests.models.support import batch

LENGTH = 12


def model(name, **settings):
    """A model of the package in float64, its weights far from the small first ones, so that all it reads shows."""
    if name in ("bert4rec", "echomamba4rec", "fmlprec", "lightsans", "linrec", "mlsa4rec", "sasrec", "tisasrec"):
        settings = {"history_length": LENGTH} | settings
    if name in ("lightsans", "mlsa4rec"):
        settings = {"interests": 3} | settings
    found = small(name, **settings).double().eval()
    with torch.no_grad():
        for key, parameter in found.named_parameters():
            if "proj" in key or "embedding.weight" in key or "filter" in key:
                parameter.mul_(10)
    return found


def listen(monkeypatch, operation):
    """The arguments of every call of an operation from now on, (positional, named)."""
    calls, run = [], getattr(ops, operation)

    def heard(*args, **options):
        calls.append((args, options))
        return run(*args, **options)

    monkeypatch.setattr(ops, operation, heard)
    return calls


def jacobian(function, x):
    """``∂ y / ∂ x`` with all axes of y in front of all axes of x; the history of a batch that y[i] reads is x[i]."""
    return torch.autograd.functional.jacobian(function, x.detach())


__all__ = ["LENGTH", "batch", "jacobian", "listen", "model"]
