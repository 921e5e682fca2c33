"""The spectral filter: three versions, two ways of giving the weight, and convolution as numpy computes it."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops._spectral_filter.reference import waves
from seqrec_edu.ops._spectral_filter.vectorised import smooth
from tests.ops.hopper import resources
from tests.ops.support import DOUBLE, SINGLE, assert_same, jacobian_over_time, normal, values_and_gradients, weights

GPU = torch.cuda.is_available()
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed: it exists for Linux")
on_gpu_float32 = pytest.mark.skipif(GPU, reason="on a GPU the kernel multiplies in float32; float64 is for CPUs")
KINDS = ["spectrum", "circular", "causal"]


def inputs_of(kind, b, l, d):
    """Real numbers only, so that the spectrum's two parts are leaves of their own."""
    f = l // 2 + 1
    if kind == "spectrum":
        return {"x": normal(b, l, d, seed=1), "real": normal(f, d, seed=2), "imag": normal(f, d, seed=3)}
    return {"x": normal(b, l, d, seed=1), "weight": normal(l, d, seed=2)}


def run(x, weight=None, real=None, imag=None, **options):
    return ops.spectral_filter(x, torch.complex(real, imag) if weight is None else weight, **options)


def run_kernel(mask=None, **inputs):
    """On the GPU where there is one, in Triton's interpreter elsewhere."""
    there = {name: value.cuda() if GPU and torch.is_tensor(value) else value for name, value in inputs.items()}
    return run(**there, mask=mask.cuda() if GPU and mask is not None else mask, backend="kernel").cpu()


