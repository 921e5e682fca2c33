"""How much a mixing matrix can tell apart, and how old what it reads is."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqrec_edu.lens.matrix import MixingMatrix

DAY = 86_400


def spectrum(M: Any) -> np.ndarray:
    """Singular values of each matrix, largest first: "… l l" to "… l", float64.

    ``σ_i`` with ``M = U diag(σ) Vᵀ``. M is a `MixingMatrix` or an array; pads are rows and columns like others: take
    ``found.history(0)`` to leave them out. Cost l³ per matrix.
    Errors: ``ValueError`` on anything that is not "… l l" of finite numbers.
    """
    return np.linalg.svd(_square("spectrum", M), compute_uv=False)


def effective_rank(M: Any) -> np.ndarray:
    """How many directions a matrix uses, in effect: ``exp(-Σ p_i log p_i)`` with ``p = σ / Σ σ``; "… l l" to "…".

    From 1, one direction alone, to l, all alike; 0 for a matrix of zeros. It need not be whole, and no threshold comes
    into it: compare `numerical_rank`, which counts. Roy and Vetterli 2007, EUSIPCO, "The effective rank". Errors and
    cost as `spectrum`.
    """
    sigma = spectrum(M)
    total = sigma.sum(-1, keepdims=True)
    p = np.divide(sigma, total, out=np.zeros_like(sigma), where=total > 0)
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(-1)
    return np.where(total[..., 0] > 0, np.exp(entropy), 0.0)


def numerical_rank(M: Any, tolerance: float | None = None) -> np.ndarray:
    """How many singular values lie above ``tolerance`` times the largest: "… l l" to int "…".

    The tolerance is l · 2.2e-16 unless given, what rounding leaves in float64. A low-rank attention with r interests
    has r at most, whatever l is. Errors and cost as `spectrum`.
    """
    sigma = spectrum(M)
    tolerance = sigma.shape[-1] * np.finfo(np.float64).eps if tolerance is None else tolerance
    return (sigma > tolerance * sigma[..., :1]).sum(-1)


def mean_age(M: Any, time: Any = None) -> np.ndarray:
    """How old what each event reads is, on average: ``Σ_s |M[t, s]| a(t, s) / Σ_s |M[t, s]|``; "… l l" to "… l".

    ``a(t, s)`` is t - s in events, or with ``time`` (Unix seconds "l" or "b l") the days between them: negative where
    later events are read, and 0 where nothing is. It serves for any mixing matrix what `memory_length` measures for a
    decay. Errors: ``ValueError`` as `spectrum`, and on times that do not fit.
    """
    weight = np.abs(_square("mean_age", M))
    place = np.arange(weight.shape[-1])
    age = (place[:, None] - place[None, :]).astype(np.float64)
    if time is not None:
        time = np.asarray(time)
        if time.shape[-1:] != place.shape or time.ndim not in (1, 2) or (time.ndim == 2 and weight.ndim < 3):
            raise ValueError(f"mean_age: time must be 'l' or 'b l' with l = {len(place)}, got {time.shape}")
        age = (time[..., :, None] - time[..., None, :]) / DAY
        if time.ndim == 2:
            age = age.reshape(len(age), *[1] * (weight.ndim - 3), *age.shape[1:])
    total = weight.sum(-1)
    return np.divide((weight * age).sum(-1), total, out=np.zeros_like(total), where=total > 0)


def fading(M: Any, t: int = -1) -> np.ndarray:
    """What event t reads, by age: ``|M[t, t - a]|`` as a share of the largest; "… l l" to "… l".

    A curve to compare blocks by; 0 beyond the first event and for a row of zeros. Errors: ``ValueError`` as `spectrum`.
    """
    weight = np.abs(_square("fading", M))
    t = t % weight.shape[-1]
    row = weight[..., t, t::-1]
    top = row.max(-1, keepdims=True)
    share = np.divide(row, top, out=np.zeros_like(row), where=top > 0)
    return np.concatenate([share, np.zeros_like(weight[..., 0, t + 1 :])], axis=-1)


def _square(name: str, M: Any) -> np.ndarray:
    array = np.asarray(M.values if isinstance(M, MixingMatrix) else M, dtype=np.float64)
    if array.ndim < 2 or array.shape[-1] != array.shape[-2] or array.shape[-1] == 0:
        raise ValueError(f"{name}: M must be '… l l', one square matrix for each of …, got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: M holds numbers that are not finite; look for the layer that made them")
    return array
