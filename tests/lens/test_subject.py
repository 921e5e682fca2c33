"""The copy of a module that an audit runs."""

import pytest
import torch

from seqrec_edu.lens.subject import subject
from tests.lens.conftest import small


@pytest.mark.parametrize("name", ["mlsa4rec", "echomamba4rec", "lightsans", "linrec", "fmlprec"])
def test_a_padding_row_drawn_at_random_stays_as_it_is(name):
    for mode in ("corrected", "official"):
        model = small(name, mode=mode, history_length=12)
        pad = model.item_embedding.weight[0]
        assert torch.equal(subject(model).moved().module.item_embedding.weight[0].to(pad), pad)
        assert bool(pad.any()) == (mode == "official")
