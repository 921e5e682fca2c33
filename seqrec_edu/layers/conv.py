import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu import ops
from seqrec_edu.layers.recurrent import Recurrent
from seqrec_edu.taps import tap


class CausalConv(Recurrent):
    """Depthwise causal convolution over the last ``width`` events, one filter per channel: ``ops.causal_conv1d``."""

    def __init__(self, channels: int, width: int = 4, activation: str | None = "silu"):
        super().__init__()
        if width < 1:
            raise ValueError(f"CausalConv: width must be at least 1 event, got {width}")
        bound = width**-0.5  # PyTorch's own choice for a filter that sees `width` numbers
        self.weight = nn.Parameter(torch.empty(channels, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels).uniform_(-bound, bound))
        self.activation = activation

    def forward(self, x: Float[Tensor, "b l e"], state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns ``y "b l e"`` and the window ``"b k-1 e"`` that continues it."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)  # under autocast x is bf16
        y, window = ops.causal_conv1d(
            x, weight, bias, activation=self.activation, initial_state=state, return_state=True
        )
        return tap("convolved", y, "b l e"), window
