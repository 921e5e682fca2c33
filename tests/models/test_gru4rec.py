"""GRU4Rec: its size, and the recurrence written out."""

import pytest
import torch

from seqrec_edu.models import GRU4Rec, build
from tests.models.support import batch, small


@pytest.mark.parametrize(("preset", "layers"), [("recbole", 1), ("tim4rec", 2)])
def test_number_of_parameters(preset, layers):
    """Three gates from 64 inputs and 128 numbers of state, another three per further layer, and the way out."""
    model = build("gru4rec", n_items=10, **GRU4Rec.preset(preset))
    first, further = 3 * 128 * (64 + 128), 3 * 128 * (128 + 128)
    assert model.n_body_parameters == first + (layers - 1) * further + 128 * 64 + 64
    assert layers == 2 or model.n_body_parameters == 81_984


def test_it_is_its_recurrence():
    model, history = small("gru4rec"), batch(9, 9)
    x, h = model.item_embedding.weight[history.item], torch.zeros(2, 12, dtype=torch.float64)
    W, U = model.gru.weight_ih_l0.chunk(3), model.gru.weight_hh_l0.chunk(3)
    whole = model(history)
    for t in range(9):
        r, z = (torch.sigmoid(x[:, t] @ W[i].T + h @ U[i].T) for i in (0, 1))
        h = z * h + (1 - z) * torch.tanh(x[:, t] @ W[2].T + r * (h @ U[2].T))
        expected = h @ model.out_proj.weight.T + model.out_proj.bias
        torch.testing.assert_close(whole[:, t], expected)


def test_the_state_does_not_grow():
    model, history, state = small("gru4rec", n_layers=2), batch(9, 9), None
    for t in range(9):
        _, state = model.step(state, history.item[:, t], history.time[:, t])
        assert state.shape == (2, 2, 12)


def test_gates_start_by_glorots_rule():
    """Uniform up to √(6 / (rows + columns)), where PyTorch's own start stops at 1/√128."""
    for weight in build("gru4rec", n_items=10).gru.parameters():
        assert 0.95 < weight.abs().max() / (6 / sum(weight.shape)) ** 0.5 <= 1
