"""Times on every scale, against the layers that use them and against numbers by hand."""

import numpy as np
import pytest
import torch

from seqrec_edu.data.person import Person
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.lens import mixing_matrix, record, time_masks, time_scales
from seqrec_edu.lens.time_scales import at_the_same_second, log_scale, paused, places_in_time, time_setting
from seqrec_edu.models import build
from tests.lens.conftest import small
from tests.lens.support import batch

DAY = 86_400
TIMES = 1_700_000_000 + np.cumsum([0, 40, 3600, 0, 30 * DAY, 90, DAY])
ITEMS = np.array([3, 17, 5, 5, 22, 9, 30])


def test_gaps_and_what_float32_makes_of_them():
    scales = time_scales(TIMES)
    assert scales.gaps.tolist() == [0, 40, 3600, 0, 30 * DAY, 90, DAY] and scales.gaps.dtype == np.int64
    coarse = np.diff(TIMES.astype(np.float32).astype(np.float64), prepend=np.float64(np.float32(TIMES[0])))
    np.testing.assert_array_equal(scales.coarse, coarse)
    assert (scales.coarse % 128 == 0).all() and scales.wrong[1] and scales.longest == 4 and scales.worst in (1, 5)


def test_the_official_form_by_hand_and_what_pads_do_to_it():
    alone, padded = time_scales(TIMES), time_scales(TIMES, pads=93)
    np.testing.assert_allclose(alone.official.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(alone.official.std(), 1, rtol=1e-5)
    row = np.concatenate([alone.coarse, [-float(np.float32(TIMES[-1]))], np.zeros(92)])
    np.testing.assert_allclose(padded.official, ((row - row.mean()) / row.std())[:7], rtol=1e-3)
    np.testing.assert_allclose(padded.jump, -np.sqrt(99), rtol=1e-3)  # one number far from 99 equal ones
    assert alone.jump is None and padded.spread("official") < 1e-3 < alone.spread("official")
    assert padded.spread("corrected") == alone.spread("corrected") == pytest.approx(np.log1p(DAY))


def test_one_long_pause_flattens_the_official_form_only():
    before, after = (time_scales(paused(TIMES, 6, seconds)) for seconds in (0, 3000 * DAY))
    rest = slice(1, 6)
    assert np.ptp(after.official[rest]) < 0.05 * np.ptp(before.official[rest])
    assert np.ptp(after.corrected[rest]) == np.ptp(before.corrected[rest])


@pytest.mark.parametrize("scale", ["user", "running", "raw"])
def test_buckets_are_multiples_of_their_unit(scale):
    scales = time_scales(TIMES, span=500, scale=scale)
    apart = np.abs(TIMES[:, None] - TIMES[None])
    rows, columns = np.tril_indices(len(TIMES))
    expected = np.minimum(500, apart // scales.unit[:, None])
    assert (scales.buckets[rows, columns] == expected[rows, columns]).all()
    assert scales.unit.tolist() == {"user": [40] * 7, "running": [1, *[40] * 6], "raw": [1] * 7}[scale]
    assert scales.clipped[1] == 21 and 0 < scales.clipped[0] < 21


def test_times_that_say_nothing():
    scales = time_scales([5, 5, 5], pads=2)
    assert not scales.gaps.any() and scales.unit.tolist() == [1, 1, 1] and not scales.buckets.any()
    assert np.isfinite(scales.official).all() and scales.spread("official") < 1e-6
    assert time_scales([5]).clipped == (0, 0)


def test_the_scale_of_gaps_stops_between_people():
    data = shoppers(users=5, seed=0)
    gaps = np.log1p(np.concatenate([np.diff(data.history(user)[1]) for user in range(5)]))
    found = log_scale(data)
    assert float(found.mean) == pytest.approx(gaps.mean(), rel=1e-5)
    assert float(found.std) == pytest.approx(gaps.std(ddof=1), rel=1e-5)
    equal = Person([1, 2, 3], [0, 5, 10], ["", "a", "b", "c"])
    assert float(log_scale(equal).std) == 1


def test_the_mask_without_times_is_the_layers_own():
    """L of the first layer: its mixing matrix with C = B = 1 and the step taken out."""
    model = small("tim4rec").double().eval()
    masks = time_masks(model, ITEMS, TIMES, time_scales(TIMES))
    x = model.embed(torch.from_numpy(ITEMS)[None])
    found = record(model.ssds[0], x)
    decay = found["decay"].tensor[0].numpy()
    L = masks.kept["without times"]
    for t in range(7):
        for s in range(7):
            expected = decay[s + 1 : t + 1].prod(0) if s <= t else 0
            np.testing.assert_allclose(L[:, t, s], expected, rtol=1e-12)
    M = mixing_matrix(model.ssds[0], x).values[0].numpy()
    taps = {name: found[name].tensor[0] for name in ("dt", "B", "C")}
    np.testing.assert_allclose(M, L * (taps["C"] @ taps["B"].T).numpy() * taps["dt"].T[:, None].numpy(), rtol=1e-9)


@pytest.mark.parametrize("mode", ["corrected", "official"])
def test_the_layers_own_map_gives_the_models_own_decays(mode):
    settings = {"mode": mode, "history_length": 12}
    model = small("tim4rec", **settings).double()
    one = batch(7)
    setting = time_setting(Person(ITEMS, TIMES, [""] * 31), model)
    scales = setting.scales(one.time[0].numpy(), pads=5, scale="user")
    if mode == "corrected":
        model.gap.mean.fill_(float(setting.log_gap.mean)), model.gap.std.fill_(float(setting.log_gap.std))
    masks = time_masks(model, one.item[0], one.time[0], scales, by="layer")
    decay = record(model, one)["ssds.0.decay"].tensor[0]
    np.testing.assert_allclose(masks.kept[mode][:, -1, -2], decay[-1], rtol=1e-6)
    factor = record(model, one)["time_maps.0.time_factor"].tensor[0, :7]
    np.testing.assert_allclose(masks.factors[mode], factor, rtol=1e-5, atol=1e-7)


def test_the_plain_map_forgets_more_after_a_longer_gap():
    model = small("tim4rec")
    kept = [time_masks(model, ITEMS, times, time_scales(times)).kept["corrected"]
            for times in (TIMES, paused(TIMES, 5, 60 * DAY))]  # fmt: skip
    assert (kept[1][:, -1, :5] < kept[0][:, -1, :5]).all()
    np.testing.assert_allclose(kept[1][:, -1, 5:], kept[0][:, -1, 5:])  # what came after the pause is as near as ever
    masks = time_masks(model, ITEMS, TIMES, time_scales(TIMES, pads=193))
    assert np.ptp(masks.factors["official"][1:]) < 0.02 < 1 < np.ptp(masks.factors["corrected"][1:])


def test_the_setting_takes_what_models_have():
    data = shoppers(users=5, seed=0)
    plain = time_setting(data)
    assert not plain.given and (plain.span, plain.scale, plain.places) == (256, "user", 200)
    rival = build("tisasrec", n_items=data.n_items, d_model=16, span=20, scale="raw")
    official = build("tim4rec", n_items=data.n_items, d_model=16, mode="official", history_length=50)
    found = time_setting(data, {"a": rival, "b": official})
    assert found.given and (found.span, found.scale, found.places) == (20, "raw", 50)
    assert found.row_gap is official.gap and found.weights.startswith("official as given")
    trained = build("tim4rec", n_items=data.n_items, d_model=16)
    trained.gap.measure(torch.tensor([1, 2, 3]))
    assert time_setting(data, trained).log_gap is trained.gap


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: time_scales([]), "at least one event"),
        (lambda: time_scales([5, 4]), "never decreasing"),
        (lambda: time_setting(None, small("sasrec")), "only a TiM4Rec and a TiSASRec"),
        (lambda: time_setting(None, {"a": small("tim4rec"), "b": small("tim4rec")}), "one of each"),
        (lambda: time_setting(None, small("tim4rec", time="off")), "reads no times"),
        (lambda: time_masks(small("sasrec"), ITEMS, TIMES, time_scales(TIMES)), "needs a TiM4Rec"),
        (lambda: time_masks(small("tim4rec"), ITEMS, TIMES, time_scales(TIMES), by="hand"), "plain, layer"),
    ],
)
def test_wrong_calls(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_edits_of_times():
    times = np.array([10, 30, 20, 30])
    assert places_in_time(times).tolist() == [0, 2, 1, 3]
    assert paused(times, 1, 100).tolist() == [10, 130, 20, 130] and paused(times, 3, 5).tolist() == [10, 30, 20, 35]
    assert at_the_same_second(times, 1).tolist() == [10, 20, 20, 30]
    assert at_the_same_second(times, 0).tolist() == times.tolist()
