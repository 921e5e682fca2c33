"""Relations between events in attention: looked up per class, they do what a tensor "b l l h p" of them would."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu import ops
from tests.ops.support import DOUBLE, SINGLE, LargestTensor, assert_same, generator, normal, values_and_gradients

PRECISIONS = [(torch.float64, DOUBLE), (torch.float32, SINGLE)]


def make(b, l, h, p, c, *, biased=True, keep=True):
    inputs = {name: normal(b, l, h, p, seed=seed) for seed, name in enumerate("qkv")}
    inputs |= {"table_k": normal(c, h, p, seed=4), "table_v": normal(c, h, p, seed=5)}
    if biased:
        inputs["bias"] = normal(b, h, l, l, seed=6)
    if keep:
        inputs["keep"] = 2 * (normal(b, h, l, l, seed=7) > -1).double()
    return inputs


def classes(b, l, c):
    return torch.randint(0, c, (b, l, l), generator=generator(8))


def attend(q, k, v, table_k, table_v, index, **options):
    return ops.attention(q, k, v, relation=(index, table_k, table_v), **options)


def ragged(b, l):
    return torch.arange(l) < torch.tensor([l, max(1, l // 2), 0])[:b, None]


def agree(inputs, options, dtype, tolerance):
    expected = values_and_gradients(attend, inputs, torch.float64, backend="reference", **options)
    found = values_and_gradients(attend, inputs, dtype, backend="vectorised", **options)
    assert_same(found, expected, tolerance)


@pytest.mark.parametrize("length", [1, 2, 63, 200])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_vectorised_is_the_reference(length, causal, padded, dtype, tolerance):
    options = {"causal": causal, "mask": ragged(3, length) if padded else None, "index": classes(3, length, 7)}
    agree(make(3, length, 2, 4, 7), options, dtype, tolerance)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_vectorised_is_the_reference_at_any_shape(data):
    b, l, h, p, c = (data.draw(st.integers(1, most), label=axis) for axis, most in zip("blhpc", (3, 40, 3, 5, 60)))  # noqa: B905
    mask = torch.rand(b, l, generator=generator(l)) < 0.7  # pads anywhere, not only at the end
    options = {"causal": data.draw(st.booleans()), "mask": data.draw(st.sampled_from([None, mask]))}
    inputs = make(b, l, h, p, c, biased=data.draw(st.booleans()), keep=data.draw(st.booleans()))
    agree(inputs, options | {"index": classes(b, l, c)}, torch.float64, DOUBLE)


def test_inputs_need_not_be_contiguous():
    inputs, index = make(3, 23, 2, 4, 7), classes(3, 23, 7)
    strided = {name: value.transpose(0, -1).contiguous().transpose(0, -1) for name, value in inputs.items()}
    expected = values_and_gradients(attend, inputs, torch.float64, index=index, causal=True, backend="reference")
    index = index.mT.contiguous().mT
    found = values_and_gradients(attend, strided, torch.float64, index=index, causal=True, backend="vectorised")
    assert_same(found, expected, DOUBLE)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_gradcheck(backend):
    inputs, index = make(2, 4, 1, 2, 3), classes(2, 4, 3)
    leaves = [value.requires_grad_() for value in inputs.values()]
    run = lambda *values: attend(  # noqa: E731
        **dict(zip(inputs, values, strict=True)),
        index=index,
        causal=True,
        mask=ragged(2, 4),
        backend=backend,
    )
    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
@pytest.mark.parametrize("causal", [True, False])
def test_a_class_per_event_is_plain_attention_to_changed_keys_and_values(backend, causal):
    """index[t, s] = s: the tables join the keys and values themselves, and PyTorch's attention is the oracle."""
    i = make(2, 12, 3, 4, 12, biased=False, keep=False)
    index = torch.arange(12).expand(2, 12, 12)
    sides = (i["q"], i["k"] + i["table_k"], i["v"] + i["table_v"])
    expected = F.scaled_dot_product_attention(*(side.transpose(1, 2) for side in sides), is_causal=causal)
    torch.testing.assert_close(attend(**i, index=index, causal=causal, backend=backend), expected.transpose(1, 2))


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_by_hand(backend):
    """Two events and q = k = 0: the weights of the last event come from nothing but the relations, and here q = 0
    makes them ½ and ½; its output is then the mean of value plus relation."""
    zero = torch.zeros(1, 2, 1, 1)
    v = torch.tensor([10.0, 20.0]).reshape(1, 2, 1, 1)
    table_v = torch.tensor([1.0, 5.0]).reshape(2, 1, 1)
    index = torch.tensor([[[0, 1], [1, 0]]])
    y = attend(zero, zero, v, torch.ones(2, 1, 1), table_v, index, causal=True, backend=backend)
    assert y.flatten().tolist() == [11.0, (10 + 5 + 20 + 1) / 2]


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_matches_its_matrix_and_autograd(backend):
    i, index = make(1, 9, 2, 3, 5), classes(1, 9, 5)
    options = {"causal": True, "mask": torch.arange(9)[None] < 7, "bias": i.pop("bias"), "keep": i.pop("keep")}
    relation = (index, i["table_k"], i["table_v"])
    M = ops.mixing_matrix("attention", i["q"], i["k"], relation=relation, **options)
    run = lambda v: attend(**(i | {"v": v}), index=index, backend=backend, **options)  # noqa: E731
    J = torch.autograd.functional.jacobian(lambda v: run(v)[0, :, 1, 2], i["v"])
    torch.testing.assert_close(J[:, 0, :, 1, 2], M[0, 1])
    assert (M.triu(1) == 0).all()
    added = torch.einsum("bhts,btshp->bthp", M, i["table_v"][index])
    torch.testing.assert_close(torch.einsum("bhts,bshp->bthp", M, i["v"]) + added, run(i["v"]))


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_without_relations_dropped_weights_are_dropped_weights(backend):
    q, k, v = (normal(2, 9, 2, 3, seed=s) for s in range(3))
    ones = torch.ones(2, 2, 9, 9, dtype=torch.float64)
    plain = ops.attention(q, k, v, causal=True, mask=ragged(2, 9), backend=backend)
    same = ops.attention(q, k, v, causal=True, mask=ragged(2, 9), keep=ones, backend=backend)
    torch.testing.assert_close(same, plain)
    none = ops.attention(q, k, v, causal=True, mask=ragged(2, 9), keep=0 * ones, backend=backend)
    assert (none == 0).all()


