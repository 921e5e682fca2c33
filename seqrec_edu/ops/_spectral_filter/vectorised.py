"""The filter by FFT, with its gradients written as filters too.

With X and G the spectra of x and of the gradient of y, over a circle of n events,

    dx = irfft(G ⊙ conj W)              dW[f] = share[f] · Σ_b conj X[f] · G[f],      share = 2/n, at f = 0 and n/2 1/n

so the backward pass is one transform each way, and X is there already. PyTorch's own gradient of ``irfft`` cannot know
that the spectrum is that of real numbers and takes complex transforms of full length: about twice the time.
"""

import torch


def spectral_filter(x, weight, *, causal):
    """Same contract as the reference."""
    length = x.shape[1]
    period = smooth(2 * length - 1) if causal else length  # behind l - 1 zeros nothing comes round the circle
    wide = torch.promote_types(x.dtype, torch.float32)  # there is no complex bfloat16
    spectrum = weight if weight.is_complex() else torch.fft.rfft(weight.to(wide), n=period, dim=0)
    return _Filter.apply(x.to(wide), spectrum, period).to(x.dtype)


class _Filter(torch.autograd.Function):
    """``irfft`` reads its spectrum as that of real numbers: no imaginary part at f = 0, nor at n/2 for an even n."""

    @staticmethod
    def forward(ctx, x, W, period):
        X = torch.fft.rfft(x, n=period, dim=1)
        ctx.save_for_backward(X, W)
        ctx.length, ctx.period = x.shape[1], period
        return torch.fft.irfft(X * W, n=period, dim=1)[:, : x.shape[1]]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy):
        X, W = ctx.saved_tensors
        n, dx, dW = ctx.period, None, None
        G = torch.fft.rfft(dy, n=n, dim=1)
        if ctx.needs_input_grad[0]:
            dx = torch.fft.irfft(G * W.conj(), n=n, dim=1)[:, : ctx.length]
        if ctx.needs_input_grad[1]:
            dW = (X.conj() * G).sum(0) / n
            dW[1 : (n + 1) // 2] *= 2  # these waves stand for their mirror images as well
        return dx, dW, None


def smooth(least):
    """The smallest number from ``least`` on without a prime factor above 5: an FFT of 398 costs three of 400."""
    while True:
        rest = least
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return least
        least += 1
