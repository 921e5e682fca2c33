import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.conv import CausalConv
from seqrec_edu.layers.initialise import step_bias
from seqrec_edu.layers.recurrent import Recurrent
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class MambaConfig:
    """Sizes of a Mamba-1 layer: width d, state n, convolution k, inner width e = expand·d, rank of the step
    projection."""

    d_model: int
    d_state: int = 16
    conv_width: int = 4
    expand: int = 2

    @property
    def d_inner(self) -> int:
        return self.expand * self.d_model

    @property
    def step_rank(self) -> int:
        return math.ceil(self.d_model / 16)


class MambaLayer(Recurrent):
    """Mamba-1: a gated, selective state space.

    ``u, z = split(W_in x)``;  ``u = silu(conv(u))``;  ``r, B, C = split(W_x u)``;  ``dt = softplus(W_dt r + b_dt)``;
    ``y = selective_scan(u, dt, -exp(A_log), B, C, D, z)``;  output ``W_out y``.

    Mamba, arXiv 2312.00752, section 3.4. ``state`` is (window of the convolution, state of the scan).
    """

    def __init__(self, config: MambaConfig):
        super().__init__()
        e, n, r = config.d_inner, config.d_state, config.step_rank
        self.config = config
        self.in_proj = nn.Linear(config.d_model, 2 * e, bias=False)
        self.conv = CausalConv(e, config.conv_width)
        self.x_proj = nn.Linear(e, r + 2 * n, bias=False)
        self.dt_weight = nn.Parameter(torch.empty(e, r).uniform_(-(r**-0.5), r**-0.5))
        self.dt_bias = step_bias(e)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, n + 1)).repeat(e, 1))
        self.D = nn.Parameter(torch.ones(e))
        self.out_proj = nn.Linear(e, config.d_model, bias=False)

    def forward(self, x: Float[Tensor, "b l d"], state: tuple | None = None) -> tuple[Float[Tensor, "b l d"], tuple]:
        window, scanned = state or (None, None)
        n, r = self.config.d_state, self.config.step_rank
        u, z = self.in_proj(x).chunk(2, dim=-1)
        u, window = self.conv(u, window)
        low, B, C = self.x_proj(u).split([r, n, n], dim=-1)
        dt = F.softplus(einsum(low, self.dt_weight, "b l r, e r -> b l e") + self.dt_bias)
        u, B, C, z = (tensor.to(dt.dtype) for tensor in (u, B, C, z))  # under autocast: the state stays in float32
        A = -torch.exp(self.A_log)
        for name, tensor in (("x", u), ("dt", dt), ("z", z)):
            tap(name, tensor, "b l e")
        for name, tensor in (("B", B), ("C", C)):
            tap(name, tensor, "b l n")
        tap("A", A, "e n")
        tap("decay", lambda: torch.exp(dt[..., None] * A), "b l e n")
        tap("gate", lambda: F.silu(z), "b l e")
        y, scanned = ops.selective_scan(u, dt, A, B, C, self.D, z, initial_state=scanned, return_state=True)
        return self.out_proj(tap("scanned", y, "b l e")), (window, scanned)
