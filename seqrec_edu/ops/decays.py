"""Products of many decays, as sums of their logarithms: what every masked matrix of a state space is made of."""

import torch


def floored(log_a):
    """Log-decays, raised to where their exponential is zero anyway.

    One event that forgets everything would otherwise take the digits of every later sum with it, and two that overflow
    would differ by ∞ - ∞.
    """
    return log_a.clamp(min=-746.0 if log_a.dtype == torch.float64 else -104.0)


def segment_sum(log_a):
    """``Σ_{r=s+1}^{t} log_a[r]`` for every pair over the last axis, -inf for s > t.

    Totals up to t minus totals up to s: what lies between, nothing on the diagonal. Masked before anyone takes an
    exponential: above the diagonal the difference is positive (A < 0) and exp may overflow. Put to 0 afterwards, an
    infinity would do no harm forward, but its gradient is 0 · ∞, which is no number.
    """
    length = log_a.shape[-1]
    total = log_a.cumsum(-1)
    difference = total[..., :, None] - total[..., None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=log_a.device).tril()
    return difference.masked_fill(~causal, -torch.inf)
