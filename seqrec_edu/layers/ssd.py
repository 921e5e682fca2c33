from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.conv import CausalConv
from seqrec_edu.layers.initialise import step_bias
from seqrec_edu.layers.norm import GatedRMSNorm
from seqrec_edu.layers.recurrent import Recurrent
from seqrec_edu.taps import tap


@dataclass(frozen=True)
class SSDConfig:
    """Sizes of a Mamba-2 layer: width d, state n, head width p, inner width e = expand·d, chunk of the algorithm.

    ``activation`` ("silu" or "hardswish") follows the convolution, ``norm_eps`` is added to the mean square that the
    gated norm divides by.
    """

    d_model: int
    d_state: int = 32
    head_dim: int = 32
    conv_width: int = 4
    expand: int = 2
    chunk_size: int = 64
    bias: bool = False
    activation: str = "silu"
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.d_inner % self.head_dim:
            raise ValueError(
                f"SSDConfig: heads of width {self.head_dim} do not divide the inner width {self.d_inner} "
                f"(expand {self.expand} × d_model {self.d_model}); choose a head_dim that does"
            )

    @property
    def d_inner(self) -> int:
        return self.expand * self.d_model

    @property
    def heads(self) -> int:
        return self.d_inner // self.head_dim


class SSDLayer(Recurrent):
    """Mamba-2: state space duality between a gate and a norm.

    ``z, u, dt = split(W_in x)``;  ``x, B, C = split(silu(conv(u)))``;  ``dt = softplus(dt + b_dt)``;
    ``y = ssd(x, dt, -exp(A_log), B, C, D)``;  output ``W_out RMSNorm(y · silu(z))``.

    With ``time_factor`` τ the step becomes ``softplus(dt · τ + b_dt)`` (``placement="step"``, TiM4Rec's released
    code), or the log-decay alone is stretched, ``τ dt A`` (``placement="decay"``, its paper). τ = 1 is Mamba-2.
    ``state`` is (window of the convolution, state "b h p n").
    Mamba-2, arXiv 2405.21060, section 7; TiM4Rec, arXiv 2409.16182.
    """

    def __init__(self, config: SSDConfig):
        super().__init__()
        e, n, heads = config.d_inner, config.d_state, config.heads
        self.config = config
        self.in_proj = nn.Linear(config.d_model, 2 * e + 2 * n + heads, bias=config.bias)
        self.conv = CausalConv(e + 2 * n, config.conv_width, config.activation)
        self.dt_bias = step_bias(heads)
        self.A_log = nn.Parameter(torch.log(torch.empty(heads).uniform_(1, 16)))
        self.D = nn.Parameter(torch.ones(heads))
        self.norm = GatedRMSNorm(e, config.norm_eps)
        self.out_proj = nn.Linear(e, config.d_model, bias=config.bias)

    def forward(
        self,
        x: Float[Tensor, "b l d"],
        state: tuple | None = None,
        *,
        time_factor: Float[Tensor, "b l h"] | None = None,
        placement: str = "step",
    ) -> tuple[Float[Tensor, "b l d"], tuple]:
        window, carried = state or (None, None)
        c = self.config
        z, u, dt = self.in_proj(x).split([c.d_inner, c.d_inner + 2 * c.d_state, c.heads], dim=-1)
        u, window = self.conv(u, window)
        u, B, C = u.split([c.d_inner, c.d_state, c.d_state], dim=-1)
        if time_factor is not None and placement == "step":
            dt = dt * time_factor
        dt = F.softplus(dt + self.dt_bias)
        u, B, C = (tensor.to(dt.dtype) for tensor in (u, B, C))  # under autocast: the state stays in float32
        u, A = rearrange(u, "b l (h p) -> b l h p", p=c.head_dim), -torch.exp(self.A_log)
        decay_scale = time_factor.to(dt.dtype) if time_factor is not None and placement == "decay" else None
        self._show(u, dt, A, B, C, z, decay_scale)
        y, carried = ops.ssd(
            u,
            dt,
            A,
            rearrange(B, "b l n -> b l 1 n"),
            rearrange(C, "b l n -> b l 1 n"),
            self.D,
            decay_scale=decay_scale,
            chunk_size=c.chunk_size,
            initial_state=carried,
            return_state=True,
        )
        tap("scanned", y, "b l h p")
        y = tap("gated", self.norm(rearrange(y, "b l h p -> b l (h p)"), z), "b l e")
        return self.out_proj(y), (window, carried)

    def _show(self, x, dt, A, B, C, z, decay_scale):
        tap("x", x, "b l h p")
        tap("dt", dt, "b l h")
        tap("A", A, "h")
        tap("B", B, "b l n")
        tap("C", C, "b l n")
        tap("decay_scale", decay_scale, "b l h")
        tap("decay", lambda: torch.exp(dt * A if decay_scale is None else decay_scale * dt * A), "b l h")
        tap("z", z, "b l e")
        tap("gate", lambda: F.silu(z), "b l e")
