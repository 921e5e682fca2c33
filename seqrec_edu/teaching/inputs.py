"""Inputs that an exercise is tried on: drawn by axis letters, smallest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

Sizes = dict[str, int]


@dataclass(frozen=True)
class Argument:
    """One argument of an exercise: its axes, such as ``"b l h"``, and how to draw it in float64."""

    axes: str
    draw: Callable[[torch.Generator, Sizes], Tensor]
    kind: str = "number"  # "number", "mask", "lengths" or "whole"

    @property
    def letters(self) -> tuple[str, ...]:
        return tuple(self.axes.split())

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        return tuple(sizes[letter] for letter in self.letters)


def normal(axes: str) -> Argument:
    """Numbers around 0."""
    return _drawn(axes, lambda draw, shape: torch.randn(shape, generator=draw, dtype=torch.float64))


def positive(axes: str) -> Argument:
    """Numbers above 0, such as step sizes: mostly between 0.1 and 2."""
    return _drawn(
        axes, lambda draw, shape: 0.05 + F.softplus(torch.randn(shape, generator=draw, dtype=torch.float64) - 0.5)
    )


def between(axes: str, low: float, high: float) -> Argument:
    """Numbers spread evenly over a range."""
    return _drawn(axes, lambda draw, shape: low + (high - low) * torch.rand(shape, generator=draw, dtype=torch.float64))


def spectrum(axes: str) -> Argument:
    """Complex numbers, such as one weight per wave f and channel d."""
    return _drawn(axes, lambda draw, shape: torch.randn(shape, generator=draw, dtype=torch.complex128))


def whole(axes: str, low: int, high: int | str) -> Argument:
    """Whole numbers from ``low`` up to, not including, ``high``: a number or the size of an axis."""

    def draw_whole(draw: torch.Generator, sizes: Sizes) -> Tensor:
        end = sizes[high] if isinstance(high, str) else high
        return torch.randint(low, end, tuple(sizes[a] for a in axes.split()), generator=draw)

    return Argument(axes, draw_whole, "whole")


def lengths(axes: str = "b", least: int = 1) -> Argument:
    """Real events of every history, out of l places."""
    return Argument(axes, lambda draw, sizes: draw_lengths(draw, sizes, least), "lengths")


def mask(axes: str = "b l", least: int = 1) -> Argument:
    """True at real events; the pads stand at the end."""

    def draw_mask(draw: torch.Generator, sizes: Sizes) -> Tensor:
        return torch.arange(sizes["l"]) < draw_lengths(draw, sizes, least)[:, None]

    return Argument(axes, draw_mask, "mask")


def draw_lengths(draw: torch.Generator, sizes: Sizes, least: int) -> Tensor:
    """The last row is the fullest, and another or, alone, this one too has a pad wherever there is room for one."""
    found = torch.randint(least, sizes["l"] + 1, (sizes["b"],), generator=draw)
    found[-1] = sizes["l"]
    if sizes["l"] > 1:
        found[0] = max(least, sizes["l"] * 2 // 3)
    return found


def _drawn(axes: str, draw) -> Argument:
    return Argument(axes, lambda generator, sizes: draw(generator, tuple(sizes[a] for a in axes.split())))


@dataclass(frozen=True, eq=False)
class Case:
    """One input: what is special about it, the size of every axis, and the arguments by name."""

    name: str
    sizes: Sizes
    values: dict[str, Tensor]
    contiguous: bool = True
    axes: dict[str, str] = field(default_factory=dict)

    def fresh(self) -> dict[str, Tensor]:
        """Copies that a function may spoil."""
        return {name: value.clone() if self.contiguous else spread(value) for name, value in self.values.items()}

    def other(self, values: dict[str, Tensor]) -> Case:
        """The same case with other arguments."""
        return Case(self.name, self.sizes, values, self.contiguous, self.axes)

    @cached_property
    def dtype(self) -> torch.dtype:
        """That of the numbers."""
        kinds = [value.dtype for value in self.values.values() if value.is_floating_point() or value.is_complex()]
        return kinds[0] if kinds else torch.float64

    @property
    def single(self) -> bool:
        """Whether its numbers have single precision."""
        return self.dtype in (torch.float32, torch.complex64)

    @cached_property
    def described(self) -> str:
        """Sizes by axis letter, the kind of numbers, and what else is special."""
        parts = [*(f"{letter}={size}" for letter, size in self.sizes.items()), str(self.dtype).removeprefix("torch.")]
        text = ", ".join(parts)
        text += "" if self.contiguous else ", not contiguous in memory"
        return text + (f" ({self.name})" if self.name else "")

    def __str__(self) -> str:
        lines = [self.described]
        for name, value in self.values.items():
            text = shown(value)
            axes = self.axes.get(name, "")
            lines.append(f'  {name} "{axes}" = {text}' if axes else f"  {name} = {text}")
        return "\n".join(lines)


def shown(value: Tensor) -> str:
    """A tensor as text: in full while it is small."""
    if value.numel() > 24:
        return f"{tuple(value.shape)}, {value.numel()} numbers"
    if value.is_complex():
        return str([f"{each.real:.4g}{each.imag:+.4g}j" for each in value.flatten().tolist()]).replace("'", "")
    return str(_rounded(value.tolist()))


def _rounded(value):
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def spread(value: Tensor) -> Tensor:
    """The same numbers, with a gap after each one in memory."""
    if value.dim() == 0:
        return value.clone()
    return torch.stack([value, torch.zeros_like(value)], dim=-1).flatten(-2)[..., ::2]


def in_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Numbers in ``dtype``; whole numbers and masks as they are."""
    if value.is_complex():
        return value.to(torch.complex64 if dtype == torch.float32 else torch.complex128)
    return value.to(dtype) if value.is_floating_point() else value


