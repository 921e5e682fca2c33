"""LinRec: its attention against a dense matrix, a state space and autograd; its wiring by hand; its pads."""

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange

from seqrec_edu import ops
from seqrec_edu.layers import LinearAttention
from seqrec_edu.models import LinRec, build
from tests.models.support import LENGTH, batch, feed_forward, layer_norm, read_from_embedding, readout, small


def layer(d=8, heads=2):
    torch.manual_seed(0)
    return LinearAttention(d, heads).double()


def vectors(b=2, l=7, d=8, seed=1):
    return torch.randn(b, l, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def matrix(module, x, mask=None):
    """``M "b h l l"``: cosines of activated queries and keys, over √p."""
    p = x.shape[-1] // module.heads
    q, k = (rearrange(proj(x), "b l (h p) -> b h l p", p=p) for proj in (module.q_proj, module.k_proj))
    M = torch.cosine_similarity(F.elu(q)[:, :, :, None], F.elu(k)[:, :, None], dim=-1) / p**0.5
    return M if mask is None else M * mask[:, None, None]


class Fixed(torch.nn.Module):
    """Gives the same vectors whatever comes in."""

    def __init__(self, y):
        super().__init__()
        self.y = y

    def forward(self, x):
        return self.y


@pytest.mark.parametrize("l", [1, 2, 7, 50])
@pytest.mark.parametrize("masked", [False, True])
def test_it_is_a_matrix_of_cosines_in_values_and_gradients(l, masked):
    module, x = layer(), vectors(l=l).requires_grad_()
    mask = torch.arange(l) < torch.tensor([[l], [(l + 1) // 2]]) if masked else None
    v = rearrange(module.v_proj(x), "b l (h p) -> b h l p", h=2)
    expected = module.out_proj(rearrange(matrix(module, x, mask) @ v, "b h l p -> b l (h p)"))
    y, weights, leaves = module(x, mask), vectors(l=l, seed=2), [x, *module.parameters()]
    torch.testing.assert_close(y, expected, rtol=1e-9, atol=1e-9)
    ours, theirs = (torch.autograd.grad((out * weights).sum(), leaves, retain_graph=True) for out in (y, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        module.float()(x.detach().float(), mask), expected.float().detach(), rtol=2e-5, atol=2e-5
    )


def test_cut_off_at_each_event_it_is_a_state_space_that_never_forgets():
    module, x = layer(), vectors()
    q, k, v = (
        rearrange(proj(x), "b l (h p) -> b l h p", h=2) for proj in (module.q_proj, module.k_proj, module.v_proj)
    )
    q, k = F.normalize(F.elu(q), dim=-1) / 2, F.normalize(F.elu(k), dim=-1)  # √4 numbers in a head
    dt, A = torch.ones(2, 7, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    y = module.out_proj(rearrange(ops.ssd(v, dt, A, k, q), "b l h p -> b l (h p)"))
    for t in range(7):
        torch.testing.assert_close(module(x[:, : t + 1])[:, t], y[:, t])


def test_the_matrix_is_what_autograd_sees_and_has_the_rank_of_a_head():
    module, x = layer(), vectors(b=1)
    M = matrix(module, x)
    module.q_proj, module.k_proj = Fixed(module.q_proj(x)), Fixed(module.k_proj(x))
    module.v_proj, module.out_proj = torch.nn.Identity(), torch.nn.Identity()
    J = torch.autograd.functional.jacobian(lambda values: module(values)[0, :, 0], x)[:, 0, :, 0]
    torch.testing.assert_close(J, M[0, 0], rtol=1e-9, atol=1e-9)
    assert torch.linalg.matrix_rank(M[0, 0]) == 4 < 7
    assert M.min() < 0 and M.abs().max() <= 0.5


def test_gradcheck_and_shapes_in_memory():
    module, x = layer(4, 2), vectors(2, 3, 4).requires_grad_()
    mask = torch.tensor([[True] * 3, [True, False, False]])
    assert torch.autograd.gradcheck(lambda x: module(x, mask), x)
    strided = vectors(3, 2, 4).transpose(0, 1)
    torch.testing.assert_close(module(strided), module(strided.contiguous()))


def test_zeros_and_pads_alone_stay_finite():
    module = layer()
    x = torch.zeros(1, 3, 8, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        for proj in (module.q_proj, module.k_proj):
            proj.bias.zero_()
    y = module(x, torch.zeros(1, 3, dtype=torch.bool))
    torch.testing.assert_close(y, module.out_proj.bias.expand(1, 3, 8))
    module(x).sum().backward()
    assert x.grad.isfinite().all() and all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


def test_runs_under_autocast():
    module, x = layer().float(), vectors().float()
    mask = torch.arange(7) < torch.tensor([[7], [3]])
    with torch.autocast("cpu", torch.bfloat16):
        y = module(x, mask)
    torch.testing.assert_close(y.float(), module(x, mask), rtol=0.05, atol=0.05)


def test_errors_of_the_layer():
    with pytest.raises(ValueError, match="3 heads do not divide d_model 8"):
        LinearAttention(8, 3)
    with pytest.raises(ops.ShapeError, match=r"axis l .* of mask 'b l' is 1, but x fixes it at 7"):
        layer()(vectors(), torch.ones(2, 1, dtype=torch.bool))


def test_number_of_parameters_is_that_of_sasrec():
    for length in (50, 200):
        count = {build(name, n_items=10, history_length=length).n_body_parameters for name in ("linrec", "sasrec")}
        assert len(count) == 1 and (length != 50 or count == {103_296})


def test_the_preset_has_the_released_size():
    """d = 128, l = 200, a feed-forward of inner width 256: maps with biases, norms with gains and biases."""
    d, inner, places = 128, 256, 200
    norm, attention, feed_forward = 2 * d, 4 * (d * d + d), (d * inner + inner) + (inner * d + d)
    model = build("linrec", n_items=10, **LinRec.preset("ml-1m"))
    assert places * d + norm + 2 * (attention + norm + feed_forward + norm) == 290_816 == model.n_body_parameters


def test_the_inner_width_is_4_d_where_nobody_says_otherwise():
    told, untold = (small("linrec", **said) for said in ({"inner": 64}, {}))
    assert torch.equal(told(batch(9)), untold(batch(9)))
    assert told.settings()["inner"] == 64 and "inner" not in untold.settings(), "older runs are still found"
    with pytest.raises(ValueError, match="inner must be at least 1, got 0"):
        build("linrec", n_items=10, inner=0)


def test_official_is_the_released_wiring():
    """Positions from the first place of a row of 12, every place a key."""
    model, history = small("linrec", mode="official"), batch(9, 4)
    item = F.pad(history.item, (0, 3))
    x = layer_norm(model.embedding_norm, model.item_embedding.weight[item] + model.position_embedding.weight)
    for attention, norm, then in zip(model.attentions, model.norms, model.feed_forwards, strict=True):
        v = rearrange(attention.v_proj(x), "b l (h p) -> b h l p", h=2)
        y = attention.out_proj(rearrange(matrix(attention, x) @ v, "b h l p -> b l (h p)"))
        x = feed_forward(then, layer_norm(norm, y + x))
    torch.testing.assert_close(model(history), x[:, :9])
    assert torch.equal(model(history), small("linrec", pads_as_events=True, random_pad=True)(history))


@pytest.mark.parametrize(
    ("settings", "kept"), [({}, True), ({"pads_as_events": True}, False), ({"mode": "official"}, False)], ids=str
)
def test_what_stands_at_pads_and_how_many_there_are(settings, kept):
    model, longer = small("linrec", **settings), small("linrec", **settings, history_length=2 * LENGTH)
    weights = model.state_dict()
    table = longer.position_embedding.weight.detach().clone()
    table[:LENGTH] = weights["position_embedding.weight"]
    longer.load_state_dict(weights | {"position_embedding.weight": table})
    found = [readout(model, batch(9, 4, 1, l=LENGTH, fill=fill)) for fill in (0, 7)]
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9) == kept
    assert torch.allclose(readout(longer, batch(9, 4, 1)), found[0], rtol=1e-9, atol=1e-9) == kept
    assert read_from_embedding(model, batch(4, 9)) == list(range(4 if kept else LENGTH))


def test_longer_histories_are_refused():
    with pytest.raises(ValueError, match="positions for 12 events, the batch holds 13"):
        small("linrec")(batch(13))
    with pytest.raises(ValueError, match="rows of 12 places, the batch holds 13"):
        small("linrec", mode="official")(batch(13))
