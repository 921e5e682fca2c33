"""The kernels of linear_cross_entropy and target_rank: as machine code for sm_90 without a GPU, and run where there is
one."""

import pytest
import torch

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from tests.ops import hopper
from tests.ops.support import generator

pytest.importorskip("triton", reason="triton is not installed (Linux only)")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

LOSS, RANK = "seqrec_edu.ops._linear_cross_entropy.kernel", "seqrec_edu.ops._target_rank.kernel"
# Instructions per score in the loop over the streamed rows, as Triton 3.7.1 compiled it for rows of 64 numbers. The
# products alone take 64 multiply-adds of each product in float32, and next to nothing on tensor cores.
MEASURED = {
    ("_logsumexp", torch.bfloat16): 9.5,
    ("_hidden_gradient", torch.bfloat16): 8.6,
    ("_items_gradient", torch.bfloat16): 9.8,
    ("_count", torch.bfloat16): 20.1,
    ("_hidden_gradient", torch.float32): 158.3,
    ("_count", torch.float32): 98.3,
}


@pytest.mark.parametrize(("kernel", "dtype"), MEASURED)
def test_no_spills_and_few_instructions(kernel, dtype, monkeypatch):
    found, per_score = compiled(kernel, dtype, 64, monkeypatch)
    loop = found["loops"][-1]
    check(found, loop, dtype)
    assert per_score(loop["instructions"]) <= 1.1 * MEASURED[kernel, dtype]
    if kernel != "_count":  # and a few per row, for the sum so far to shrink by
        assert 1 <= per_score(hopper.count(loop["opcodes"], "MUFU.EX2")) < 1.6


@pytest.mark.parametrize(
    ("kernel", "dtype"), [("_items_gradient", torch.bfloat16), ("_hidden_gradient", torch.float32)]
)
def test_the_widest_rows_fit(kernel, dtype, monkeypatch):
    found, _ = compiled(kernel, dtype, 256, monkeypatch)
    check(found, found["loops"][-1], dtype)


def check(found, loop, dtype):
    assert found["spill_bytes"] == 0
    assert found["shared_bytes"] <= hopper.SHARED_LIMIT
    assert hopper.count(found["opcodes"], "ATOM", "RED") == 0, "sums must not depend on who comes first"
    on_tensor_cores = hopper.count(loop["opcodes"], "HMMA", "HGMMA")
    assert (on_tensor_cores > 0) == (dtype == torch.bfloat16), "float32 must not be rounded to TF32"


def compiled(kernel, dtype, width, monkeypatch):
    from seqrec_edu.ops._linear_cross_entropy import tiles

    monkeypatch.setattr(gpu, "interpreting", lambda: False)
    constants = tiles.options(torch.empty(1, width, dtype=dtype))
    warps = constants.pop("num_warps")
    rows = "*bf16" if dtype == torch.bfloat16 else "*fp32"
    signature = dict.fromkeys(["hidden", "items"], rows) | dict.fromkeys(["span", "words"], "i32:16")
    if kernel == "_count":
        constants["SEEN"] = True
        signature |= {"target": "*i64", "bits": "*i64", "own": "*fp32", "halves": "*i32", "U": "i32", "V": "i32"}
    else:
        signature |= dict.fromkeys(["T", "V", "padding"], "i32")
        if kernel == "_logsumexp":
            signature |= {"partial": "*fp32"}
        else:
            signature |= dict.fromkeys(["total", "upstream"], "*fp32") | {"right": "*i32", "gradient": rows}
            signature |= {"upstream_stride": "i32"}
    found = hopper.resources(RANK if kernel == "_count" else LOSS, kernel, signature, constants, warps)
    scores = constants["ROWS"] * constants["COLUMNS"]
    return found, lambda instructions: instructions * 32 * warps / scores


def draw(*shape, seed, dtype=torch.float32):
    return torch.randn(*shape, generator=generator(seed)).to("cuda", dtype)


def loss_and_gradients(hidden, items, target, weight, **options):
    hidden, items = hidden.detach().requires_grad_(), items.detach().requires_grad_()
    loss = ops.linear_cross_entropy(hidden, items, target, **options)
    return loss.detach(), *torch.autograd.grad((loss * weight).sum(), (hidden, items))


@on_gpu
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-5), (torch.bfloat16, 8e-3)])
@pytest.mark.parametrize(
    ("tokens", "items", "width"), [(1, 2, 1), (200, 3417, 64), (2000, 501, 100), (65, 20_000, 256), (1000, 1000, 128)]
)
def test_loss_on_the_gpu(tokens, items, width, dtype, tolerance):
    hidden, catalogue = draw(tokens, width, seed=1, dtype=dtype), draw(items, width, seed=2, dtype=dtype)
    target = torch.randint(0, items, (tokens,), generator=generator(3)).cuda()
    weight = draw(tokens, seed=4, dtype=dtype)
    options = {"reduction": "none"}
    found = loss_and_gradients(hidden, catalogue, target, weight, backend="kernel", **options)
    again = loss_and_gradients(hidden, catalogue, target, weight, backend="kernel", **options)
    expected = loss_and_gradients(
        hidden.double(), catalogue.double(), target, weight.double(), backend="reference", **options
    )
    for value, same, right in zip(found, again, expected, strict=True):
        assert torch.equal(value, same), "every run must have the same bits"
        assert (value.double() - right).norm() <= tolerance * (right.norm() + 1e-12)


@on_gpu
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("users", "items", "width"), [(1, 3, 1), (300, 3417, 64), (40, 100_000, 50), (70, 5000, 256)])
def test_ties_on_the_gpu(users, items, width, dtype):
    """Every item twice, with scores that are not exact: a target is level with its twin, to the last bit."""
    once = draw(items // 2, width, seed=5, dtype=dtype)
    hidden, catalogue = draw(users, width, seed=6, dtype=dtype), torch.cat([once[:1], once, once])
    target = torch.randint(1, len(catalogue), (users,), generator=generator(7)).cuda()
    exclude = torch.randint(0, len(catalogue), (users, 50), generator=generator(8)).cuda()
    rank = ops.target_rank(hidden, catalogue, target, backend="kernel")
    assert (rank % 1 == 0.5).all()
    exact = hidden.double(), catalogue.double(), target
    torch.testing.assert_close(rank, ops.target_rank(*exact, backend="reference"), rtol=0, atol=3)
    found = ops.target_rank(hidden, catalogue, target, exclude=exclude, backend="kernel")
    expected = ops.target_rank(*exact, exclude=exclude, backend="reference")
    torch.testing.assert_close(found, expected, rtol=0, atol=3)  # scores a last bit apart may change places


@on_gpu
def test_a_target_that_is_no_item_makes_nan_on_the_gpu():
    target = torch.tensor([1, 9], device="cuda")
    assert ops.linear_cross_entropy(draw(2, 3, seed=1), draw(5, 3, seed=2), target, backend="kernel").isnan()
