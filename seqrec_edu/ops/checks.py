"""Shapes checked in axis words, so that nothing broadcasts by accident."""

from torch import Tensor

from seqrec_edu.notation import AXES


class ShapeError(ValueError):
    """A tensor whose axes are not what the operation documents."""


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
