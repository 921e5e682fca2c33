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


def test_what_mixes_a_history_has_a_matrix():
    weight = torch.tensor([[3.0, 2.0, 1.0]])
    matrix = torch.tensor([[[1.0, 0, 0, 0], [2, 1, 0, 0], [3, 2, 1, 0], [0, 3, 2, 1]]])
    assert torch.equal(ops.mixing_matrix("causal_conv1d", weight, 4), matrix)
    with pytest.raises(ValueError, match=r"target_rank does not mix a history.*these do: .*ssd"):
        ops.mixing_matrix("target_rank")
