"""The audit finds what is there: modules that keep their word pass, and each fault is found by the row meant for it."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from seqrec_edu import layers
from seqrec_edu.lens import AuditError, CannotCall, audit, dependence
from seqrec_edu.lens.audit import PROPERTIES
from seqrec_edu.models import MODELS
from tests.lens.conftest import (
    LAYERS,
    Clock,
    Decayed,
    ForgetsTheProjection,
    Items,
    MeanOfAll,
    Scan,
    WholeAxisFilter,
    Wrapped,
    small,
)

FULL = [("sasrec", {}), ("mamba4rec", {}), ("tim4rec", {}), ("tim4rec", {"time": "decay"})]


@pytest.mark.parametrize(("name", "settings"), FULL)
def test_models_do_as_they_declare(name, settings):
    found = audit(small(name, **settings)).check()
    assert found.declared is True
    assert np.array_equal(found.dependence, np.tril(np.ones((24, 24), bool)))
    assert found["time shift"].sentence.startswith("It reads no timestamps") == (name != "tim4rec")
    assert found["step"].verdict == ("does not apply" if name == "sasrec" else "holds")
    assert found["step sizes"].verdict == ("does not apply" if name == "sasrec" else "holds")
    assert found["cost"].measured == pytest.approx(2 if name == "sasrec" else 1, abs=0.05)
    assert "cpu" in found["backends"].sentence or name == "sasrec"
    # A key bias adds the same to every score of a row, so softmax takes it out again.
    assert found.unused == (("attentions.0.k_proj.bias", "attentions.1.k_proj.bias") if name == "sasrec" else ())


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_declares_about_later_events_is_so(name):
    """Every-position training relies on it."""
    found = audit(small(name), length=12, only=["finite", "causal", "histories apart", "padding content"]).check()
    assert found.declared is not None


def test_official_time_branch_reads_ahead_as_declared():
    model = small("tim4rec", mode="official", history_length=24)
    found = audit(model)
    assert found.declared is False and found["causal"].verdict == "fails"
    assert np.triu(found.streams["time"], 1).any() and not np.triu(found.streams["item"], 1).any()
    assert found["time shift"].verdict == "fails"  # the pads' jump is minus the date
    dead = tuple(f"updates.1.{part}" for part in ("gate.weight", "gate.bias", "norm.weight", "norm.bias"))
    assert found.unused == tuple(model.unused_parameters()) == dead  # frozen, for no gradient could ever come
    assert found["parameters"].verdict == "fails" and found["parameters"].measured == 24 + 1 + 2 * 24
    with pytest.raises(AuditError, match="time shift: fails"):
        found.check()


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, fails, options = LAYERS[name]
    torch.manual_seed(0)
    audit(make(), **options).check(fails=fails)


def test_no_layer_is_left_out():
    classes = [getattr(layers, name) for name in layers.__all__]
    modules = {c.__name__ for c in classes if isinstance(c, type) and issubclass(c, nn.Module)} - {"Recurrent"}
    audited = {name.partition(",")[0] for name in LAYERS}
    assert modules <= audited, f"add to tests/lens/conftest.py: {', '.join(sorted(modules - audited))}"


def verdicts(module, *names, **options):
    found = audit(module, only=names, **options)
    return [found[name].verdict for name in names]


@pytest.mark.parametrize("leak", [MeanOfAll, WholeAxisFilter])
def test_a_leak_fails_causality_and_both_padding_properties(leak):
    found = audit(leak())
    names = ("causal", "padding content", "padding amount")
    assert [found[name].verdict for name in names] == ["fails"] * 3
    assert found.dependence.all() and found["causal"].measured == 24 * 23 / 2
    with pytest.raises(AuditError, match="3 not as it should be") as caught:
        found.check()
    assert all(f"\n  {name}: fails" in str(caught.value) for name in names)
    found.check(fails=names)


def test_what_a_module_declares_is_compared_with_what_it_does(generic):
    generic.causal = False
    found = audit(generic, only=["causal"])
    assert found["causal"].verdict == "holds" and "declares that it does" in found["causal"].sentence
    with pytest.raises(AuditError, match="causal"):
        found.check()
    liar = MeanOfAll()
    liar.causal = True
    assert "declares that it is causal" in audit(liar, only=["causal"])["causal"].sentence
    liar.causal = False
    audit(liar, only=["causal"]).check()


def test_a_leak_through_one_event_is_found_behind_a_weight_of_zero():
    class Gated(Decayed):
        def __init__(self):
            super().__init__()
            self.gate = nn.Parameter(torch.zeros(8))  # lets nothing through until it is trained

        def forward(self, x, state=None):
            y, state = super().forward(x, state)
            return y + self.gate * torch.cat([x[:, 1:], x[:, -1:]], 1), state

    found = audit(Gated(), only=["causal"])
    assert found["causal"].measured == 23 and found["causal"].verdict == "fails"
    assert np.array_equal(np.triu(found.dependence, 1), np.eye(24, k=1, dtype=bool))


def test_dependence_names_its_streams():
    read = dependence(small("tim4rec"), length=6)
    assert list(read) == ["item", "time"] and read["item"].shape == (6, 6)
    assert read["item"][3].tolist() == [True] * 4 + [False] * 2
    assert list(dependence(layers.LogGap(), length=5)) == ["time"]
    assert dependence(layers.LogGap(), length=5)["time"][3].tolist() == [False, False, True, True, False]


def test_a_learners_own_modules_pass(generic):
    found = audit(generic).check()
    assert found["step"].sentence.startswith("Event by event (forward with its state and step)")
    assert found["backends"].verdict == "does not apply"
    found = audit(Items()).check()
    assert list(found.streams) == ["seq"] and found["padding content"].verdict == "does not apply"


def test_a_broken_step_is_caught():
    assert verdicts(ForgetsTheProjection(), "step") == ["fails"]

    class Raises(Decayed):
        def step(self, state, x):
            return state[0], state

    found = audit(Raises(), only=["step"])["step"]
    assert found.verdict == "fails" and "TypeError" in found.sentence


def test_a_parameter_without_effect_is_named():
    found = audit(Items(dead=True), only=["parameters"])
    assert found.unused == ("forgotten.weight", "forgotten.bias")
    assert found["parameters"].measured == 27 and "27 of" in found["parameters"].sentence


def test_a_parameter_frozen_on_purpose_is_told_from_a_dead_one():
    model = Items(dead=True)
    model.forgotten.bias.requires_grad_(False)
    model.item_embedding.requires_grad_(False)
    found = audit(model, only=["parameters"])["parameters"]
    assert found.names == ("forgotten.weight", "forgotten.bias")
    assert found.sentence.endswith("Frozen, though with an effect: 248 of them.")
    assert not model.item_embedding.weight.requires_grad
    found = audit(Items().requires_grad_(False), only=["parameters"])["parameters"]
    assert found.verdict == "does not apply" and not found.names


def test_clobbered_steps_show_as_softplus_of_zero():
    found = audit(Wrapped(), only=["step sizes"])["step sizes"]
    assert found.verdict == "fails" and found.measured == pytest.approx(0.693, abs=1e-3) and "0.693" in found.sentence
    assert verdicts(Scan(0.01), "step sizes") == ["holds"]  # seen where it is used, for want of a bias
    found = audit(Scan(0.693), only=["step sizes"])["step sizes"]
    assert found.verdict == "fails" and found.measured == pytest.approx(0.693)


def test_dates_instead_of_gaps_are_found():
    found = audit(Clock())
    assert found["time shift"].verdict == "fails" and found["causal"].verdict == "holds"


def test_an_operation_that_disagrees_with_its_reference_is_found(monkeypatch):
    from seqrec_edu.ops._causal_conv1d import OPERATION, vectorised

    class Detached(torch.autograd.Function):  # right values, gradient a tenth too large
        @staticmethod
        def forward(ctx, y):
            return y.clone()

        @staticmethod
        def backward(ctx, dy):
            return 1.1 * dy

    rung = copy.copy(OPERATION.rungs["vectorised"])
    run = lambda *a, **o: (Detached.apply(vectorised.causal_conv1d(*a, **o)[0]), None)  # noqa: E731
    object.__setattr__(rung, "run", run)
    monkeypatch.setitem(OPERATION.rungs, "vectorised", rung)
    found = audit(layers.CausalConv(8), only=["backends"])["backends"]
    assert found.verdict == "fails" and found.measured == pytest.approx(0.1) and "vectorised" in found.sentence


def test_histories_that_mix_chance_and_nan_are_found():
    class Mixes(nn.Module):
        def forward(self, x):
            return x - x.mean(0, keepdim=True)

    assert verdicts(Mixes(), "histories apart", "causal") == ["fails", "holds"]
    assert verdicts(nn.GRU(8, 8), "histories apart") == ["fails"]  # batch_first forgotten

    class Chance(nn.Module):
        def forward(self, x):
            return x + torch.rand_like(x)

    assert verdicts(Chance(), "repeatable", "causal", "step", "cost") == [
        "fails",
        "cannot tell",
        "cannot tell",
        "holds",
    ]

    class Divides(nn.Module):
        def forward(self, x, mask):
            return x / (mask.sum(1)[:, None, None] - 1)

    found = audit(Divides(), only=["finite", "padding amount"])
    assert found["finite"].verdict == "fails" and found["finite"].measured == 8
    with pytest.raises(AuditError, match="finite: fails"):
        found.check()


def test_the_module_and_the_random_streams_stay_as_they_were():
    model = small("mamba4rec")
    model.train()
    model.mambas[0].eval()
    before = copy.deepcopy(model.state_dict())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = audit(model)
    assert torch.equal(torch.rand(3), expected)
    assert model.training and not model.mambas[0].training and model.dropout.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert repr(audit(model)) == repr(first)
    assert audit(model, seed=1, only=["step"])["step"].measured != first["step"].measured


def test_a_module_that_cannot_be_called_says_what_was_tried():
    with pytest.raises(CannotCall, match=r"audit of Bilinear: .* input1 \(number\), input2 \(number\)"):
        audit(nn.Bilinear(3, 4, 5))
    with pytest.raises(CannotCall, match="names no argument that holds a history"):
        audit(nn.Module())
    with pytest.raises(CannotCall, match=r"needs an nn\.Module .* got function"):
        audit(small)
    with pytest.raises(CannotCall, match="length must be 4 to 24 events, got 30"):
        audit(layers.SpectralFilter(layers.SpectralFilterConfig(8, 24)), length=30)
    with pytest.raises(CannotCall, match="one y per event"):
        audit(nn.Sequential(nn.Linear(8, 8), nn.Flatten()))
    with pytest.raises(ValueError, match="no property is called casual; there are finite, repeatable, causal"):
        audit(nn.Linear(8, 8), only=["casual"])
    with pytest.raises(KeyError, match="no property is called 'cost'"):
        audit(nn.Linear(8, 8), only=["causal"])["cost"]


def test_it_reads_as_a_table(generic):
    found = audit(generic)
    lines = repr(found).splitlines()
    assert lines[0] == "Audit of Decayed: histories of 24 places, x, measured in float64"
    assert [line.split("  ")[0] for line in lines[1:]] == list(PROPERTIES)
    page = found._repr_html_()
    assert page.count("<tr>") == 1 + len(PROPERTIES) and "<script" not in page
    lent = audit(MeanOfAll(), only=["causal"])
    object.__setattr__(lent, "subject", "<b>")
    assert "&lt;b&gt;" in lent._repr_html_()


def test_a_float32_only_module_is_measured_in_float32():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.proj = nn.Linear(8, 8)

        def forward(self, x):
            if x.dtype != torch.float32:
                raise TypeError("float32 only")
            return self.proj(x) + x.cumsum(1)

    found = audit(Single()).check()
    assert "float32" in found.setting


def test_the_lens_is_light():
    code = "import seqrec_edu.lens, sys; print([n for n in ('triton', 'plotly', 'ipywidgets') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
