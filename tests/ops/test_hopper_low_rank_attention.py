"""The low-rank attention kernel as machine code for Hopper: compiled here, no GPU needed."""

import pytest

from tests.ops.hopper import resources


@pytest.mark.parametrize("kernel", ["forward", "backward"])
def test_nothing_spills_at_the_size_of_the_paper(kernel):
    """MLSA4Rec: 8 heads of width 8, 20 interests, float32, 200 events. All tiles stay in registers."""
    constants = {"BLOCKS": 7, "BL": 32, "BP": 16, "BR": 32, "MASKED": True, "KEPT": True, "POSITIONS": False}
    constants |= {"KEEP_GRADIENT": False} if kernel == "backward" else {}
    pointers = ["q", "k", "v", "pool_k", "pool_v", "keep", "y", "interests", "softmaxes"]
    pointers += ["dy", "dq", "dk", "dv", "dpools", "dkeep"]
    signature = dict.fromkeys(pointers, "*fp32") | {"mask": "*i1", "scale": "fp32"} | dict.fromkeys("LHPR", "i32")
    module = f"seqrec_edu.ops._low_rank_attention.kernel_{kernel}"
    found = resources(module, f"{kernel}_kernel", signature, constants)
    assert found["spill_bytes"] == 0, found
    assert found["shared_bytes"] <= 32 * 1024
