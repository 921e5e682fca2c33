"""Low-rank attention: all forms agree, the matrix is what it is said to be, pads and the future stay out."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from seqrec_edu.ops import gpu
from seqrec_edu.ops._low_rank_attention import reference
from tests.ops.support import DOUBLE, SINGLE, LargestTensor, assert_same, normal, values_and_gradients

FORMS = {
    "interests": {"softmax_over": "interests"},
    "positions": {"softmax_over": "positions"},
    "causal": {"causal": True},
}
PRECISIONS = [(torch.float64, DOUBLE), (torch.float32, SINGLE)]


def make(b, l, h, p, r, *, keep=True, logits=1.0):
    inputs = {name: normal(b, l, h, p, seed=seed) for seed, name in enumerate("qkv")}
    inputs |= {f"pool_{name}": logits * normal(b, l, r, seed=seed) for seed, name in ((4, "k"), (5, "v"))}
    return inputs | ({"keep": 2 * (normal(b, l, h, r, seed=6) > -1).double()} if keep else {})


def ragged(b, l):
    """Right padding: a full history, half of one, and one of pads alone."""
    return torch.arange(l) < torch.tensor([l, max(1, l // 2), 0])[:b, None]


def agree(inputs, options, backend, dtype, tolerance):
    expected = values_and_gradients(ops.low_rank_attention, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.low_rank_attention, inputs, dtype, backend=backend, **options)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("length", [1, 2, 63, 200])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_vectorised_is_the_reference(length, form, padded, dtype, tolerance):
    options = FORMS[form] | {"mask": ragged(3, length) if padded else None}
    agree(make(3, length, 2, 4, 5), options, "vectorised", dtype, tolerance)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_vectorised_is_the_reference_at_any_shape(data):
    b, l, h, p, r = (data.draw(st.integers(1, most), label=axis) for axis, most in zip("blhpr", (3, 80, 3, 5, 7)))  # noqa: B905
    options = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
    mask = torch.rand(b, l, generator=torch.Generator().manual_seed(l)) < 0.7  # pads anywhere, not only at the end
    options = options | {"mask": data.draw(st.sampled_from([None, mask]))}
    inputs = make(b, l, h, p, r, keep=data.draw(st.booleans()))
    agree(inputs, options, "vectorised", torch.float64, DOUBLE)


@pytest.mark.parametrize("form", FORMS)
def test_inputs_need_not_be_contiguous(form):
    inputs = make(3, 37, 2, 4, 5)
    strided = {name: value.transpose(0, -1).contiguous().transpose(0, -1) for name, value in inputs.items()}
    options = FORMS[form] | {"mask": ragged(3, 37)}
    expected = values_and_gradients(ops.low_rank_attention, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(ops.low_rank_attention, strided, torch.float64, backend="vectorised", **options)
    assert_same(found, expected, DOUBLE)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
@pytest.mark.parametrize("form", FORMS)
def test_gradcheck(form, backend):
    inputs = make(2, 5, 1, 2, 2)
    leaves = [value.requires_grad_() for value in inputs.values()]
    options = FORMS[form] | {"mask": torch.tensor([[True] * 5, [True] * 3 + [False] * 2]), "backend": backend}
    run = lambda *values: ops.low_rank_attention(**dict(zip(inputs, values, strict=True)), **options)  # noqa: E731
    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_as_many_interests_as_events_and_identity_pools_are_full_attention(backend):
    """PyTorch's attention is the oracle. Logits of 0 and 100 pool each event into an interest of its own."""
    i = make(2, 11, 3, 4, 11, keep=False)
    i["pool_k"] = i["pool_v"] = 100 * torch.eye(11, dtype=torch.float64).expand(2, 11, 11)
    expected = F.scaled_dot_product_attention(*(i[name].transpose(1, 2) for name in "qkv")).transpose(1, 2)
    torch.testing.assert_close(ops.low_rank_attention(**i, backend=backend), expected)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_equal_logits_pool_into_means(backend):
    """All interests are the mean of the values, so the output is, whatever is asked; the running mean if causal."""
    i = make(2, 70, 3, 4, 5, keep=False)
    i["pool_k"] = i["pool_v"] = torch.zeros(2, 70, 5, dtype=torch.float64)
    mean = i["v"].mean(1, keepdim=True).expand_as(i["v"])
    torch.testing.assert_close(ops.low_rank_attention(**i, backend=backend), mean)
    running = i["v"].cumsum(1) / torch.arange(1, 71)[:, None, None]
    torch.testing.assert_close(ops.low_rank_attention(**i, causal=True, backend=backend), running)
    over_positions = ops.low_rank_attention(**i, softmax_over="positions", backend=backend)
    torch.testing.assert_close(over_positions.sum(1), 5 * mean[:, 0])  # each of 5 interests hands out a share of 1