@dataclass(frozen=True)
class Plan:
    """Sizes of a case: length, rows of the batch, and all other axes, or the exercise's own sizes where None."""

    l: int
    b: int = 1
    rest: int | None = None
    dtype: torch.dtype = torch.float64
    contiguous: bool = True


# Smallest first, so that the first failing one is small. Axes of one size let a confusion of axes run to its end.
PLANS = (
    Plan(1, 1, 1),
    Plan(2, 1, 1),
    Plan(3, 1, 1),
    Plan(3, 2, 1),
    Plan(3, 3, 3),
    Plan(5, 1),
    Plan(5, 2),
    Plan(6, 3),
    Plan(7, 2, dtype=torch.float32),
    Plan(6, 2, contiguous=False),
    Plan(63, 1),
)


def planned(
    arguments: dict[str, Argument], own: Sizes, least: Sizes, seed: int, derived: dict[str, Callable[[Sizes], int]]
) -> Iterator[Case]:
    """One case per plan; plans that come out alike (no axis l, say) only once."""
    letters = list(dict.fromkeys(letter for each in arguments.values() for letter in each.letters))
    letters += [letter for letter in ("b", "l") if letter in least and letter not in letters]
    seen = set()
    for index, plan in enumerate(PLANS):
        sizes = {}
        for letter in letters:
            size = {"l": plan.l, "b": plan.b}.get(letter, plan.rest or own.get(letter, 2))
            sizes[letter] = max(size, least.get(letter, 1))
        for letter, size in derived.items():
            sizes[letter] = size(sizes)
        mark = (*sizes.items(), plan.dtype, plan.contiguous)
        if mark in seen:
            continue
        seen.add(mark)
        generator = torch.Generator().manual_seed(1000 * seed + index)
        values = {name: in_dtype(each.draw(generator, sizes), plan.dtype) for name, each in arguments.items()}
        yield Case("", sizes, values, plan.contiguous, {name: each.axes for name, each in arguments.items()})
