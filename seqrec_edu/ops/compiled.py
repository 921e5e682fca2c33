"""What the compiled CPU loops share: numba if it is there, torch's number of threads, an exp that vectorises."""

import contextlib

import numpy as np
import torch

try:
    import numba
except ImportError:  # numba has wheels for Linux, macOS and Windows, but not for every Python on its first day
    numba = None


def refuses(x):
    """Why a compiled loop cannot run on a tensor like ``x``, or None."""
    if numba is None:
        return "numba is not installed: pip install numba"
    if x.device.type != "cpu":
        return f"it is written for the CPU, the tensor is on {x.device}"
    if x.dtype != torch.float32:
        return f"it is compiled for float32, the tensor is {x.dtype}"
    return None


def compile_loop(function):
    """Compile a loop whose ``prange`` runs in parallel; kept on disk, so the seconds it takes are paid once.

    What is kept has been optimised once more than what runs in the process that compiled it, so it sums in another
    order: results of that process differ from those of later ones in the last digits.
    """
    return numba.njit(parallel=True, fastmath=True, cache=True, error_model="numpy")(function)


def arrays(*tensors):
    """The memory of some contiguous tensors as numpy arrays."""
    return [tensor.detach().numpy() for tensor in tensors]


@contextlib.contextmanager
def threads_of_torch():
    """Use as many threads as torch was told to, so that one setting governs both."""
    wanted, before = torch.get_num_threads(), numba.get_num_threads()
    numba.set_num_threads(min(wanted, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)
        # When numba starts its OpenMP threads it raises the number for everybody, torch included. Left so, a process
        # that asked for one thread spins on two, which is many times slower where the other core is busy.
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)


def inner_loop(function):
    """Compile what the loops call. At the top of a module: compiled inside another function it is not kept on disk."""
    return function if numba is None else numba.njit(fastmath=True, error_model="numpy")(function)


def exp2_of_negative(y):
    """2^y for y ≤ 0 in arithmetic that vectorises: 2^k · 2^f with 2^f from a polynomial on [-½, ½].

    Of the polynomials of its degree that are 1 at 0, so that nothing decays where no time passes, it has the smallest
    largest relative error, 9e-8: with rounding about three units in the last place. 2^k is added to the exponent.
    """
    y = max(y, np.float32(-125))  # below 2^-125 the result is as good as zero
    k = np.int32(y - np.float32(0.5))  # towards zero, so this is the nearest whole number
    f = y - np.float32(k)
    p = np.float32(1.3264727e-3)
    p = p * f + np.float32(9.671513e-3)
    p = p * f + np.float32(5.5507336e-2)
    p = p * f + np.float32(2.4022242e-1)
    p = p * f + np.float32(6.93147e-1)
    p = p * f + np.float32(1)
    return np.int32(np.float32(p).view(np.int32) + np.int32(k << np.int32(23))).view(np.float32)


def exp_of_negative(x):
    """exp(x) for x ≤ 0."""
    return exp2_of_negative(x * np.float32(1.4426950408889634))


def sigmoid(x):
    """1 / (1 + exp(-x)), from an exponential that cannot overflow."""
    small = exp_of_negative(-abs(x))
    return (np.float32(1) if x >= 0 else small) / (np.float32(1) + small)


if numba is not None:
    exp2_of_negative = numba.njit(fastmath=True, inline="always")(exp2_of_negative)
    exp_of_negative = numba.njit(fastmath=True, inline="always")(exp_of_negative)
    sigmoid = numba.njit(fastmath=True, inline="always")(sigmoid)
