"""The references against something that is not ours: closed forms, PyTorch's own layers, autograd's Jacobian."""

import pytest
import torch
import torch.nn.functional as F

from seqrec_edu import ops
from seqrec_edu.ops._attention import reference as attention
from seqrec_edu.ops._causal_conv1d import reference as causal_conv1d
from seqrec_edu.ops._selective_scan import reference as selective_scan
from seqrec_edu.ops._ssd import reference as ssd
from tests.ops.support import conv_inputs, normal, scan_inputs, ssd_inputs


def test_conv_is_torch_conv1d():
    x, weight, bias = conv_inputs(2, 31, 5, 4, state=False).values()
    expected = F.conv1d(F.pad(x.transpose(1, 2), (3, 0)), weight[:, None], bias, groups=5).transpose(1, 2)
    torch.testing.assert_close(ops.causal_conv1d(x, weight, bias, backend="reference"), expected)


def test_conv_is_a_toeplitz_band():
    x, weight, _ = conv_inputs(1, 12, 3, 4, state=False).values()
    M = causal_conv1d.mixing_matrix(weight, 12)
    torch.testing.assert_close(torch.einsum("ets,bse->bte", M, x), ops.causal_conv1d(x, weight, backend="reference"))


def test_scan_of_constant_input_is_a_geometric_series():
    """x = dt = B = C = 1 and decay a = exp(A): y[t] = 1 + a + … + a^t."""
    one = torch.ones(1, 30, 1, dtype=torch.float64)
    A = torch.tensor([[-0.3]], dtype=torch.float64)
    a = torch.exp(A)
    steps = torch.arange(30, dtype=torch.float64)
    expected = (1 - a ** (steps + 1)) / (1 - a)
    torch.testing.assert_close(ops.selective_scan(one, one, A, one, one, backend="reference")[0, :, 0], expected[0])


def test_scan_matches_its_matrix_and_autograd():
    inputs = scan_inputs(1, 9, 2, 3, state=False)
    x, dt, A, B, C = (inputs[name] for name in ("x", "dt", "A", "B", "C"))
    M = selective_scan.mixing_matrix(dt, A, B, C)
    torch.testing.assert_close(
        torch.einsum("bets,bse->bte", M, x), ops.selective_scan(x, dt, A, B, C, backend="reference")
    )
    J = torch.autograd.functional.jacobian(
        lambda v: ops.selective_scan(v, dt, A, B, C, backend="reference")[0, :, 0], x
    )
    torch.testing.assert_close(J[:, 0, :, 0], M[0, 0])
    assert (M.triu(1) == 0).all()


@pytest.mark.parametrize("time", [True, False])
def test_ssd_matches_its_matrix_and_autograd(time):
    inputs = ssd_inputs(1, 9, 2, 3, 1, 4, time=time, state=False)
    x, dt, A, B, C = (inputs[name] for name in ("x", "dt", "A", "B", "C"))
    scale = inputs.get("decay_scale")
    M = ssd.mixing_matrix(dt, A, B, C, scale)
    run = lambda v: ops.ssd(v, dt, A, B, C, decay_scale=scale, backend="reference")  # noqa: E731
    torch.testing.assert_close(torch.einsum("bhts,bshp->bthp", M, x), run(x))
    J = torch.autograd.functional.jacobian(lambda v: run(v)[0, :, 1, 2], x)
    torch.testing.assert_close(J[:, 0, :, 1, 2], M[0, 1])


def test_ssd_is_a_selective_scan_with_one_decay_per_head():
    """Mamba-1 with A constant over the state and dt constant over a head's channels computes the same thing."""
    i = ssd_inputs(2, 40, 2, 3, 1, 4, time=False, state=False)
    flat = lambda v: v.reshape(2, 40, -1)  # noqa: E731
    per_channel = i["dt"][..., None].expand(2, 40, 2, 3)
    A = i["A"].repeat_interleave(3)[:, None].expand(6, 4)
    y = ops.selective_scan(
        flat(i["x"]),
        flat(per_channel),
        A,
        i["B"][:, :, 0],
        i["C"][:, :, 0],
        i["D"].repeat_interleave(3),
        backend="reference",
    )
    torch.testing.assert_close(flat(ops.ssd(**i, backend="vectorised")), y)