@pytest.mark.parametrize("backend", ["reference", "vectorised"])
def test_a_history_of_pads_gives_zeros_and_finite_gradients(backend):
    inputs = {n: 1e4 * v.float() for n, v in make(3, 9, 2, 4, 7).items()}
    options = {"index": classes(3, 9, 7), "causal": True, "mask": ragged(3, 9), "backend": backend}
    found = values_and_gradients(attend, inputs, torch.float32, **options)
    for name, value in found.items():
        assert torch.isfinite(value).all(), name
    assert (found["output 0"][2] == 0).all()


def test_the_tables_are_never_spread_out():
    b, l, h, p, c = 2, 40, 2, 16, 50
    leaves = {name: value.requires_grad_() for name, value in make(b, l, h, p, c).items()}
    with LargestTensor() as watch:
        attend(**leaves, index=classes(b, l, c), causal=True, backend="vectorised").sum().backward()
    assert watch.largest <= b * h * l * max(l, c) < b * l * l * h * p


@pytest.mark.parametrize("causal", [True, False])
def test_without_relations_and_pads_no_matrix_of_events_by_events_is_formed(causal):
    q, k, v = (normal(1, 64, 1, 2, seed=s).float().requires_grad_() for s in range(3))
    with LargestTensor() as watch:
        ops.attention(q, k, v, causal=causal, backend="vectorised").sum().backward()
    assert watch.largest < 64 * 64
    with LargestTensor() as watch:  # and the reference shows that the watch would see it
        ops.attention(q, k, v, causal=causal, backend="reference")
    assert watch.largest >= 64 * 64


INPUTS = make(2, 6, 2, 4, 7, biased=False, keep=False)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"index": torch.zeros(2, 6, 5, dtype=torch.int64)}, r"axis l .* of index 'b l l' is 5, but q fixes it at 6"),
        ({"index": torch.full((2, 6, 6), 7)}, r"from 7 to 7, rows of the tables are 0…6"),
        ({"index": torch.full((2, 6, 6), -1)}, "index runs from -1"),
        ({"index": torch.zeros(2, 6, 6)}, "index must hold int64 classes, got torch.float32"),
        ({"table_v": torch.ones(6, 2, 4).double()}, r"axis c .* of table_v 'c h p' is 6, but table_k fixes it at 7"),
        ({"table_k": torch.ones(7, 8).double()}, "table_k needs the 3 axes 'c h p'"),
        ({"table_v": torch.ones(7, 2, 4)}, "table_v is torch.float32, q is torch.float64"),
        ({"keep": torch.ones(2, 6, 6, 2).double()}, r"axis h .* of keep"),
        ({"bias": torch.ones(2, 3, 6, 6).double()}, r"axis h .* of bias 'b h l l' is 3, but q fixes it at 2"),
        ({"bias": torch.ones(6, 6).double()}, "bias needs the 4 axes 'b h l l'"),
    ],
)
def test_named_in_axis_words(changes, says):
    with pytest.raises(ValueError, match=says):
        attend(**(INPUTS | {"index": classes(2, 6, 7)} | changes), causal=True)
