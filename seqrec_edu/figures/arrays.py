"""Arrays on their way into a figure: checked by axis letter, and stored in few bytes."""

import math

import numpy as np

_EXACT = 4096  # values up to which a heat map keeps float32; a larger one keeps four to five decimal digits
_LEVELS = 32767


def checked(name: str, value: object, axes: str, **sizes: int) -> np.ndarray:
    """Turn `value` into float64 and check it against a shape pattern such as `"h l l"`.

    Args:
        name: what the caller calls it, for the message.
        value: an array, nested lists, or a tensor on the CPU that needs no gradient.
        axes: one letter per axis; a letter that occurs twice stands for one size.
        sizes: letters whose size is known from another array.

    Raises:
        ValueError: no array of numbers, another number of axes, an empty axis, sizes that disagree, or a value that
            is not finite.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # words, ragged lists, a tensor on a GPU or with a gradient
        raise ValueError(f'{name} "{axes}" is no array of numbers: {error}') from None
    letters = axes.split()
    if array.ndim != len(letters):
        raise ValueError(f'{name} must have the axes "{axes}", {len(letters)} in all, but its shape is {array.shape}.')
    known = dict(sizes)
    for letter, size in zip(letters, array.shape, strict=True):
        if size == 0:
            raise ValueError(f'{name} "{axes}" has nothing along axis {letter}, so there is nothing to draw.')
        if known.setdefault(letter, size) != size:
            raise ValueError(
                f'{name} "{axes}" has {size} along axis {letter} where {known[letter]} are expected; '
                f"its shape is {array.shape}."
            )
    if not np.isfinite(array).all():
        at = np.argwhere(~np.isfinite(array))[0]
        where = ", ".join(f"{letter} = {i}" for letter, i in zip(letters, at, strict=True))
        raise ValueError(f"{name} holds {array[tuple(at)]} at {where}; only finite numbers can be drawn.")
    return array


def compact(values: np.ndarray, unit: float | None = None) -> tuple[np.ndarray, float]:
    """Store many numbers in few bytes: (stored, unit) with `values ≈ stored * unit`.

    Up to 4,096 values are float32 with unit 1. More become 16-bit integers in units of a power of ten, which keeps
    at least four decimal digits of the largest: a heat map of 200 × 200 is then 107 kB of JSON instead of 427. `unit`
    asks for the unit of another call.
    """
    peak = float(np.abs(values).max())
    if unit == 1 or (unit is None and (values.size <= _EXACT or peak == 0)):
        return values.astype(np.float32), 1.0
    unit = unit or 10.0 ** math.ceil(math.log10(peak / _LEVELS))
    return np.rint(values / unit).astype(np.int16), unit


def pooled(values: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """Shrink the last two axes to at most `most` entries each: (smaller, step).

    Of each block of step × step the entry of largest magnitude stays, not the mean: a single weight that reads the
    future must not fade away in a small picture.
    """
    step = max(1, math.ceil(max(values.shape[-2:]) / most))
    if step == 1:
        return values, 1
    *front, rows, columns = values.shape
    down, across = math.ceil(rows / step), math.ceil(columns / step)
    padded = np.zeros((*front, down * step, across * step))
    padded[..., :rows, :columns] = values
    blocks = (
        padded.reshape(*front, down, step, across, step).swapaxes(-3, -2).reshape(*front, down, across, step * step)
    )
    strongest = np.abs(blocks).argmax(-1)[..., None]
    return np.take_along_axis(blocks, strongest, -1)[..., 0], step
