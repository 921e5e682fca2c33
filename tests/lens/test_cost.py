"""The cost row counts work, and its exponent is that of the part that grows fastest."""

import pytest
from torch import nn

from seqrec_edu import layers
from seqrec_edu.lens import audit
from seqrec_edu.lens.cost import growth
from tests.lens.conftest import small


def test_cost_is_counted_and_its_exponent_is_that_of_what_bends():
    assert growth([n for n in (100, 200, 400)]) == 1
    assert growth([50 * n + n * n for n in (100, 200, 400)]) == pytest.approx(2)
    assert growth([n**3 for n in (10, 20, 40)]) == pytest.approx(3)
    assert growth([7 * n + n * k for n, k in ((64, 6), (128, 7), (256, 8))]) == pytest.approx(1)
    assert growth([9, 9, 9]) == 0

    class Cubic(nn.Module):
        def forward(self, x):
            scores = x @ x.transpose(1, 2)
            return (scores @ scores.tril()) @ x

    found = audit(Cubic(), only=["cost"])["cost"]
    assert found.verdict == "fails" and found.measured == pytest.approx(3, abs=0.1)
    same = [audit(layers.SelfAttention(8, 2, causal=True), only=["cost"])["cost"] for _ in range(2)]
    assert same[0] == same[1] and "length^2.00" in same[0].sentence
    own = nn.TransformerEncoderLayer(8, 2, batch_first=True)
    assert audit(own, only=["cost"])["cost"].measured == pytest.approx(2, abs=0.05)
    assert (
        "every history costs about as much"
        in audit(layers.SpectralFilter(layers.SpectralFilterConfig(8, 24)), only=["cost"])["cost"].sentence
    )


@pytest.mark.parametrize(("name", "exponent"), [("tim4rec", 2), ("linrec", 1)])
def test_the_cost_of_a_model_that_fills_its_rows_is_that_of_longer_rows(name, exponent):
    """In one such model the l by l maps of TiM4Rec cost short histories as much as long ones."""
    found = audit(small(name, mode="official", history_length=12), only=["cost"])["cost"]
    assert found.measured == pytest.approx(exponent, abs=0.05) and found.verdict == "holds"
    assert "Built for 512 events, not 256" in found.sentence
