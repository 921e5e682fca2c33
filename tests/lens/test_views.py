"""Five views of one state space: they agree, they are what the layer computed, and they cost what is said."""

import itertools
import math

import numpy as np
import pytest
import torch

from seqrec_edu import ops
from seqrec_edu.lens import record
from seqrec_edu.lens.cost import Work
from seqrec_edu.lens.state import layers_with_state
from seqrec_edu.lens.view_costs import costs
from seqrec_edu.lens.view_space import READ, state_space
from seqrec_edu.lens.views import TOLERANCES, VIEWS, five_views, unrolled
from tests.lens.support import batch, model

CASES = (("tim4rec", "ssds.0", {"time": "decay"}), ("ssd4rec", "layers.0.ssd", {}), ("mamba4rec", "mambas.0", {}))


def space(name, layer=None, head=1, length=9, **settings):
    made, one = model(name, **settings), batch(length)
    return state_space(record(made, one, only=READ), made, layer=layer, head=head)


@pytest.mark.parametrize(("name", "layer", "settings"), CASES)
@pytest.mark.parametrize("chunk", [1, 4, 64])
@pytest.mark.parametrize("length", [1, 2, 9])
def test_all_five_agree(name, layer, settings, chunk, length):
    found = space(name, layer, length=length, **settings)
    for dtype in (torch.float64, torch.float32):
        views = five_views(found, dtype=dtype, chunk=chunk)
        assert tuple(views.outputs) == VIEWS and len(views.differences) == 10
        assert views.agree and "equal" in repr(views) and "NOT" not in repr(views)
    assert all(y.shape == (length, found.state.shape[1]) for y in views.outputs.values())


@pytest.mark.parametrize(("name", "layer", "settings"), CASES)
def test_with_skip_and_gate_they_are_what_the_layer_gave(name, layer, settings):
    made, one = model(name, **settings), batch(9)
    found, module = record(made, one), made.get_submodule(layer)
    taps, y = found.of(layer), five_views(state_space(found, made, layer=layer, head=1), dtype=torch.float64)
    y, x = y.outputs["sum"], taps["x"][0, :, 1].reshape(9, -1)
    y = y + module.D[1].detach() * x
    if name == "mamba4rec":
        y = y * taps["gate"][0, :, 1, None]
    torch.testing.assert_close(y, taps["scanned"][0, :, 1].reshape(9, -1))


def test_one_wrong_view_is_found():
    found = space("tim4rec", "ssds.0")
    views = five_views(found, dtype=torch.float64)
    views.outputs["chunks"][3, 0] += 1e-6 * views.outputs["recurrence"].abs().max()
    assert {pair for pair in views.apart} == {p for p in views.differences if "chunks" in p} and not views.agree
    assert "NOT equal" in repr(views)
    views.differences.clear()
    views.differences["sum", "chunks"] = math.nan
    assert views.apart == [("sum", "chunks")]  # not-a-number is not equal


def test_bfloat16_tells_running_sums_from_products():
    """After one strong decay all running sums are large, and in bfloat16 the small ones behind it vanish in them."""
    found = space("tim4rec", "ssds.0", length=12, time="decay")
    found.arguments["dt"].fill_(0.1)
    found.arguments["A"].fill_(-1)
    found.arguments["decay_scale"].fill_(1)[:, 0] = 3000
    views = five_views(found, dtype=torch.bfloat16)
    assert {pair for pair in views.apart} == {pair for pair in views.differences if "matrix" in pair}
    assert views.tolerance == TOLERANCES[torch.bfloat16] == 4 / 256
    assert five_views(found, dtype=torch.float64).agree


def test_the_unrolled_sum_counts_by_hand():
    """h = ½ h + dt x B with B = C = 1: after inputs 1, 1, 1 the state is 1, 3/2, 7/4."""
    ones = torch.ones(1, 3, 1, 1, dtype=torch.float64)
    given = {"x": ones, "dt": ones[..., 0], "A": torch.tensor([math.log(0.5)]).double(), "B": ones, "C": ones}
    assert unrolled("ssd", given).flatten().tolist() == pytest.approx([1, 1.5, 1.75])
    given["decay_scale"] = 2 * ones[..., 0]  # ¼ instead
    assert unrolled("ssd", given).flatten().tolist() == pytest.approx([1, 1.25, 1.3125])
    given = {"x": ones[..., 0], "dt": ones[..., 0], "A": torch.tensor([[math.log(0.5), math.log(0.25)]]).double()}
    two = torch.ones(1, 3, 2, dtype=torch.float64)
    found = unrolled("selective_scan", {**given, "B": two, "C": two})
    assert found.flatten().tolist() == pytest.approx([2, 2.75, 1.75 + 1.3125])


# --- which layers, which events ---------------------------------------------------------------------------------------


def test_layers_heads_and_errors():
    made, one = model("ssd4rec"), batch(5)
    found = record(made, one, only=READ)
    assert layers_with_state(found) == [f"layers.{i}.ssd{call}" for i in (0, 1) for call in ("", "@2")]
    with pytest.raises(ValueError, match="give layer="):
        state_space(found, made)
    with pytest.raises(ValueError, match="channel must be among"):
        state_space(found, made, layer="layers.0.ssd", head=99)
    with pytest.raises(ValueError, match="has no decays"):
        state_space(record(model("sasrec"), one), made)
    with pytest.raises(ValueError, match="one history"):
        state_space(record(made, batch(5, 4), only=READ), made, layer="layers.0.ssd")
    with pytest.raises(ValueError, match="dtype must be one of float64"):
        five_views(space("mamba4rec"), dtype=torch.float16)
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        five_views(space("mamba4rec"), chunk=0)


