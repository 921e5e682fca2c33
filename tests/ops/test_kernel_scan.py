"""The Triton kernels of selective_scan: in Triton's interpreter where there is no GPU, compiled where there is one."""

import importlib
import sys
import types

import pytest
import torch
from einops import rearrange

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from tests.ops.support import DOUBLE, SINGLE, assert_same, normal, scan_inputs, values_and_gradients, weights

pytest.importorskip("triton", reason="triton is not installed (Linux only)")
interpreted = pytest.mark.skipif(
    not gpu.interpreting(), reason="Triton compiles here, for the GPU; TRITON_INTERPRET=1 runs its interpreter instead"
)
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture(autouse=True)
def memory_begins_as_nan():
    """So that a kernel that reads what nobody wrote is found out."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


def compare(inputs, dtype, tolerance, *, run=None, **options):
    expected = values_and_gradients(ops.selective_scan, inputs, torch.float64, backend="reference", return_state=True)
    options = {"backend": "kernel", "return_state": True} | options
    assert_same(values_and_gradients(run or ops.selective_scan, inputs, dtype, **options), expected, tolerance)


@interpreted
@pytest.mark.parametrize(("b", "l", "dtype", "tolerance"), [
    (2, 1, torch.float64, DOUBLE), (1, 2, torch.float64, DOUBLE), (2, 9, torch.float64, DOUBLE),
    (1, 16, torch.float64, DOUBLE), (1, 17, torch.float32, SINGLE), (1, 33, torch.float64, DOUBLE),
])  # fmt: skip
def test_lengths(b, l, dtype, tolerance):
    """Around the 4 events that are read at once and the 8 between two stored states; 5 channels of a tile of 32."""
    compare(scan_inputs(b, l, 5, 3), dtype, tolerance)


@interpreted
@pytest.mark.parametrize(("e", "n"), [(40, 1), (3, 16), (20, 32), (9, 70)])
def test_channels_and_states(e, n):
    """More than one tile; tiles with as many, fewer and more lanes than states; sizes that are no power of two."""
    compare(scan_inputs(1, 5, e, n), torch.float64, DOUBLE)


@interpreted
def test_two_cells_to_a_forward_program(monkeypatch):
    """What is chosen for large batches."""
    from seqrec_edu.ops._selective_scan import kernel

    monkeypatch.setattr(kernel, "FULL", 1)
    x = torch.empty(1, 9, 64)
    assert kernel.forward_tile(x, x, None, 32) == (64, 1) and kernel.forward_tile(x[..., :40], x, x, 32) == (32, 4)
    compare(scan_inputs(1, 9, 64, 16), torch.float64, DOUBLE)


@interpreted
@pytest.mark.parametrize("given", [{"D"}, {"z"}, {"initial_state"}, set()])
def test_what_may_be_left_out(given):
    inputs = scan_inputs(1, 9, 3, 4)
    compare(
        {k: v for k, v in inputs.items() if k in given or k not in {"D", "z", "initial_state"}}, torch.float64, DOUBLE
    )


@interpreted
@pytest.mark.parametrize("part", [0, 1])
def test_a_loss_on_one_output_alone(part):
    inputs = scan_inputs(1, 5, 3, 4)

    def one(**all):
        untouched = 0 * sum(all[name].sum() for name in ("C", "D", "z"))  # they do not reach the state
        return ops.selective_scan(**all, return_state=True)[part] + untouched

    expected = values_and_gradients(one, inputs, torch.float64, backend="reference")
    assert_same(values_and_gradients(one, inputs, torch.float64, backend="kernel"), expected, DOUBLE)


@interpreted
def test_inputs_need_not_be_contiguous():
    """Slices of one projection are read in place, turned tensors are copied."""
    inputs = scan_inputs(2, 6, 4, 4)
    sliced = {k: torch.cat([v, v], -1)[..., v.shape[-1] :] for k, v in inputs.items()}
    turned = {k: v.transpose(0, -1).contiguous().transpose(0, -1) for k, v in inputs.items()}
    for strided in (sliced, turned):
        compare(strided, torch.float64, DOUBLE)


@interpreted
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_sums_in_single(dtype):
    """What comes in and goes out is rounded, by up to 2^-9 and 2^-12, the gradient to y too, and nothing else."""
    inputs = {name: value.to(dtype).double() for name, value in scan_inputs(1, 9, 3, 4).items()}
    compare(inputs, dtype, 2**-7 if dtype == torch.bfloat16 else 2**-10)


@interpreted
def test_gradients_are_differences():
    """Without the reference: a small step along a random direction changes the outputs by what the gradients say."""
    inputs = {name: value.requires_grad_() for name, value in scan_inputs(1, 6, 3, 4).items()}
    step = {name: 1e-5 * normal(*value.shape, seed=20 + i) for i, (name, value) in enumerate(inputs.items())}

    def total(sign):
        moved = {name: value + sign * step[name] for name, value in inputs.items()}
        return sum((y * weights(y)).sum() for y in ops.selective_scan(**moved, backend="kernel", return_state=True))

    gradients = torch.autograd.grad(total(0), list(inputs.values()))
    expected = 2 * sum((g * s).sum() for g, s in zip(gradients, step.values(), strict=True))
    torch.testing.assert_close((total(1) - total(-1)).detach(), expected, rtol=1e-6, atol=0)


@interpreted
def test_it_is_its_matrix():
    inputs = scan_inputs(1, 6, 2, 3, state=False)
    x, dt, A, B, C = (inputs[name] for name in ("x", "dt", "A", "B", "C"))
    M = ops.mixing_matrix("selective_scan", dt, A, B, C)
    run = lambda v: ops.selective_scan(v, dt, A, B, C, backend="kernel")  # noqa: E731
    torch.testing.assert_close(torch.einsum("bets,bse->bte", M, x), run(x), rtol=DOUBLE, atol=DOUBLE)
    J = torch.autograd.functional.jacobian(lambda v: run(v)[0, :, 1], x)
    torch.testing.assert_close(J[:, 0, :, 1], M[0, 1], rtol=DOUBLE, atol=DOUBLE)


@interpreted
def test_steps_so_large_that_all_is_forgotten():
    inputs = scan_inputs(1, 6, 3, 4) | {"dt": torch.full((1, 6, 3), 500.0, dtype=torch.float64)}
    compare(inputs, torch.float32, SINGLE)


@interpreted
def test_cutting_a_history_changes_nothing():
    inputs = scan_inputs(1, 11, 3, 4)
    whole, last = ops.selective_scan(**inputs, backend="kernel", return_state=True)
    first, second = (
        {k: v[:, at] if k in ("x", "dt", "B", "C", "z") else v for k, v in inputs.items()}
        for at in (slice(3), slice(3, None))
    )
    y1, state = ops.selective_scan(**first, backend="kernel", return_state=True)
    y2, state = ops.selective_scan(**(second | {"initial_state": state}), backend="kernel", return_state=True)
    torch.testing.assert_close(torch.cat([y1, y2], 1), whole, rtol=DOUBLE, atol=DOUBLE)
    torch.testing.assert_close(state, last, rtol=DOUBLE, atol=DOUBLE)


def test_it_runs_only_where_it_can_and_is_named(monkeypatch):
    inputs = scan_inputs(1, 2, 3, 4)
    assert "kernel     " + gpu.HELD_BACK in ops.explain("selective_scan", inputs["x"]) or not gpu.interpreting()
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    with pytest.raises(ops.BackendError, match="'kernel' cannot run: it needs a CUDA GPU, the tensor is on cpu"):
        ops.selective_scan(**inputs, backend="kernel")
    with pytest.raises(ops.BackendError, match="'mamba_ssm' cannot run: mamba-ssm needs a CUDA GPU"):
        ops.selective_scan(**inputs, backend="mamba_ssm")
    with pytest.raises(ops.ShapeError, match=r"axis n .* of C"):
        ops.selective_scan(**(inputs | {"C": inputs["C"][..., 1:]}), backend="kernel")


def test_the_rival_gets_its_layouts(monkeypatch):
    """mamba-ssm itself needs a GPU; here stands its signature, computed by our reference."""

    def selective_scan_fn(u, delta, A, B, C, D=None, z=None, return_last_state=False):
        assert all(v.is_contiguous() for v in (u, delta, B, C, z)) and A.dtype == D.dtype == torch.float32
        u, delta, B, C, z = (rearrange(v, "b c l -> b l c") for v in (u, delta, B, C, z))
        y, last = ops.selective_scan(u, delta, A, B, C, D, z, backend="reference", return_state=True)
        return rearrange(y, "b l e -> b e l"), last

    interface = types.ModuleType("mamba_ssm.ops.selective_scan_interface")
    interface.selective_scan_fn = selective_scan_fn
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    rival = importlib.import_module("seqrec_edu.ops._selective_scan.mamba_ssm").selective_scan
    del sys.modules[rival.__module__]  # it holds on to the stand-in
    inputs = scan_inputs(2, 5, 3, 4, state=False)
    y = lambda **all: rival(**all)[0]  # noqa: E731
    expected = values_and_gradients(ops.selective_scan, inputs, torch.float64, backend="reference")
    assert_same(values_and_gradients(y, inputs, torch.float32), expected, SINGLE)
    single = {name: value.float().requires_grad_() for name, value in inputs.items()}
    with pytest.raises(ops.BackendError, match="no gradient to the last state"):
        rival(**single)[1].sum().backward()
    with pytest.raises(ops.BackendError, match="cannot take an initial_state"):
        rival(**single, initial_state=torch.zeros(2, 3, 4))


def on_device(**inputs):
    """The kernel on the GPU, inputs from and outputs to the CPU, where they are compared."""
    moved = {k: v.cuda() if isinstance(v, torch.Tensor) else v for k, v in inputs.items()}
    return tuple(y.cpu() for y in ops.selective_scan(**moved))


@on_gpu
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, DOUBLE), (torch.float32, SINGLE), (torch.bfloat16, 1e-2)]
)
@pytest.mark.parametrize("n", [1, 3, 16, 32, 64])
@pytest.mark.parametrize(
    ("b", "l", "e"), [(1, 1, 128), (3, 2, 5), (2, 63, 96), (70, 50, 128), (5, 200, 40), (1100, 9, 128)]
)
def test_on_the_gpu(b, l, e, n, dtype, tolerance):
    inputs = {name: value.to(dtype).double() for name, value in scan_inputs(b, l, e, n).items()}
    compare(inputs, dtype, tolerance, run=on_device)


@on_gpu
def test_the_same_bits_every_time():
    inputs = {name: value.float().cuda() for name, value in scan_inputs(300, 50, 128, 16).items()}
    once, again = (
        values_and_gradients(on_device, inputs, torch.float32, backend="kernel", return_state=True) for _ in "12"
    )
    assert all(torch.equal(once[name], again[name]) for name in once)
