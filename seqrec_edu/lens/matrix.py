"""The mixing matrices of one layer on one batch, with names for their axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, repr=False)
class MixingMatrix:
    """``y[t] = Σ_s M[t, s] v[s]`` for every history and head or channel; row t reads, column s is read.

    Attributes:
        values: "b h l l", "b e l l" or "b d l l", on the CPU.
        axes: these letters.
        layer: path and class of the layer.
        mixes: what v is, in words.
        exact: whether y = M v holds as it stands, given the rest of this input; else M is a linearisation (Jacobian).
        length: "b", real events of each history, where known.
        newest_first: channels that read the history from its end, where a layer reads both ways.
    """

    values: Tensor
    axes: str
    layer: str
    mixes: str
    exact: bool = True
    length: Tensor | None = None
    newest_first: tuple[bool, ...] = ()

    @property
    def shape(self) -> torch.Size:
        return self.values.shape

    def numpy(self) -> np.ndarray:
        """The values as an array."""
        return self.values.numpy()

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.values.numpy(), dtype=dtype)

    def history(self, index: int = 0) -> np.ndarray:
        """Matrices of one history without its pads: "h l l", or what stands for h."""
        end = self.values.shape[-1] if self.length is None else int(self.length[index])
        return self.values[index, :, :end, :end].numpy()

    def __repr__(self) -> str:
        kind = "exact" if self.exact else "a linearisation at this input, not exact"
        return (
            f"MixingMatrix of {self.layer}: '{self.axes}' {' × '.join(map(str, self.shape))}, {kind}; "
            f"mixes {self.mixes}; {float(self.values.min()):.3g} … {float(self.values.max()):.3g}"
        )
