"""The filter wave by wave in real numbers, lag by lag, and as its matrix."""

import math

import torch
from einops import einsum, rearrange


def spectral_filter(x, weight, *, causal):
    """``y "b l d"``: through the waves for a spectrum ``"f d"``, through the lags for a response in time ``"l d"``."""
    wide = torch.promote_types(x.dtype, torch.float32)
    if weight.is_complex():
        return through_waves(x.to(wide), weight).to(x.dtype)
    return through_lags(x.to(wide), weight.to(wide), causal).to(x.dtype)


def through_waves(x, weight):
    """Measure each wave, multiply its complex amplitude, add the waves up."""
    cos, sin, share = waves(x.shape[1], x.shape[1], x)
    real, imag = einsum(cos, x, "f l, b l d -> b f d"), -einsum(sin, x, "f l, b l d -> b f d")
    real, imag = real * weight.real - imag * weight.imag, real * weight.imag + imag * weight.real
    return einsum(cos * share, real, "f l, b f d -> b l d") - einsum(sin * share, imag, "f l, b f d -> b l d")


def through_lags(x, weight, causal):
    """``Σ_lag weight[lag] · x, that many events later``; what runs over the end comes in at the front, or is lost."""
    y = torch.zeros_like(x)
    for lag in range(x.shape[1]):
        end = x.shape[1] - lag
        front = torch.zeros_like(x[:, end:]) if causal else x[:, end:]
        y = y + weight[lag] * torch.cat([front, x[:, :end]], dim=1)
    return y


def mixing_matrix(weight, length, causal=False):
    """``M "d l l"`` with ``y[:, :, d] = M[d] x[:, :, d]``: a circulant, or a lower triangle for a causal filter."""
    response = impulse_response(weight, length)
    lag = torch.arange(length, device=weight.device)[:, None] - torch.arange(length, device=weight.device)
    M = rearrange(response[lag % length], "t s d -> d t s")
    return M.tril() if causal else M


def impulse_response(weight, length):
    """``"l d"``: what the filter answers to a single 1 at position 0."""
    if not weight.is_complex():
        return weight
    cos, sin, share = waves(length, length, weight.real)
    return einsum(cos * share, weight.real, "f l, f d -> l d") - einsum(sin * share, weight.imag, "f l, f d -> l d")


def waves(period, length, like):
    """``cos "f l"``, ``sin "f l"`` over the first ``length`` events of a ``period``, and each wave's share ``"f 1"``.

    Wave f makes f full turns per period, f = 0 … period/2. The waves beyond are mirror images of these, so one counts
    twice in the sum; the two that are their own mirror image count once, and have no sine.
    """
    f = torch.arange(period // 2 + 1, device=like.device)[:, None]
    turns = (f * torch.arange(length, device=like.device)) % period  # whole numbers: no digit is lost for large f t
    angle = turns.to(torch.float64) * (2 * math.pi / period)
    alone = (2 * f) % period == 0
    cos, sin = torch.cos(angle), torch.sin(angle).masked_fill(alone, 0)
    share = (2 - alone.to(torch.float64)) / period
    return cos.to(like.dtype), sin.to(like.dtype), share.to(like.dtype)
