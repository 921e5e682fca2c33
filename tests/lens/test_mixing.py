"""The mixing matrix of every kind of layer is the Jacobian of the call it makes, on the history it is given."""

import numpy as np
import pytest
import torch
from einops import einsum
from torch import nn

from seqrec_edu import layers, ops
from seqrec_edu.lens import NoMixingMatrix, interests, layers_with_matrix, linearised, mixing_matrix, record
from seqrec_edu.lens import kinds as kinds_module
from seqrec_edu.lens.kinds import KINDS
from seqrec_edu.models import MODELS
from seqrec_edu.models.baselines import Popularity
from tests.lens.conftest import Decayed, Items
from tests.lens.support import batch, jacobian, listen, model

MAMBA, SSD = layers.MambaConfig(8, 3), layers.SSDConfig(8, 3, 4)
MASK = torch.arange(6) < torch.tensor([6, 4])[:, None]
TIME = torch.tensor([[3, 9, 40, 41, 90, 300], [5, 6, 100, 107, 0, 0]])


def layer(make):
    torch.manual_seed(0)
    return make().double().eval()


def history(width=8):
    return torch.randn(2, 6, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


# What a call of an operation does to its v alone, one head or channel at a time: "b l c" in and out.
def states(call):
    (x, dt, A, B, C, *_), _ = call
    return lambda v: ops.selective_scan(v, dt, A, B, C), x.shape[2]


def heads(call):
    (x, dt, A, B, C, *_), options = call

    def run(v):
        return ops.ssd(v[..., None], dt, A, B, C, decay_scale=options["decay_scale"])[..., 0]

    return run, x.shape[2]


def weights(call):
    (q, k, _, *rest), options = call
    name = "low_rank_attention" if rest else "attention"

    def run(v):
        wide = v[..., None].expand(*v.shape, q.shape[-1])
        y = getattr(ops, name)(q, k, wide, *rest, **options)
        # What times add to the values does not read them.
        nothing = getattr(ops, name)(q, k, torch.zeros_like(wide), *rest, **options)
        return (y - nothing)[..., 0]

    return run, q.shape[2]


def band(call):
    (x, weight, _), _ = call
    return lambda v: ops.causal_conv1d(v, weight, None), x.shape[2]


def waves(call):
    (x, weight), options = call
    missing = x.shape[1] - 6

    def run(v):
        return ops.spectral_filter(nn.functional.pad(v, (0, 0, 0, missing)), weight, **options)[:, :6]

    return run, x.shape[2]


CASES = {
    "MambaLayer": (lambda: layers.MambaLayer(MAMBA), "selective_scan", states, ()),
    "SSDLayer": (lambda: layers.SSDLayer(SSD), "ssd", heads, ()),
    "TimeAwareSSDLayer, step": (lambda: layers.TimeAwareSSDLayer(SSD), "ssd", heads, (TIME.double().log1p(),)),
    "TimeAwareSSDLayer, decay": (
        lambda: layers.TimeAwareSSDLayer(SSD, placement="decay"), "ssd", heads, (TIME.double().log1p(),),
    ),
    "CausalConv": (lambda: layers.CausalConv(8, 3), "causal_conv1d", band, ()),
    "SelfAttention": (lambda: layers.SelfAttention(8, 2, causal=True), "attention", weights, ()),
    "SelfAttention, both ways": (lambda: layers.SelfAttention(8, 2, causal=False), "attention", weights, (MASK,)),
    "RelativeTimeAttention": (
        lambda: layers.RelativeTimeAttention(layers.RelativeTimeAttentionConfig(8, 2, 9, 20, scale="running")),
        "attention", weights, (TIME, MASK),
    ),
    "LowRankAttention": (
        lambda: layers.LowRankAttention(layers.LowRankAttentionConfig(8, 2, 3)), "low_rank_attention", weights, (MASK,),
    ),
    "LowRankAttention, causal": (
        lambda: layers.LowRankAttention(layers.LowRankAttentionConfig(8, 2, 3, causal=True)),
        "low_rank_attention", weights, (MASK,),
    ),
    "LowRankAttention, over positions": (
        lambda: layers.LowRankAttention(layers.LowRankAttentionConfig(8, 2, 3, softmax_over="positions")),
        "low_rank_attention", weights, (),
    ),
    "SpectralFilter": (
        lambda: layers.SpectralFilter(layers.SpectralFilterConfig(8, 9)), "spectral_filter", waves, (MASK,),
    ),
    "SpectralFilter, causal": (
        lambda: layers.SpectralFilter(layers.SpectralFilterConfig(8, 9, causal=True)), "spectral_filter", waves, (),
    ),
}  # fmt: skip


def by_differentiation(run, channels):
    """M "b c l l", from the Jacobian of a linear map on "b l c" that keeps histories and channels apart."""
    J = jacobian(run, torch.randn(2, 6, channels, dtype=torch.float64))
    assert torch.allclose(J, jacobian(run, torch.zeros(2, 6, channels, dtype=torch.float64))), "not linear in v"
    return einsum(J, "b t c b s c -> b c t s")


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_jacobian_of_the_call(name, monkeypatch):
    make, operation, alone, more = CASES[name]
    module, x = layer(make), history()
    calls = listen(monkeypatch, operation)
    M = mixing_matrix(module, x, *more)
    monkeypatch.undo()
    expected = by_differentiation(*alone(calls[-1]))
    torch.testing.assert_close(M.values, expected, rtol=1e-9, atol=1e-12)
    assert M.exact and M.axes.split()[0] == "b" and M.axes.endswith("l l") and M.values.abs().max() > 0
    if "causal" in name or "Mamba" in name or "SSD" in name:
        assert (M.values.triu(1) == 0).all()
    some = mixing_matrix(module, x, *more, channels=[1, 0])
    torch.testing.assert_close(some.values, M.values[:, [1, 0]])
    torch.testing.assert_close(mixing_matrix(module, x, *more, channels=1).values, M.values[:, 1:2])


def test_values_times_the_matrix_are_what_the_heads_give():
    for name in ("sasrec", "bert4rec", "linrec", "lightsans", "mlsa4rec"):
        recommender, inside = model(name), batch(7, 5)
        path = "attention" if name == "mlsa4rec" else layers_with_matrix(recommender)[0]
        M = mixing_matrix(recommender, inside, layer=path)
        taps = record(recommender, inside).of(path)
        y = einsum(M.values, taps["v"], "b h t s, b s h p -> b t h p")
        torch.testing.assert_close(y, taps["attended"], msg=lambda text, name=name: f"{name}: {text}")


def test_scans_times_the_matrix_are_what_the_state_gives():
    for name in ("tim4rec", "mamba4rec"):
        recommender, inside = model(name), batch(7, 5)
        path = {"tim4rec": "ssds.1", "mamba4rec": "mambas.0"}[name]
        taps, module = record(recommender, inside).of(path), recommender.get_submodule(path)
        M, x = mixing_matrix(recommender, inside, layer=path).values, taps["x"]
        if name == "tim4rec":
            y = einsum(M, x, "b h t s, b s h p -> b t h p") + module.D.detach()[:, None] * x
        else:
            y = (einsum(M, x, "b e t s, b s e -> b t e") + module.D.detach() * x) * taps["gate"]
        torch.testing.assert_close(y, taps["scanned"])


@pytest.mark.parametrize("flip", ["history", "axis"])
@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("realign", [True, False])
def test_both_readings_of_a_bidirectional_block(flip, share, realign, monkeypatch):
    config = layers.BidirectionalConfig(MAMBA, flip=flip, share=share, realign=realign)
    module, x = layer(lambda: layers.BidirectionalMamba(config)), history()
    calls = listen(monkeypatch, "selective_scan")
    M = mixing_matrix(module, x, MASK)
    monkeypatch.undo()
    there, e = states(calls[0])
    back, _ = states(calls[1])
    lengths = MASK.sum(1) if flip == "history" else torch.full((2,), 6)

    def newest_first(v):
        y = back(ops.flip_history(v, lengths))
        return ops.flip_history(y, lengths) if realign else y

    expected = torch.cat([by_differentiation(there, e), by_differentiation(newest_first, e)], dim=1)
    torch.testing.assert_close(M.values, expected, rtol=1e-9, atol=1e-12)
    assert M.newest_first == (False,) * e + (True,) * e
    if realign and flip == "history":
        assert (M.history(1)[:e] == M.values[1, :e, :4, :4].tril().numpy()).all()
        assert (M.history(1)[e:] == M.values[1, e:, :4, :4].triu().numpy()).all()
    last = mixing_matrix(module, x, MASK, channels=[e + 1])
    torch.testing.assert_close(last.values, M.values[:, [e + 1]])
    assert last.newest_first == (True,)


@pytest.mark.parametrize("settings", [{}, {"aligned": True}, {"beta": 0.0}])
def test_ssd4rec_reads_with_one_set_of_weights_both_ways(settings):
    recommender, inside = model("ssd4rec", **settings), batch(7, 5)
    M = mixing_matrix(recommender, inside, layer="layers.0")
    once = mixing_matrix(recommender, inside, layer="layers.0.ssd").values
    h = once.shape[1]
    torch.testing.assert_close(M.values[:, :h], once)
    if not settings.get("beta", 1):
        assert M.values.shape == once.shape
        return
    again = mixing_matrix(recommender, inside, layer="layers.0.ssd@2").values[1, :, :5, :5]
    expected = again.flip(1, 2) if settings else again.flip(2)
    torch.testing.assert_close(M.values[1, h:, :5, :5], expected)


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_of_every_model(name):
    """Each layer that is said to have a matrix has one, with its real events known."""
    recommender, inside = model(name), batch(7, 5)
    paths = layers_with_matrix(recommender)
    assert bool(paths) == (name != "gru4rec")
    for path in paths:
        M = mixing_matrix(recommender, inside, layer=path)
        token = int(name == "bert4rec")
        assert M.values.shape[0] == 2 and M.values.shape[2:] == (7 + token, 7 + token) and M.values.isfinite().all()
        assert M.history(1).shape == (M.values.shape[1], 5 + token, 5 + token), path
        assert path in repr(M) and "exact" in repr(M)


def test_a_kind_is_told_for_every_layer_that_mixes():
    """A new layer with a matrix must be entered in KINDS, or it would come out as having none."""
    mixing = {"CausalConv", "MambaLayer", "SSDLayer", "TimeAwareSSDLayer", "SelfAttention", "RelativeTimeAttention",
              "LinearAttention", "LowRankAttention", "SpectralFilter", "BidirectionalMamba"}  # fmt: skip
    others = {"Dropout", "FeedForward", "ForgettingMap", "GapUpdate", "GatedLinearUnit", "GatedRMSNorm",
              "InteractionGate", "LogGap", "PersonalGap", "PositionMap", "Recurrent", "RowGap", "RowNorm", "SecondsGap",
              "TimeStepMap"}  # fmt: skip
    classes = [getattr(layers, name) for name in layers.__all__]
    assert {c.__name__ for c in classes if isinstance(c, type) and issubclass(c, nn.Module)} == mixing | others
    assert {kind.__name__ for kind in KINDS} - {"_Layer"} == mixing


def test_interests_multiply_to_the_matrix():
    for name, path in (("mlsa4rec", "attention"), ("lightsans", "layers.1")):
        recommender, inside = model(name), batch(7, 5)
        found = interests(recommender, inside, layer=path)
        M = mixing_matrix(recommender, inside, layer=path).values
        if name == "lightsans":
            M = M - record(recommender, inside)[f"{path}.place_weights"].tensor
        torch.testing.assert_close(einsum(found.reads, found.feeds, "b h t r, b s r -> b h t s"), M)
        torch.testing.assert_close(found.feeds.sum(1), torch.ones(2, 3).double())
        torch.testing.assert_close(found.reads[:, :, :5].sum(-1), torch.ones(2, 2, 5).double())
        assert (found.feeds[1, 5:] == 0).all() and (found.reads[1, :, 5:] == 0).all()
    assert repr(found) == "Interests of layers.1: 3 interests of 2 × 7 events, read by 2 heads"
    running = model("mlsa4rec", attention="running")
    found, M = interests(running, inside), mixing_matrix(running, inside, layer="attention").values
    for i, n in enumerate((7, 5)):
        torch.testing.assert_close(found.reads[i, :, n - 1] @ found.feeds[i].T, M[i, :, n - 1])
    with pytest.raises(NoMixingMatrix, match=r"several layers with interests.*layers.0, layers.1"):
        interests(model("lightsans"), inside)
    with pytest.raises(NoMixingMatrix, match="mlsa4rec, lightsans"):
        interests(model("sasrec"), inside)


def test_errors_say_which_layers_have_a_matrix():
    inside = batch(4)
    with pytest.raises(NoMixingMatrix, match=r"give layer=, one of attentions.0, attentions.1"):
        mixing_matrix(model("sasrec"), inside)
    with pytest.raises(NoMixingMatrix, match=r"feed_forwards.0 of SASRec, a FeedForward, has no.*attentions.0"):
        mixing_matrix(model("sasrec"), inside, layer="feed_forwards.0")
    with pytest.raises(NoMixingMatrix, match=r"no layer 'attention.0' \(close: attentions.0"):
        mixing_matrix(model("sasrec"), inside, layer="attention.0")
    with pytest.raises(NoMixingMatrix, match=r"GRU4Rec has no mixing matrix.*MambaLayer.*linearised"):
        mixing_matrix(model("gru4rec"), inside)
    with pytest.raises(NoMixingMatrix, match="did not run for this input, call 2"):
        mixing_matrix(model("mamba4rec"), inside, layer="mambas.0@2")
    with pytest.raises(NoMixingMatrix, match=r"Popularity is no nn.Module"):
        mixing_matrix(Popularity(), inside)
    with pytest.raises(ValueError, match=r"channels must be among 0…1, got \[2\]"):
        mixing_matrix(model("sasrec"), inside, layer="attentions.0", channels=2)


def test_a_scan_is_computed_in_pieces_when_it_is_large(monkeypatch):
    module, x = layer(lambda: layers.MambaLayer(MAMBA)), history()
    whole = mixing_matrix(module, x).values
    monkeypatch.setattr(kinds_module, "ROOM", 5 * 2 * 3 * 36)
    assert torch.equal(mixing_matrix(module, x).values, whole)


def test_a_learners_own_module_comes_out_as_its_jacobian():
    own = layer(Decayed)
    M = mixing_matrix(own, history())
    lag = torch.arange(6)[:, None] - torch.arange(6)
    expected = torch.where(lag >= 0, 0.7 ** lag.double(), 0)
    torch.testing.assert_close(
        M.values, (own.proj.weight.detach().diagonal()[:, None, None] * expected).expand(2, 8, 6, 6)
    )
    assert not M.exact and "linearisation" in repr(M) and M.axes == "b d l l"
    sizes = linearised(own, history(), per_channel=False)
    torch.testing.assert_close(sizes.values, (own.proj.weight.detach().norm() * expected).expand(2, 1, 6, 6))
    assert np.array_equal(np.asarray(M), M.numpy())
    assert own.training is False and all(p.grad is None for p in own.parameters())


def test_the_jacobian_of_a_model_is_taken_where_items_become_vectors():
    own, item = layer(Items), torch.tensor([[3, 4, 5, 6]])
    M = mixing_matrix(own, item)
    assert M.values.shape == (1, 8, 4, 4) and (M.values.triu(1) == 0).all() and M.values.abs().max() > 0
    gru = model("gru4rec")
    found = linearised(gru, batch(5, 3), channels=[2, 0])
    assert found.values.shape == (2, 2, 5, 5) and (found.values.triu(1) == 0).all()
    with pytest.raises(ValueError, match="3 channels in and 5 out"):
        mixing_matrix(nn.Linear(3, 5), torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match="looks up no embedding"):
        linearised(nn.Identity(), torch.ones(1, 2, 3, dtype=torch.int64))


def test_our_layer_inside_a_learners_module_is_taken_exactly():
    own = nn.Sequential(nn.Linear(8, 8), layers.SelfAttention(8, 2, causal=True))
    M = mixing_matrix(own, torch.randn(2, 5, 8))
    assert M.exact and M.layer == "1 (SelfAttention)"
    torch.testing.assert_close(M.values.sum(-1), torch.ones(2, 2, 5).double())