def test_events_of_a_reading_newest_first():
    assert space("ssd4rec", "layers.0.ssd@2", length=4).events.tolist() == [3, 2, 1, 0]
    assert space("ssd4rec", "layers.0.ssd", length=4).oldest_first
    path = "layers.0.pairs.0.mambas."
    assert space("echomamba4rec", f"{path}0", length=4).events.tolist() == [0, 1, 2, 3]
    assert space("echomamba4rec", f"{path}1", length=4).events.tolist() == [3, 2, 1, 0]
    official = space("echomamba4rec", f"{path}1", length=4, mode="official")
    assert official.events.tolist() == [-1] * 8 + [3, 2, 1, 0] and not official.oldest_first
    assert len(space("echomamba4rec", f"{path}0", length=4, mode="official")) == 4  # pads follow, nobody reads them
    assert space("mlsa4rec", "mambas.1", length=4).oldest_first


def test_matrix_and_state_are_those_of_the_head():
    found = space("tim4rec", "ssds.1", head=2)
    views, x = five_views(found, dtype=torch.float64), found.rounded(torch.float64)["x"][0, :, 0]
    torch.testing.assert_close(views.matrix @ x, views.outputs["recurrence"])
    C = found.rounded(torch.float64)["C"][0, :, 0]
    torch.testing.assert_close(torch.einsum("lpn,ln->lp", found.state, C), views.matrix @ x)
    assert 0 < found.reach <= float(found.state.abs().max())


# --- cost and moments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["ssd", "selective_scan"])
def test_the_kernel_says_what_it_is_and_why_it_is_not_tritons(operation):
    views = five_views(
        space("tim4rec" if operation == "ssd" else "mamba4rec", "ssds.0" if operation == "ssd" else None)
    )
    assert f'"{views.backend}"' in views.words
    if not torch.cuda.is_available():
        assert views.backend in ("cpu", "vectorised") and "Triton's kernel does not run" in views.words
    assert set(views.milliseconds) == set(VIEWS) and min(views.milliseconds.values()) > 0


def test_moments_grow_as_the_views_work():
    views = five_views(space("tim4rec", "ssds.0", length=10), chunk=4)
    steps = [views.at(step) for step in range(10)]
    assert all(views.at(9)[view].done == cost.work for view, cost in views.costs.items())
    for view in VIEWS:
        assert all(a[view].done <= b[view].done for a, b in itertools.pairwise(steps))
    grown = np.diff([0] + [moment["sum"].done for moment in steps])
    assert (np.diff(grown) > 0).all() and len(set(np.diff(grown))) == 1  # each event has one more past event to weigh
    assert len({moment["recurrence"].held for moment in steps}) == 1
    assert {moment["matrix"].done for moment in steps} == {views.costs["matrix"].work}
    assert [(m["chunks"].first, m["chunks"].last) for m in steps] == [(0, 3)] * 4 + [(4, 7)] * 4 + [(8, 9)] * 2
    with pytest.raises(ValueError, match="step must be within 0…9, got 10"):
        views.at(10)


def test_costs_by_hand():
    found = costs("ssd", l=5, p=3, n=2, chunk=2, tile=1)
    assert found["recurrence"].work == found["kernel"].work == 3 * 5 * 3 * 2
    assert found["sum"].work == (1 + 2 + 3 + 4 + 5) * (3 + 2)
    assert (found["matrix"].work, found["matrix"].held) == (25 * 5, 25)
    assert found["chunks"].work == 3 * (4 * 5 + 2 * 2 * 6) and found["chunks"].held == 3 * (4 + 6)
    assert costs("ssd", l=5, p=3, n=2, chunk=2, tile=9)["kernel"].work == 25 * 5 + 2 * 5 * 6  # one tile of all five
    assert costs("ssd", l=5, p=3, n=2, chunk=2, h=4)["sum"].work == 4 * found["sum"].work
    with pytest.raises(ValueError, match="operation must be"):
        costs("attention", l=1, p=1, n=1, chunk=1)
    with pytest.raises(ValueError, match="chunk 0"):
        costs("ssd", l=1, p=1, n=1, chunk=0)


@pytest.mark.parametrize("name", ["tim4rec", "mamba4rec"])
@pytest.mark.parametrize("view", ["recurrence", "matrix"])
def test_the_formulas_grow_as_the_work_that_is_counted(name, view):
    """Counted at dispatch, which knows nothing of the formulas; single numbers beside the vectors blur it a little."""
    counted, said = [], []
    for length in (6, 12):
        found = space(name, "ssds.0" if name == "tim4rec" else None, length=length)
        given = found.rounded(torch.float64)
        with torch.no_grad(), Work() as work:
            if view == "recurrence":
                getattr(ops, found.operation)(**given, backend="reference")
            else:
                ops.mixing_matrix(found.operation, *(given[name] for name in ("dt", "A", "B", "C")))
        p, n = found.state.shape[1:]
        counted.append(work.operations)
        said.append(costs(found.operation, l=length, p=p, n=n, chunk=4)[view].work)
    assert counted[1] / counted[0] == pytest.approx(said[1] / said[0], rel=0.15)