@pytest.mark.parametrize("form", FORMS)
def test_matches_its_matrix_and_autograd(form):
    i = make(1, 9, 2, 3, 4)
    options = FORMS[form] | {"mask": torch.arange(9)[None] < 7}
    M = ops.mixing_matrix(
        "low_rank_attention", *(i[n] for n in ("q", "k", "pool_k", "pool_v")), keep=i["keep"], **options
    )
    run = lambda v: ops.low_rank_attention(**(i | {"v": v}), **options, backend="vectorised")  # noqa: E731
    torch.testing.assert_close(torch.einsum("bhts,bshp->bthp", M, i["v"]), run(i["v"]))
    J = torch.autograd.functional.jacobian(lambda v: run(v)[0, :, 1, 2], i["v"])
    torch.testing.assert_close(J[:, 0, :, 1, 2], M[0, 1])


def test_rank_rows_and_columns():
    q, k, _, pool_k, pool_v = make(2, 30, 2, 8, 4, keep=False).values()
    one = torch.ones(2, 2, 30, dtype=torch.float64)
    M = reference.mixing_matrix(q, k, pool_k, pool_v)
    assert (torch.linalg.matrix_rank(M) == 4).all()
    torch.testing.assert_close(M.sum(-1), one)
    assert (torch.linalg.matrix_rank(reference.mixing_matrix(q, k, pool_k, pool_v, causal=True)) > 4).all()
    torch.testing.assert_close(reference.mixing_matrix(q, k, pool_k, pool_v, causal=True).sum(-1), one)
    # As the authors wrote it: interests hand out shares of 1, so rows share r among l events, unequally.
    M = reference.mixing_matrix(q, k, pool_k, pool_v, softmax_over="positions")
    torch.testing.assert_close(M.sum((-1, -2)), torch.full((2, 2), 4.0, dtype=torch.float64))
    assert M.sum(-1).max() < 1 and M.sum(-1).min() > 0
    each_alone = 100 * torch.eye(30, dtype=torch.float64).expand(2, 30, 30)
    weights = reference.mixing_matrix(q, k, each_alone, each_alone, softmax_over="positions")
    torch.testing.assert_close(weights.sum(-2), one)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
@pytest.mark.parametrize("form", FORMS)
def test_neither_content_nor_number_of_pads_matters(form, backend):
    i, mask = make(3, 20, 2, 4, 5, keep=False), ragged(3, 20)
    options = FORMS[form] | {"backend": backend}
    y = ops.low_rank_attention(**i, mask=mask, **options)
    assert (y[~mask] == 0).all()
    other = {n: v.where(mask.reshape(3, 20, *[1] * (v.dim() - 2)), 1e3 * torch.ones(())) for n, v in i.items()}
    torch.testing.assert_close(ops.low_rank_attention(**other, mask=mask, **options), y)
    longer = {n: torch.cat([v, v[:, :7]], 1) for n, v in i.items()}
    longer_mask = torch.cat([mask, torch.zeros(3, 7, dtype=torch.bool)], 1)
    torch.testing.assert_close(ops.low_rank_attention(**longer, mask=longer_mask, **options)[:, :20], y)


@pytest.mark.parametrize("form", ["interests", "positions"])
def test_without_a_mask_pads_take_part(form):
    """The authors' code passes none: what stands in the pads, and how many there are, changes what is read."""
    i = make(1, 20, 2, 4, 5, keep=False)
    y = ops.low_rank_attention(**i, **FORMS[form])[:, :12]
    shorter = ops.low_rank_attention(**{n: v[:, :12] for n, v in i.items()}, **FORMS[form])
    assert (y - shorter).abs().max() > 0.1


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_causal_form_reads_each_prefix_alone(backend):
    i = make(2, 45, 2, 4, 5, keep=False)
    y = ops.low_rank_attention(**i, causal=True, backend=backend)
    for length in (1, 2, 16, 17, 45):
        prefix = ops.low_rank_attention(**{n: v[:, :length] for n, v in i.items()}, backend=backend)
        torch.testing.assert_close(y[:, length - 1], prefix[:, -1])


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
@pytest.mark.parametrize("name", ["q", "k", "v", "pool_k", "pool_v"])
def test_causal_form_depends_on_no_later_event(name, backend):
    i = make(1, 40, 1, 2, 3, keep=False)
    J = torch.autograd.functional.jacobian(
        lambda x: ops.low_rank_attention(**(i | {name: x}), causal=True, backend=backend)[0].sum((1, 2)), i[name]
    )
    influence = J[:, 0].flatten(2).abs().sum(-1)
    assert (influence.triu(1) == 0).all() and influence.diagonal()[1:].min() > 0


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1e4, 1e37])
def test_no_nan_out_of_finite_input(form, backend, size):
    inputs = {n: v.float() for n, v in make(3, 40, 2, 4, 5, logits=size).items()}
    found = values_and_gradients(
        ops.low_rank_attention, inputs, torch.float32, mask=ragged(3, 40), backend=backend, **FORMS[form]
    )
    for name, value in found.items():
        assert torch.isfinite(value).all(), name
    assert (found["output 0"][2] == 0).all()


