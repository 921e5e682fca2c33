"""Shapes and numbers checked in axis words, so that nothing broadcasts by accident and no NaN comes of good input."""

import math

import torch
from torch import Tensor, nn

from seqrec_edu.notation import AXES


class ShapeError(ValueError):
    """A tensor whose axes are not what the operation documents."""


class RangeError(ValueError):
    """A tensor whose numbers are not what the operation documents."""


def axis_sizes(operation: str, **tensors: tuple[Tensor | None, str]) -> dict[str, int]:
    """Bind every axis letter to one size over all tensors, e.g. ``x=(x, "b l e")``; absent tensors are passed as None.

    An axis may be a number (``"b 1"``) or a letter plus or minus a number already bound (``"b k-1 e"``).

    Raises
    ------
    ShapeError
        naming the tensor, its axis, the size that came and the tensor that fixed the size expected.
    """
    sizes: dict[str, int] = {}
    fixed_by: dict[str, str] = {}
    for name, (tensor, pattern) in tensors.items():
        if tensor is None:
            continue
        axes = pattern.split()
        if tensor.dim() != len(axes):
            raise ShapeError(f"{operation}: {name} needs the {len(axes)} axes '{pattern}', got {tuple(tensor.shape)}")
        for axis, size in zip(axes, tensor.shape, strict=True):
            letter, _, minus = axis.partition("-")
            if letter not in sizes and not minus:
                sizes[letter], fixed_by[letter] = size, name
            expected = sizes[letter] - int(minus or 0)
            if size != expected:
                raise ShapeError(
                    f"{operation}: axis {axis} ({AXES[letter]}) of {name} '{pattern}' is {size}, "
                    f"but {fixed_by[letter]} fixes it at {expected}"
                )
    for letter, size in sizes.items():
        if size == 0 and letter != "s":
            raise ShapeError(f"{operation}: axis {letter} ({AXES[letter]}) of {fixed_by[letter]} is empty")
    return sizes


def same_kind(operation: str, **tensors: Tensor | None) -> None:
    """Require one floating dtype and one device over all tensors given."""
    first_name, first = None, None
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if not (tensor.is_floating_point() or tensor.is_complex()):
            raise ValueError(f"{operation}: {name} must hold floating-point numbers, got {tensor.dtype}")
        if first is None:
            first_name, first = name, tensor
        elif tensor.device != first.device:
            raise ValueError(f"{operation}: {name} is on {tensor.device}, {first_name} on {first.device}")
        elif tensor.dtype != first.dtype:
            raise ValueError(
                f"{operation}: {name} is {tensor.dtype}, {first_name} is {first.dtype}: convert one of them"
            )


def whole_numbers(operation: str, x: Tensor, **tensors: Tensor | None) -> None:
    """Require integers, on the device of ``x``: a position of 1.5 would be rounded down without a word."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
            raise ValueError(f"{operation}: {name} must hold whole numbers, got {tensor.dtype}")
        if tensor.device != x.device:
            raise ValueError(f"{operation}: {name} is on {tensor.device}, the numbers it goes with on {x.device}")


def in_range(
    operation: str,
    what: str,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    **tensors: tuple[Tensor | None, str],
) -> None:
    """Require finite numbers from ``least`` to ``most``, e.g. ``dt=(dt, "b l h")``; absent tensors are passed as None.

    Numbers are looked at on the CPU only, in one pass per tensor, some 4 µs at least: measured, 1 % of the forward pass
    of a scan over 64 histories of 50 events, 0.2 % of SSD's, 3 % of a single event. A GPU would have to stop for the
    answer, and where a graph is traced or a function is vectorised there are no numbers to look at.

    Raises
    ------
    RangeError
        naming the first number out of range and where it stands; ``what`` says in words what is expected.
    """
    for name, (tensor, pattern) in tensors.items():
        if tensor is None or not _at_hand(tensor):
            continue
        low, high = (float(bound) for bound in torch.aminmax(tensor.detach()))  # both are NaN as soon as one number is
        if not (least <= low and high <= most and math.isfinite(low) and math.isfinite(high)):
            wrong = ~torch.isfinite(tensor) | (tensor < least) | (tensor > most)
            place = tuple(wrong.nonzero()[0].tolist())
            where = ", ".join(f"{axis}={index}" for axis, index in zip(pattern.split(), place, strict=True))
            raise RangeError(
                f"{operation}: {name} '{pattern}' is {float(tensor.detach()[place]):.4g} at {where}, "
                f"but {name} must be finite and {what}"
            )


def _at_hand(tensor: Tensor) -> bool:
    """Whether the numbers of ``tensor`` can be read now and here."""
    if tensor.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    # Another type, or one wrapped by torch.func, may stand for a tensor without numbers or for many tensors at once.
    return type(tensor) in (Tensor, nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
