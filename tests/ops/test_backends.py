"""Which version runs: forced for all operations or for some, held back, explained."""

import pytest
import torch

from seqrec_edu import ops
from seqrec_edu.ops import backends

X = torch.zeros(1, 2, 3)


def test_a_block_forces_all_operations_or_those_it_names():
    free = backends.chosen(X)
    with ops.use("reference"):
        assert set(backends.chosen(X).values()) == {"reference"}
    with ops.use("reference", "ssd"), ops.use("vectorised", "causal_conv1d"):
        assert backends.chosen(X) == free | {"ssd": "reference", "causal_conv1d": "vectorised"}
    assert backends.chosen(X) == free
    with pytest.raises(ValueError, match="no operation is called 'sdd'"), ops.use("reference", "sdd"):
        pass


def test_a_backend_that_is_held_back_runs_only_where_it_is_named():
    rung = backends.Rung("vectorised", lambda x: "fast", held_back="not measured yet")
    operation = backends.Operation("held back", rung, backends.Rung("reference", lambda x: "slow"))
    try:
        assert operation.pick(X, None)(X) == "slow" and operation.pick(X, "vectorised")(X) == "fast"
        assert operation.explain(X) == {"vectorised": "not measured yet", "reference": "runs"}
    finally:
        del backends._operations["held back"]


def test_a_backend_may_look_at_more_than_one_tensor():
    many = lambda x, pool=None: "too many interests" if pool is not None and len(pool) > 3 else None  # noqa: E731
    fast = backends.Rung("vectorised", lambda *given: "fast", many)
    operation = backends.Operation("looks at two", fast, backends.Rung("reference", lambda *given: "slow"))
    few, more = torch.zeros(3), torch.zeros(4)
    try:
        assert operation.pick(X, None, few)() == "fast" and operation.pick(X, None, more)() == "slow"
        with pytest.raises(ops.BackendError, match="'vectorised' cannot run: too many interests"):
            operation.pick(X, "vectorised", more)
        assert operation.explain(X, more) == {"vectorised": "too many interests", "reference": "runs"}
        assert "vectorised runs" in " ".join(ops.explain("looks at two", X).split())
        assert "vectorised too many interests" in " ".join(ops.explain("looks at two", X, more).split())
    finally:
        del backends._operations["looks at two"]


@pytest.mark.parametrize(
    ("rank", "width", "says"),
    [(129, 2, "up to 128 interests on chip, axis r is 129"), (3, 130, "up to 128 wide on chip, axis p is 130")],
)
def test_the_kernel_of_low_rank_attention_says_what_it_cannot_hold(rank, width, says):
    """On any machine, and before it starts."""
    q, pool = torch.zeros(1, 2, 1, width), torch.zeros(1, 2, rank)
    assert says in ops.explain("low_rank_attention", q, pool)
    with pytest.raises(ops.BackendError, match=f"low_rank_attention: backend 'kernel' cannot run: it holds .*{says}"):
        ops.low_rank_attention(q, q, q, pool, pool, backend="kernel")
    held = ops.explain("low_rank_attention", torch.zeros(1, 2, 1, 128), torch.zeros(1, 2, 128))
    assert "on chip" not in held


def test_what_mixes_a_history_has_a_matrix():
    weight = torch.tensor([[3.0, 2.0, 1.0]])
    matrix = torch.tensor([[[1.0, 0, 0, 0], [2, 1, 0, 0], [3, 2, 1, 0], [0, 3, 2, 1]]])
    assert torch.equal(ops.mixing_matrix("causal_conv1d", weight, 4), matrix)
    with pytest.raises(ValueError, match=r"target_rank does not mix a history.*these do: .*ssd"):
        ops.mixing_matrix("target_rank")