def padding(b, l):
    return torch.arange(l) < torch.tensor([[l], [max(1, l // 2)], [1]]).repeat(b, 1)[:b]


def compare(kind, sizes, padded, dtype, operation, tolerance):
    inputs = inputs_of(kind, *sizes)
    options = {"causal": kind == "causal", "mask": padding(*sizes[:2]) if padded else None}
    expected = values_and_gradients(run, inputs, torch.float64, backend="reference", **options)
    assert_same(values_and_gradients(operation, inputs, dtype, **options), expected, tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, DOUBLE), (torch.float32, SINGLE)])
@settings(max_examples=12, deadline=None)
@given(b=st.integers(1, 3), l=st.sampled_from([1, 2, 3, 17, 63, 200]), d=st.integers(1, 5))
def test_fft_is_the_reference(kind, padded, dtype, tolerance, b, l, d):
    compare(kind, (b, l, d), padded, dtype, lambda **i: run(**i, backend="vectorised"), tolerance)


@needs_triton
@pytest.mark.parametrize("sizes", [(2, 1, 3), (1, 2, 1), (3, 17, 5), (2, 70, 3)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param(torch.float64, DOUBLE, marks=on_gpu_float32), (torch.float32, SINGLE)],
)
def test_kernel_is_the_reference(sizes, kind, dtype, tolerance):
    compare(kind, sizes, sizes[1] == 17, dtype, run_kernel, tolerance)


@needs_triton
@pytest.mark.parametrize("sizes", [(18, 5, 2), (1, 4, 35)])
def test_kernel_over_several_tiles_of_histories_and_channels(sizes):
    compare("spectrum", sizes, False, torch.float32, run_kernel, SINGLE)


@needs_triton
@pytest.mark.skipif(not GPU, reason="large shapes are for the GPU: the interpreter needs minutes")
@pytest.mark.parametrize("sizes", [(64, 50, 64), (33, 200, 64), (5, 256, 100), (17, 199, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_kernel_at_full_size_on_a_gpu(sizes, kind):
    compare(kind, sizes, False, torch.float32, run_kernel, SINGLE)


@needs_triton
def test_kernel_keeps_its_sums_in_registers():
    """The hungriest of the three, compiled for sm_90 in float32: 255 registers, none spilled (the others: 222, 191)."""
    tensors = ("x", "dy", "cos", "sin", "dreal", "dimag")
    signature = dict.fromkeys(tensors, "*fp32") | {"width": "i32:16"}
    signature |= dict.fromkeys(("batch", "length", "waves"), "i32")
    options = {"TILE": 32, "PRODUCT": "tf32x3", "HISTORIES": 16}
    found = resources("seqrec_edu.ops._spectral_filter.kernel", "_to_weight", signature, options, warps=8)
    assert found["spill_bytes"] == 0
    assert any("MMA" in opcode and "TF32" in opcode for opcode in found["opcodes"])  # on the matrix units


@needs_triton
def test_kernel_says_what_it_cannot_do():
    with pytest.raises(ops.BackendError, match="256 events at most, this history has 257"):
        run_kernel(x=torch.ones(1, 257, 2), weight=torch.ones(257, 2))
    assert "name it to run it" in ops.explain("spectral_filter", torch.empty(1, 9, 2, device="cuda" if GPU else "cpu"))


def test_multiplying_spectra_is_circular_convolution():
    """The oracle is numpy: its FFT of the response in time, and for the causal filter its plain convolution."""
    x, w = normal(1, 50, 3, seed=1), normal(50, 3, seed=2)
    wrapped = np.fft.ifft(np.fft.fft(x[0].numpy(), axis=0) * np.fft.fft(w.numpy(), axis=0), axis=0).real
    direct = np.stack([np.convolve(x[0, :, i].numpy(), w[:, i].numpy()) for i in range(3)], axis=1)
    spectrum = torch.from_numpy(np.fft.rfft(w.numpy(), axis=0))
    for backend in ("reference", "vectorised"):
        for weight in (w, spectrum):
            found = ops.spectral_filter(x, weight, backend=backend)[0].numpy()
            np.testing.assert_allclose(found, wrapped, rtol=1e-9, atol=1e-12)
        found = ops.spectral_filter(x, w, causal=True, backend=backend)[0].numpy()
        np.testing.assert_allclose(found, direct[:50], rtol=1e-9, atol=1e-12)
    folded = direct[:50].copy()
    folded[:49] += direct[50:]  # what runs over the end comes in at the front
    np.testing.assert_allclose(wrapped, folded, rtol=1e-9, atol=1e-12)


def test_the_papers_norm_cancels():
    x, w = normal(2, 21, 3, seed=1), torch.complex(normal(11, 3, seed=2), normal(11, 3, seed=3))
    papers = torch.fft.irfft(torch.fft.rfft(x, dim=1, norm="ortho") * w, n=21, dim=1, norm="ortho")
    torch.testing.assert_close(ops.spectral_filter(x, w), papers, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [1, 8, 9])
@pytest.mark.parametrize("kind", KINDS)
def test_matrix_is_the_operation_and_its_jacobian(kind, length):
    x, *weight = inputs_of(kind, 1, length, 2).values()
    weight = torch.complex(*weight) if kind == "spectrum" else weight[0]
    M = ops.mixing_matrix("spectral_filter", weight, length, causal=kind == "causal")
    y = torch.einsum("dts,bsd->btd", M, x)
    for backend in ("reference", "vectorised"):
        found = ops.spectral_filter(x, weight, causal=kind == "causal", backend=backend)
        torch.testing.assert_close(found, y, rtol=1e-9, atol=1e-12)
    J = jacobian_over_time(lambda v: ops.spectral_filter(v, weight, causal=kind == "causal")[0, :, 1], x)
    torch.testing.assert_close(J[:, 0, :, 1], M[1], rtol=1e-9, atol=1e-12)
    if kind == "causal":
        assert (M.triu(1) == 0).all()
    else:
        assert torch.equal(M.roll((1, 1), dims=(1, 2)), M)  # a circulant
        assert (M != 0).all()


def test_the_circular_filter_reads_everything_and_the_causal_one_only_the_past():
    read = {}
    for kind in KINDS:
        inputs = inputs_of(kind, 1, 50, 2)
        inputs["x"].requires_grad_()
        run(**inputs, causal=kind == "causal")[0, 3].sum().backward()
        read[kind] = inputs["x"].grad[0].abs().sum(-1).gt(1e-12).nonzero().flatten().tolist()
    assert read == {"spectrum": list(range(50)), "circular": list(range(50)), "causal": [0, 1, 2, 3]}


@pytest.mark.parametrize("backend", ["reference", "vectorised", pytest.param("kernel", marks=needs_triton)])
@pytest.mark.parametrize(("length", "silent"), [(8, [0, 4]), (9, [0])])
def test_waves_without_a_sine_have_no_use_for_an_imaginary_part(backend, length, silent):
    inputs = {name: v.float().requires_grad_() for name, v in inputs_of("spectrum", 2, length, 3).items()}
    call = run_kernel if backend == "kernel" else lambda **i: run(**i, backend=backend)
    y = call(**inputs)
    (y * normal(2, length, 3, seed=5).float()).sum().backward()
    without = (inputs["imag"].grad == 0).all(-1).nonzero().flatten().tolist()
    assert without == silent
    moved = inputs["imag"].detach().clone()
    moved[silent] += 100
    torch.testing.assert_close(call(**(inputs | {"imag": moved})), y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_pads_are_neither_read_nor_written(kind, backend):
    """Zeros in their place give the same; so does infinity, which a multiplication by 0 would turn into NaN."""
    inputs, mask = inputs_of(kind, 3, 10, 2), padding(3, 10)
    options = {"causal": kind == "causal", "backend": backend}
    pads = ~mask[..., None]
    clean = run(**(inputs | {"x": inputs["x"].masked_fill(pads, 0)}), **options).masked_fill(pads, 0)
    for content in (3.0, torch.inf, torch.nan):
        dirty = inputs | {"x": inputs["x"].masked_fill(pads, content).requires_grad_()}
        y = run(**dirty, mask=mask, **options)
        torch.testing.assert_close(y, clean, rtol=1e-9, atol=1e-12)
        (gradient,) = torch.autograd.grad(y.sum(), dirty["x"])
        assert (gradient.masked_select(pads) == 0).all() and torch.isfinite(gradient).all()


@pytest.mark.parametrize("backend", ["vectorised", pytest.param("kernel", marks=needs_triton)])
def test_inputs_need_not_be_contiguous(backend):
    for kind in ("spectrum", "causal"):
        inputs = inputs_of(kind, 2, 12, 3)
        strided = {name: v.transpose(0, -1).contiguous().transpose(0, -1) for name, v in inputs.items()}
        call = run_kernel if backend == "kernel" else lambda **i: run(**i, backend="vectorised")
        expected = values_and_gradients(run, inputs, torch.float64, backend="reference", causal=kind == "causal")
        assert_same(values_and_gradients(call, strided, torch.float32, causal=kind == "causal"), expected, SINGLE)


@pytest.mark.parametrize("backend", ["reference", "vectorised", pytest.param("kernel", marks=needs_triton)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_only_on_the_way_in_and_out(backend, dtype):
    inputs = inputs_of("spectrum", 2, 12, 3)
    weight = {"real": inputs["real"].float(), "imag": inputs["imag"].float()}
    x = inputs["x"].to(dtype)
    call = run_kernel if backend == "kernel" else lambda **i: run(**i, backend=backend)
    found, exact = call(x=x, **weight), run(x=x.double(), real=inputs["real"], imag=inputs["imag"])
    assert found.dtype == dtype
    tolerance = 1e-2 if GPU and backend == "kernel" else torch.finfo(dtype).eps
    assert (found.double() - exact).norm() < tolerance * exact.norm()


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind):
    inputs = inputs_of(kind, 1, 6, 2)
    leaves = [value.requires_grad_() for value in inputs.values()]
    for backend in ("reference", "vectorised"):
        call = lambda *v: run(**dict(zip(inputs, v, strict=True)), causal=kind == "causal", backend=backend)  # noqa: B023, E731
        assert torch.autograd.gradcheck(call, leaves)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_alone_is_that_of_both(kind):
    inputs = inputs_of(kind, 2, 9, 3)
    both = values_and_gradients(run, inputs, torch.float64, causal=kind == "causal", backend="vectorised")
    for wanted in ("x", "real" if kind == "spectrum" else "weight"):
        leaf = inputs[wanted].clone().requires_grad_()
        y = run(**(inputs | {wanted: leaf}), causal=kind == "causal", backend="vectorised")
        (alone,) = torch.autograd.grad((y * weights(y)).sum(), leaf)
        assert torch.equal(alone, both[f"gradient of {wanted}"])


def test_a_wave_comes_back_to_the_last_bit():
    """Its angle is counted in whole turns before it meets π: a wave is as exact at event 8,000 as at event 0."""
    for wave in waves(8, 8_000, torch.zeros(1, dtype=torch.float64))[:2]:
        assert torch.equal(wave.unflatten(1, (1_000, 8)), wave[:, None, :8].expand(-1, 1_000, -1))


def test_the_matrix_is_circular_unless_a_causal_one_is_asked_for():
    weight = torch.tensor([[1.0], [2.0], [3.0]])
    circular = torch.tensor([[[1.0, 3, 2], [2, 1, 3], [3, 2, 1]]])
    assert torch.equal(ops.mixing_matrix("spectral_filter", weight, 3), circular)
    assert torch.equal(ops.mixing_matrix("spectral_filter", weight, 3, causal=True), circular.tril())


def test_circles_are_of_lengths_that_an_fft_likes():
    assert [smooth(n) for n in (1, 7, 9, 25, 99, 397, 399, 511)] == [1, 8, 9, 25, 100, 400, 400, 512]


@pytest.mark.parametrize(
    ("weight", "options", "says"),
    [
        (
            torch.ones(5, 3, dtype=torch.complex64),
            {},
            "5 frequencies .* of 8 or 9 events, but x has 10 .* needs 6: pad",
        ),
        (torch.ones(6, 3, dtype=torch.complex64), {"causal": True}, 'circular.*real weight "l d"'),
        (
            torch.ones(6, 3, dtype=torch.complex128),
            {},
            "weight is torch.complex128, x is torch.float32, which needs torch.complex64",
        ),
        (torch.ones(9, 3), {}, "axis l .* of weight 'l d' is 9, but x fixes it at 10"),
        (torch.ones(10, 4), {}, "axis d .* of weight"),
        (torch.ones(10, 3).double(), {}, "weight is torch.float64, x is torch.float32"),
        (torch.ones(10, 3), {"mask": torch.ones(2, 10)}, "mask must be bool, .* got torch.float32"),
        (torch.ones(10, 3), {"mask": torch.ones(2, 9, dtype=torch.bool)}, "axis l .* of mask"),
    ],
)
def test_errors_in_axis_words(weight, options, says):
    with pytest.raises(ValueError, match=says):
        ops.spectral_filter(torch.ones(2, 10, 3), weight, **options)