def test_half_precision_stays_close():
    i = make(2, 70, 2, 8, 5, keep=False)
    for form in FORMS.values():
        found = ops.low_rank_attention(**{n: v.bfloat16() for n, v in i.items()}, mask=ragged(2, 70), **form)
        expected = ops.low_rank_attention(**i, mask=ragged(2, 70), **form)
        assert found.dtype == torch.bfloat16 and (found - expected).abs().max() < 0.05


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_size_l_by_l_is_formed(form):
    i, length = make(1, 256, 4, 4, 4), 256
    leaves = {name: value.requires_grad_() for name, value in i.items()}
    with LargestTensor() as watch:
        ops.low_rank_attention(**leaves, **FORMS[form], backend="vectorised").sum().backward()
    assert watch.largest <= length * 16 * 4 < 4 * length**2
    if form == "causal":  # the shares inside chunks of 16 events, for each of 4 interests
        assert watch.largest == length * 16 * 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pool_v": torch.ones(2, 6, 4).double()}, r"axis r .* of pool_v 'b l r' is 4, but pool_k fixes it at 3"),
        ({"k": torch.ones(2, 5, 2, 4).double()}, r"axis l .* of k"),
        ({"pool_k": torch.ones(2, 6).double()}, "pool_k needs the 3 axes 'b l r'"),
        ({"v": torch.ones(2, 6, 2, 4)}, "v is torch.float32, q is torch.float64"),
        ({"mask": torch.ones(2, 5, dtype=torch.bool)}, r"axis l .* of mask"),
        ({"mask": torch.ones(2, 6)}, "mask must be boolean"),
        ({"keep": torch.ones(2, 6, 3, 2).double()}, r"axis h .* of keep"),
        ({"softmax_over": "heads"}, "'interests' or 'positions', got 'heads'"),
        ({"softmax_over": "positions", "causal": True}, "weight of an event by those of later ones"),
        ({"causal": True, "backend": "kernel"}, "running_low_rank_attention: has no 'kernel' version"),
    ],
)
def test_named_in_axis_words(changes, says):
    with pytest.raises(ValueError, match=says):
        ops.low_rank_attention(**(make(2, 6, 2, 4, 3, keep=False) | changes))


# --- the kernel: on a GPU where there is one, else in Triton's interpreter ---

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
needs_triton = pytest.mark.skipif(
    gpu.refuses(torch.empty(1, device=DEVICE)) is not None, reason=str(gpu.refuses(torch.empty(1, device=DEVICE)))
)
KERNEL_PRECISIONS = [PRECISIONS[1]] if DEVICE == "cuda" else PRECISIONS


@needs_triton
@pytest.mark.parametrize("shape", [(1, 1, 1, 3, 2), (3, 17, 1, 3, 5), (1, 33, 2, 17, 17)])
@pytest.mark.parametrize("form", ["interests", "positions"])
@pytest.mark.parametrize("padded_and_kept", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), KERNEL_PRECISIONS)
def test_kernel_is_the_reference(shape, form, padded_and_kept, dtype, tolerance):
    inputs = make(*shape, keep=padded_and_kept, logits=0.5)
    inputs = {name: value.to(DEVICE) for name, value in inputs.items()}
    mask = ragged(*shape[:2]).to(DEVICE) if padded_and_kept else None
    agree(inputs, FORMS[form] | {"mask": mask}, "kernel", dtype, tolerance)


@needs_triton
def test_kernel_takes_strides_large_logits_and_refuses_what_it_cannot_hold():
    inputs = {n: v.float().to(DEVICE) for n, v in make(2, 17, 2, 3, 5, keep=False, logits=1e30).items()}
    strided = {name: value.transpose(0, -1).contiguous().transpose(0, -1) for name, value in inputs.items()}
    expected = ops.low_rank_attention(**inputs, backend="vectorised")
    torch.testing.assert_close(ops.low_rank_attention(**strided, backend="kernel"), expected, rtol=2e-5, atol=2e-5)
    wide = {n: v.float().to(DEVICE) for n, v in make(1, 2, 1, 2, 129, keep=False).items()}
    with pytest.raises(ops.BackendError, match="up to 128 interests on chip, axis r is 129"):
        ops.low_rank_attention(**wide, backend="kernel")


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA GPU: on the CPU the interpreter has no bfloat16 products")
@pytest.mark.parametrize("shape", [(64, 200, 8, 8, 20), (8, 50, 4, 32, 10), (4, 1000, 2, 64, 32)])
@pytest.mark.parametrize("form", ["interests", "positions"])
def test_kernel_on_a_gpu(shape, form):
    inputs, mask = make(*shape), torch.arange(shape[1]) < torch.arange(1, shape[0] + 1)[:, None]
    inputs = {name: value.cuda() for name, value in inputs.items()}
    options = FORMS[form] | {"mask": mask.cuda()}
    expected = values_and_gradients(ops.low_rank_attention, inputs, torch.float64, backend="vectorised", **options)
    for dtype, tolerance in ((torch.float32, SINGLE), (torch.bfloat16, 2e-2)):
        found = values_and_gradients(ops.low_rank_attention, inputs, dtype, backend="kernel", **options)
        assert_same(found, expected, tolerance)
