"""Whether a result is right: its shape and kind, then its values, and where they first differ."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from seqrec_edu.teaching.definition import as_tuple
from seqrec_edu.teaching.inputs import Case

ROUNDING = {torch.float64: 1e-8, torch.float32: 1e-4}

Results = tuple[Tensor, ...]


@dataclass(frozen=True)
class Place:
    """Where two results first differ."""

    where: str
    got: str
    expected: str


def plain(value: object) -> Results | None:
    """Results as plain tensors without a graph; None if something else is among them.

    A subclass of Tensor could bring its own idea of equality, so it is taken down to its numbers.
    """
    found = as_tuple(value)
    if not found or not all(isinstance(each, Tensor) for each in found):
        return None
    try:
        with torch._C.DisableTorchFunctionSubclass():
            return tuple(Tensor.as_subclass(Tensor.detach(each), Tensor) for each in found)
    except Exception:  # something that only says it is a tensor
        return None


def same(got: Results | None, want: Results | None, single: bool = False, tolerance: float = 1.0) -> bool:
    """Whether values agree up to rounding; also that neither is there."""
    if got is None or want is None:
        return got is want
    if len(got) != len(want):
        return False
    return all(
        a.shape == b.shape and a.device == b.device and (a.is_meta or bool(close(a, b, single, tolerance).all()))
        for a, b in zip(got, want, strict=True)
    )


def close(got: Tensor, want: Tensor, single: bool = False, tolerance: float = 1.0) -> Tensor:
    """For every place whether it agrees; NaN agrees with NaN."""
    if not (got.is_floating_point() or got.is_complex()) and not (want.is_floating_point() or want.is_complex()):
        return got == want
    wide = torch.complex128 if got.is_complex() or want.is_complex() else torch.float64
    got, want = got.to(wide), want.to(wide)
    finite = want[want.isfinite()].abs()
    scale = finite.max().item() if finite.numel() and finite.max() > 0 else 1.0
    rounding = ROUNDING[torch.float32 if single else torch.float64] * tolerance * scale
    return ((got - want).abs() <= rounding) | (got == want) | (got.isnan() & want.isnan())


def first_difference(got: Results, want: Results, axes: tuple[str, ...], case: Case, tolerance: float) -> Place | None:
    """The first place in reading order, in axis letters."""
    for index, (a, b) in enumerate(zip(got, want, strict=False)):
        if a.shape != b.shape or a.device != b.device:
            return None
        agree = close(a, b, case.single, tolerance)
        if bool(agree.all()):
            continue
        place = (~agree).nonzero()[0].tolist()
        letters = axes[index].split()
        where = ", ".join(f"{letter}={at}" for letter, at in zip(named(letters), place, strict=True)) or "the number"
        where = where if len(want) == 1 else f"result {index + 1}, {where}"
        return Place(where, digits(a[tuple(place)]), digits(b[tuple(place)]))
    return None


def named(letters: list[str]) -> list[str]:
    """Axis letters of a result; the two l of a matrix are its row t and its column s."""
    if letters.count("l") != 2:
        return letters
    first = letters.index("l")
    return [("t" if at == first else "s") if letter == "l" else letter for at, letter in enumerate(letters)]


def digits(value: Tensor) -> str:
    """One number with five digits."""
    number = value.item()
    if isinstance(number, complex):
        return f"{number.real:.5g}{number.imag:+.5g}j"
    return f"{number:.5g}" if isinstance(number, float) else str(number)


def shape_text(axes: str, shape: tuple[int, ...]) -> str:
    """``"b l h" = (1, 5, 2)``."""
    return f'"{axes}" = {tuple(shape)}'
