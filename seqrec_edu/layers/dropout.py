import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Zero each number with probability p while training, and scale the others by 1 / (1 - p).

    On the CPU one random byte decides each number, eight from every draw of the generator: PyTorch's own dropout
    draws once per number there, and was a sixth of a training step. So p is rounded to a 256th; the scale uses the
    rounded value.
    """

    def __init__(self, p: float):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p must be at least 0 and below 1, got {p}")
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        dropped = min(round(self.p * 256), 255)
        draws = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), 2**63 - 1).view(torch.uint8)
        kept = (draws[: x.numel()].view(x.shape) >= dropped).to(x.dtype)
        return x * kept.mul_(256 / (256 - dropped))
