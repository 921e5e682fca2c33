"""Initial values, and why some of them must survive a wrapper.

Recommenders in this field end their constructor with ``self.apply(init)``, which draws every Linear from normal(0,
0.02) and zeroes its bias. Applied to Mamba's step-size projection that sets every step to softplus(0) = 0.69 instead of
0.001 … 0.1, and a state that should remember for hundreds of events remembers for one (see the course, notebook 03).
Here the step-size parameters are bare ``nn.Parameter``s, which no loop over Linear layers can reach.
"""

import math

import torch
from torch import nn


def initialise(model: nn.Module, generator: torch.Generator | None = None, std: float = 0.02) -> None:
    """Draw every Linear and Embedding weight from normal(0, std), zero the biases and the padding row."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=std, generator=generator)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            with torch.no_grad():
                module.weight[module.padding_idx].zero_()


def step_bias(size: int, smallest: float = 1e-3, largest: float = 0.1) -> nn.Parameter:
    """Biases b with softplus(b) log-uniform in [smallest, largest]: the step sizes a state space starts with.

    The inverse of softplus is ``dt + log(1 - exp(-dt))``. Mamba, arXiv 2312.00752, section 3.6.
    """
    dt = torch.exp(torch.rand(size) * math.log(largest / smallest) + math.log(smallest))
    return nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
