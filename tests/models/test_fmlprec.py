"""FMLP-Rec: its size, the authors' left-padded wiring by hand, and its pads."""

import pytest
import torch

from seqrec_edu.models import FMLPRec, LightSANs, build
from tests.models.support import LENGTH, batch, feed_forward, layer_norm, read_from_embedding, readout, small


def test_number_of_parameters():
    """The authors' stored model for Beauty, 12,102 rows of items, holds 3,413,685 bytes: 851,200 numbers of four bytes
    and 9 kB of names."""
    model = build("fmlprec", n_items=12_101, history_length=50)
    assert model.n_body_parameters == 76_672
    assert sum(p.numel() for p in model.parameters()) == 851_200


def by_hand(model, history, real_only):
    """The authors' rows: pads first, the newest event on the last place, where the recommendation is read."""
    item = torch.zeros(len(history), LENGTH, dtype=torch.int64)
    for row, n in enumerate(history.length.tolist()):
        item[row, LENGTH - n :] = history.item[row, :n]
    keep = (item > 0).unsqueeze(-1) if real_only else torch.ones_like(item, dtype=torch.bool).unsqueeze(-1)
    x = layer_norm(model.embedding_norm, model.item_embedding.weight[item] + model.position_embedding.weight)
    for module, then in zip(model.filters, model.feed_forwards, strict=True):
        x = x * keep
        spectrum = torch.fft.rfft(x, dim=1, norm="ortho") * torch.view_as_complex(module.weight)
        x = layer_norm(module.norm, torch.fft.irfft(spectrum, n=LENGTH, dim=1, norm="ortho") + x)
        x = feed_forward(then, x * keep)
    return x[:, -1]


@pytest.mark.parametrize("mode", ["official", "corrected"])
def test_right_padded_rows_give_what_left_padded_ones_give(mode):
    """A circular filter turns with the row, and the positions count back from the newest event."""
    model, history = small("fmlprec", mode=mode), batch(9, 4, 1, LENGTH)
    torch.testing.assert_close(readout(model, history), by_hand(model, history, real_only=mode == "corrected"))


@pytest.mark.parametrize(
    ("settings", "kept"), [({}, True), ({"pads_in_filter": True}, False), ({"mode": "official"}, False)], ids=str
)
def test_what_stands_at_pads(settings, kept):
    model = small("fmlprec", **settings)
    found = [readout(model, batch(9, 4, 1, l=LENGTH, fill=fill)) for fill in (0, 7)]
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9) == kept
    assert read_from_embedding(model, batch(4, 9)) == list(range(4 if kept else LENGTH))


def test_a_causal_filter_cannot_tell_how_many_events_are_to_come():
    model, history = small("fmlprec", filter="causal"), batch(9)
    before = model(type(history)(history.item[:, :5], history.time[:, :5], torch.tensor([5])))
    torch.testing.assert_close(model(history)[:, :5], before)


def test_patience_is_counted_as_its_authors_count():
    """Theirs stops after ten epochs without a better one, as `fit` does; RecBole after more than ten."""
    assert FMLPRec.preset_training("beauty")["patience"] == 10
    assert LightSANs.preset_training("ml-1m")["patience"] == 11


def test_errors_say_what_was_expected():
    with pytest.raises(ValueError, match="filter must be one of circular, causal, got 'off'"):
        small("fmlprec", filter="off")
    with pytest.raises(ValueError, match='pads_in_filter would change nothing with filter="causal"'):
        small("fmlprec", filter="causal", pads_in_filter=True)
    for mode in ("corrected", "official"):
        with pytest.raises(ValueError, match=r"12 .*the batch holds 13"):
            small("fmlprec", mode=mode)(batch(13))
