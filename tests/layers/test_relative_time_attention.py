"""Buckets of time between events, and the attention that reads them."""

import pytest
import torch
import torch.nn.functional as F

from seqrec_edu.layers import RelativeTimeAttention, RelativeTimeAttentionConfig, initialise, time_buckets

TIME = torch.tensor([[0, 0, 60, 200, 100_000], [10, 20, 50, 0, 0], [7, 7, 7, 0, 0]]) + 1_700_000_000
MASK = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] * 3 + [False] * 2])


def build(**changes):
    torch.manual_seed(0)
    return RelativeTimeAttention(RelativeTimeAttentionConfig(8, 2, 12, **({"span": 9} | changes))).double().eval()


def inputs(length=12, seed=1):
    draw = torch.Generator().manual_seed(seed)
    gaps = torch.randint(0, 50, (2, length), generator=draw) * 20
    return torch.randn(2, length, 8, dtype=torch.float64, generator=draw), 1_700_000_000 + gaps.cumsum(1)


def by_hand(time, real, span, scale):
    """Loops over pairs in Python's own integers."""
    rows = []
    for i in range(len(time)):
        seen = [t for j, t in enumerate(time) if real[j] and (scale == "user" or j <= i)]
        gaps = [abs(a - b) for a in seen for b in seen if a != b]
        unit = 1 if scale == "raw" or not gaps else min(gaps)
        rows.append([min(span, abs(time[i] - t) // unit) for t in time])
    return rows


@pytest.mark.parametrize("scale", ["user", "running", "raw"])
@pytest.mark.parametrize("span", [1, 9, 256])
def test_buckets_by_hand(scale, span):
    found = time_buckets(TIME, MASK, span=span, scale=scale)
    for b in range(3):
        expected = torch.tensor(by_hand(TIME[b].tolist(), MASK[b].tolist(), span, scale))
        real = MASK[b][:, None] & MASK[b]
        assert torch.equal(found[b][real], expected[real])
    assert found.min() >= 0 and found.max() <= span


def test_a_user_whose_events_all_share_a_second():
    for scale in ("user", "running", "raw"):
        assert (time_buckets(TIME, MASK, scale=scale)[2, :3, :3] == 0).all()


def test_the_unit_of_a_user_is_the_smallest_gap():
    buckets = time_buckets(TIME, MASK)
    assert buckets[0, 4].tolist() == [256, 256, 256, 256, 0]  # 100,000 s in units of 60 s
    assert buckets[0, 3].tolist()[:4] == [3, 3, 2, 0]  # 200 s, 200 s, 140 s
    assert buckets[1, 2].tolist()[:3] == [4, 3, 0]  # 40 s, 30 s in units of 10 s
    assert torch.equal(time_buckets(10 * TIME[:1]), buckets[:1])  # a patient user has the buckets of a hasty one


def test_small_gaps_survive_large_times():
    """1 s and 3 s apart at 1.7e9 s, where float32 is 128 s coarse."""
    time = torch.tensor([[1_700_000_000, 1_700_000_001, 1_700_000_004]])
    assert time_buckets(time)[0, 2].tolist() == [4, 3, 0]
    assert torch.equal(time_buckets(time + 2**53), time_buckets(time))


def test_layer_is_its_formula():
    """Query by query, pair by pair."""
    layer, (x, time) = build(), inputs()
    initialise(layer, std=0.5)
    Q, K, V = (project(x)[0] for project in (layer.q_proj, layer.k_proj, layer.v_proj))
    buckets = time_buckets(time, span=9)[0]
    y = layer(x, time)[0]
    for i in (0, 1, 7, 11):
        keys = torch.stack(
            [K[j] + layer.position_k.weight[j] + layer.time_k.weight[buckets[i, j]] for j in range(i + 1)]
        )
        values = torch.stack(
            [V[j] + layer.position_v.weight[j] + layer.time_v.weight[buckets[i, j]] for j in range(i + 1)]
        )
        for head in (slice(0, 4), slice(4, 8)):
            weights = F.softmax(keys[:, head] @ Q[i, head] / 2, dim=0)  # √4
            torch.testing.assert_close(y[i, head], weights @ values[:, head])


def test_shifting_all_times_changes_nothing():
    x, time = inputs()
    for scale in ("user", "running", "raw"):
        layer = build(scale=scale, span=1000)
        assert torch.equal(layer(x, time + 987_654_321), layer(x, time))
        assert not torch.equal(layer(x, time + 7 * torch.arange(12)), layer(x, time))


def test_pads_do_not_matter():
    layer, (x, time) = build(), inputs()
    mask = torch.arange(12)[None].expand(2, 12) < 8
    expected = layer(x[:, :8], time[:, :8])
    for pad_time in (0, 1, 1_699_999_999):
        padded = time.where(mask, torch.tensor(pad_time))
        y = layer(x, padded, mask)
        torch.testing.assert_close(y[:, :8], expected)
        assert (y[:, 8:] == 0).all()


def test_no_event_reads_a_later_item():
    layer, (x, time) = build(), inputs()
    J = torch.autograd.functional.jacobian(lambda x: layer(x[None], time[:1])[0].sum(-1), x[0]).abs().sum(-1)
    assert (J.triu(1) == 0).all() and (J.tril() > 0).sum() == 12 * 13 / 2


@pytest.mark.parametrize("scale", ["user", "running", "raw"])
def test_only_the_unit_of_a_user_sees_later_times(scale):
    """TiSASRec's unit is the smallest gap of the whole history: a later pair of close events re-scales earlier ones.
    So the full pass differs from that of a prefix, except where the unit is the running one, or a second."""
    layer, (x, _) = build(scale=scale), inputs()
    initialise(layer, std=1.0)
    time = 1_700_000_000 + torch.tensor([0, 60, 180, 240, 600, 900, 1500, 1501]).expand(2, 8)
    whole, prefix = layer(x[:, :8], time)[:, :7], layer(x[:, :7], time[:, :7])
    assert torch.allclose(whole, prefix) == (scale != "user")


def test_dropout_acts_in_training_only_and_every_parameter_learns():
    layer, (x, time) = build(dropout=0.5), inputs()
    assert torch.equal(layer(x, time), layer(x, time))
    layer.train()
    assert not torch.equal(layer(x, time), layer(x, time))
    layer.eval()
    (layer(x, time) * torch.randn(2, 12, 8)).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in layer.parameters())


def test_number_of_parameters():
    """Three projections with bias, and two tables each of positions and of buckets 0 … span."""
    layer = RelativeTimeAttention(RelativeTimeAttentionConfig(50, 1, 50))
    assert sum(p.numel() for p in layer.parameters()) == 3 * (50 * 50 + 50) + 2 * 50 * 50 + 2 * 257 * 50


def test_runs_under_autocast():
    layer, (x, time) = build().float().train(), inputs()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x.float(), time, torch.arange(12) < torch.tensor([[12], [5]]))
    y.float().sum().backward()
    assert torch.isfinite(y).all()


def test_errors():
    layer, (x, time) = build(), inputs()
    with pytest.raises(ValueError, match=r"times must be int64 seconds, got torch\.float32"):
        layer(x, time.float())
    with pytest.raises(ValueError, match=r"axis l .* of time 'b l' is 5, but x fixes it at 12"):
        layer(x, time[:, :5])
    with pytest.raises(ValueError, match="positions for 12 events, x holds 13"):
        layer(torch.cat([x, x[:, :1]], 1), torch.cat([time, time[:, :1]], 1))
    with pytest.raises(ValueError, match="one of user, running, raw, got 'global'"):
        build(scale="global")
    with pytest.raises(ValueError, match="3 heads do not divide d_model 64"):
        RelativeTimeAttentionConfig(64, 3, 50)
    with pytest.raises(ValueError, match="at least 1 bucket, got 0"):
        time_buckets(time, span=0)
