"""Every model records what a panel may show, with axes that fit, and a wrong name finds the right one."""

import pytest
import torch
from torch import nn

from seqrec_edu import taps
from seqrec_edu.layers import SSDConfig, SSDLayer
from seqrec_edu.lens import UnknownTap, record
from seqrec_edu.models import MODELS
from seqrec_edu.models.baselines import Popularity
from seqrec_edu.notation import AXES
from seqrec_edu.taps import tap
from tests.lens.support import batch, model

SCAN = {"x", "dt", "A", "B", "C", "decay", "z", "gate", "scanned", "convolved"}
SSD = SCAN | {"gated"}
ATTENTION = {"q", "k", "v", "attended"}
RECORDED = {
    "sasrec": ATTENTION,
    "bert4rec": ATTENTION | {"mask"},
    "linrec": ATTENTION | {"mask"},
    "tisasrec": ATTENTION | {"mask", "buckets", "table_k"},
    "lightsans": ATTENTION | {"mask", "pool_k", "pool_v", "place_weights"},
    "mlsa4rec": SCAN | ATTENTION | {"mask", "pool_k", "pool_v", "gated"},
    "mamba4rec": SCAN,
    "tim4rec": SSD | {"gap", "time_factor"},
    "ssd4rec": SSD | {"mask"},
    "echomamba4rec": SCAN | {"mask", "filter", "filtered", "oldest_first", "newest_first", "u"},
    "fmlprec": {"mask", "filter", "filtered"},
    "gru4rec": {"state"},
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_records(name):
    history = batch(7, 5)
    found = record(model(name), history)
    assert {each.own_name for each in found.values()} == RECORDED[name] | {"embedding", "hidden"}
    for key, each in found.items():
        sizes = dict(zip(each.axes.split(), each.tensor.shape, strict=True))
        assert set(sizes) <= set(AXES) and not each.tensor.requires_grad, key
        assert sizes.get("b", 2) == 2 or key.endswith("place_weights"), key
        assert sizes.get("l", 7) in (7, 8, 12), key  # the events, with BERT4Rec's token, or a whole row
    assert found["hidden"].tensor.shape == (2, 7, 16) and found["hidden"].axes == "b l d"
    assert found.batch is history


def test_what_is_recorded_is_what_the_model_computes():
    tim, history = model("tim4rec", time="decay"), batch(7, 5)
    found = record(tim, history)
    assert torch.equal(found["hidden"].tensor, tim(history))
    dt, A, tau = (found[f"ssds.1.{name}"].tensor for name in ("dt", "A", "decay_scale"))
    assert torch.equal(found["ssds.1.decay"].tensor, torch.exp(tau * dt * A))
    assert torch.equal(tau, found["time_maps.1.time_factor"].tensor)
    mamba = record(model("mamba4rec"), history)
    dt, A = mamba["mambas.0.dt"].tensor, mamba["mambas.0.A"].tensor
    assert torch.equal(mamba["mambas.0.decay"].tensor, torch.exp(dt[..., None] * A))
    assert torch.equal(mamba["mambas.0.gate"].tensor, nn.functional.silu(mamba["mambas.0.z"].tensor))


def test_every_name_is_documented():
    """The table in the docstring of taps.py is where a reader looks a name up."""
    rows = [line.split("|")[1:3] for line in taps.__doc__.splitlines() if line.startswith("| ")][1:]
    documented = {
        (name.strip(), axes.strip())
        for names, shapes in rows
        for name in names.split(",")
        for axes in shapes.split(",")
    }
    seen, official = set(), {"mode": "official", "history_length": 12}
    others = [("tim4rec", official), ("tim4rec", {"time": "decay"}), ("fmlprec", {"filter": "causal"})]
    for name, settings in [*((name, {}) for name in MODELS), *others]:
        seen |= {(each.own_name, each.axes) for each in record(model(name, **settings), batch(12, 5)).values()}
    assert seen <= documented, f"add to the table in taps.py: {seen - documented}"
    names = {name for name, _ in seen}
    assert {name for name, _ in documented} <= names, f"recorded nowhere: {({n for n, _ in documented}) - names}"


def test_find_and_of():
    found = record(model("ssd4rec"), batch(7, 5))
    assert [each.name for each in found.find("decay")] == [
        f"layers.{i}.ssd.decay{again}" for i in (0, 1) for again in ("", "@2")
    ]
    assert [each.name for each in found.find("1.ssd.dt")] == ["layers.1.ssd.dt", "layers.1.ssd.dt@2"]
    assert torch.equal(found.of("layers.0.ssd", 2)["dt"], found["layers.0.ssd.dt@2"].tensor)
    assert repr(found.find("dt")[0]) == "Tap(layers.0.ssd.dt, 'b l h' 2 × 7 × 4)"
    assert "layers.0.ssd" in found.modules and found.get("nothing") is None


@pytest.mark.parametrize(("name", "hint"), [("decays", "decay"), ("mambas.0.dtt", "mambas.0.dt"), ("qqq", "there are")])
def test_a_wrong_name_lists_close_ones(name, hint):
    found = record(model("mamba4rec"), batch(4))
    for ask in (found.find, found.__getitem__):
        with pytest.raises(UnknownTap, match="Mamba4Rec records no tap") as caught:
            ask(name)
        assert hint in str(caught.value) and '"' not in str(caught.value)[:5]


def test_it_is_shown_as_a_table():
    found = record(model("mlsa4rec"), batch(4, 2))
    lines = repr(found).splitlines()
    assert lines[0] == f"Record of MLSA4Rec: {len(found)} taps" and len(lines) == len(found) + 2
    line = next(line for line in lines if line.startswith("attention.mask"))
    assert line.split() == ["attention.mask", "b", "l", "2", "×", "4", "6", "of", "8", "true"]
    assert str(found) == repr(found)
    shown = found._repr_html_()
    assert shown.count("<tr>") == len(found) + 1 and "color" not in shown and "script" not in shown
    spectrum = record(model("fmlprec"), batch(4)).find("filter")[0]
    assert spectrum.tensor.is_complex() and spectrum.tensor.shape == (7, 16)


def test_the_mode_comes_back_and_only_keeps_what_is_asked_for():
    mamba = model("mamba4rec").train()
    found = record(mamba, batch(4), only=["dt"])
    assert list(found) == ["mambas.0.dt"] and all(module.training for module in mamba.modules())


def test_a_learners_own_module_records_its_taps_and_those_of_our_layers_inside():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.ssd = SSDLayer(SSDConfig(8, 4, 4))

        def forward(self, x):
            return tap("mine", self.ssd(x)[0] + x, "b l d")

    found = record(Own(), torch.randn(2, 5, 8))
    assert "mine" in found and "ssd.decay" in found and found.batch is None
    empty = record(nn.Linear(3, 3), torch.ones(1, 2, 3))
    with pytest.raises(UnknownTap, match="Linear has no taps"):
        empty.find("decay")
    with pytest.raises(ValueError, match=r"needs an nn.Module.*Popularity"):
        record(Popularity(), batch(3))