def test_time_factor_one_is_mamba_2_and_a_longer_wait_keeps_less():
    i = ssd_inputs(2, 20, 2, 3, 1, 4, time=False)
    plain = ops.ssd(**i)
    same = ops.ssd(**i, decay_scale=torch.ones_like(i["dt"]))
    torch.testing.assert_close(same, plain)
    silent = i | {"x": torch.zeros_like(i["x"])}  # only the initial state is left to decay
    longer = ops.ssd(**silent, decay_scale=torch.full_like(i["dt"], 2.0), return_state=True)[1]
    shorter = ops.ssd(**silent, decay_scale=torch.full_like(i["dt"], 0.5), return_state=True)[1]
    assert longer.norm() < shorter.norm()


def test_padding_changes_nothing_before_it():
    i = ssd_inputs(2, 20, 2, 3, 1, 4)
    longer = {k: v if v.dim() < 3 or k == "initial_state" else torch.cat([v, v[:, :5]], 1) for k, v in i.items()}
    torch.testing.assert_close(ops.ssd(**longer)[:, :20], ops.ssd(**i))


def test_attention_rows_are_distributions_and_match_torch():
    q, k, v = (normal(2, 11, 3, 4, seed=s) for s in range(3))
    M = attention.mixing_matrix(q, k, causal=True)
    torch.testing.assert_close(M.sum(-1), torch.ones(2, 3, 11, dtype=torch.float64))
    assert (M.triu(1) == 0).all()
    layer = torch.nn.MultiheadAttention(12, 3, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():  # identity projections leave only the attention itself
        layer.in_proj_weight.copy_(torch.eye(12).repeat(3, 1))
        layer.out_proj.weight.copy_(torch.eye(12))
    flat = [t.flatten(2) for t in (q, k, v)]
    expected = layer(*flat, attn_mask=torch.ones(11, 11).triu(1).bool(), need_weights=False)[0]
    torch.testing.assert_close(ops.attention(q, k, v, causal=True, backend="reference").flatten(2), expected)


def test_loss_is_torch_cross_entropy_without_the_padding_row():
    hidden, items = normal(40, 6, seed=1), normal(15, 6, seed=2)
    target = torch.randint(1, 15, (40,), generator=torch.Generator().manual_seed(3))
    expected = F.cross_entropy(hidden @ items[1:].T, target - 1)
    torch.testing.assert_close(ops.linear_cross_entropy(hidden, items, target, backend="reference"), expected)


def test_rank_by_hand():
    items = torch.tensor([[9.0], [3.0], [1.0], [3.0], [2.0]])
    hidden = torch.tensor([[1.0], [1.0], [1.0]])
    target = torch.tensor([1, 4, 2])
    assert ops.target_rank(hidden, items, target).tolist() == [1.5, 3.0, 4.0]  # 1 and 3 tie for the first two places
    exclude = torch.tensor([[3, 0], [1, 3], [2, 4]])
    assert ops.target_rank(hidden, items, target, exclude=exclude).tolist() == [1.0, 1.0, 3.0]


def test_equal_scores_rank_in_the_middle():
    assert ops.target_rank(torch.zeros(1, 4), torch.zeros(1001, 4), torch.tensor([7])).item() == 500.5


@pytest.mark.parametrize("name", ["selective_scan", "ssd", "causal_conv1d"])
def test_gradcheck(name):
    make = {
        "selective_scan": (scan_inputs, (1, 4, 2, 3)),
        "ssd": (ssd_inputs, (1, 5, 2, 2, 1, 3)),
        "causal_conv1d": (conv_inputs, (1, 5, 2, 3)),
    }
    inputs = make[name][0](*make[name][1])
    leaves = [value.requires_grad_() for value in inputs.values()]
    operation = getattr(ops, name)
    for backend in ("reference", "vectorised"):
        run = lambda *values: operation(**dict(zip(inputs, values, strict=True)), backend=backend, return_state=True)  # noqa: B023, E731
        assert torch.autograd.gradcheck(run, leaves)
