"""What the rivals of the three papers have in common: causality, pads, streaming, training, presets, audits."""

import pytest
import torch

from seqrec_edu import ops
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.lens.audit import PROPERTIES, audit
from seqrec_edu.models import MODELS, build
from seqrec_edu.training import FitSettings, NotCausal, Receipt
from seqrec_edu.training.checkpoint import load_model, save_model
from seqrec_edu.training.objectives import check_objective
from seqrec_edu.training.run import plan_run, train_run
from tests.models.support import LENGTH, N_ITEMS, SIZES, batch, changed, readout, small

RIVALS = list(SIZES)
WITH_MODES = ["echomamba4rec", "mlsa4rec", "fmlprec", "lightsans", "linrec"]
CAUSAL = [
    ("gru4rec", {}),
    ("gru4rec", {"n_layers": 2}),
    ("ssd4rec", {"beta": 0.0}),
    ("mlsa4rec", {"attention": "off"}),
    ("mlsa4rec", {"attention": "running"}),
    ("echomamba4rec", {"filter": "causal", "backward": "off"}),
    ("echomamba4rec", {"filter": "off", "backward": "off", "n_layers": 2}),
    ("fmlprec", {"filter": "causal"}),
    ("tisasrec", {}),
    ("tisasrec", {"scale": "raw"}),
]
NOT_CAUSAL = [
    ("echomamba4rec", {}),
    ("echomamba4rec", {"n_layers": 2}),
    ("echomamba4rec", {"backward": "reversed"}),
    ("echomamba4rec", {"filter": "off"}),
    ("echomamba4rec", {"backward": "off"}),
    ("mlsa4rec", {}),
    ("mlsa4rec", {"gate": "sigmoid"}),
    ("fmlprec", {}),
    ("lightsans", {}),
    ("linrec", {}),
    ("ssd4rec", {}),
    ("ssd4rec", {"aligned": True}),
    ("bert4rec", {}),
]
OFFICIAL = [(name, {"mode": "official"}) for name in WITH_MODES]
CORRECTED = pytest.mark.parametrize(("name", "settings"), CAUSAL + NOT_CAUSAL, ids=str)
EVERY = pytest.mark.parametrize(("name", "settings"), CAUSAL + NOT_CAUSAL + OFFICIAL, ids=str)


@EVERY
def test_causal_is_declared_as_measured(name, settings):
    """Another item at event s: does an output before s move? The output at s always does."""
    model, history = small(name, **settings), batch(9)
    before, moved_before = model(history), False
    for s in range(9):
        change = (model(changed(history, s)) - before).abs().amax(-1)[0]
        moved_before |= bool((change[:s] > 1e-9).any())
        assert change[s] > 1e-6
    assert moved_before == (not model.causal) == ((name, settings) not in CAUSAL)


@EVERY
def test_every_position_training_is_refused_where_it_would_leak(name, settings):
    model = small(name, **settings)
    check_objective(model, "prefix")
    if model.causal:
        return check_objective(model, "every-position")
    with pytest.raises(NotCausal, match=f"{name} is not causal"):
        check_objective(model, "every-position")


@CORRECTED
def test_padding_neither_its_content_nor_its_amount_matters(name, settings):
    model, history = small(name, **settings), batch(9, 4, 2, 1)
    expected = model(history)
    for fill in (0, 7):
        found = model(batch(9, 4, 2, 1, l=LENGTH, fill=fill))[:, :9]
        torch.testing.assert_close(found[history.mask], expected[history.mask], rtol=1e-9, atol=1e-9)
    for user, n in enumerate(history.length.tolist()):
        row = slice(user, user + 1)
        alone = type(history)(history.item[row, :n], history.time[row, :n], history.length[row])
        torch.testing.assert_close(model(alone)[0], expected[user, :n], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "settings"), CAUSAL, ids=str)
def test_step_by_step_is_the_full_pass_or_is_refused(name, settings):
    model, history = small(name, **settings), batch(9, 9)
    if name in ("fmlprec", "tisasrec") or settings.get("filter") == "causal":
        with pytest.raises(NotImplementedError, match="no state to step"):
            model.step(None, history.item[:, 0], history.time[:, 0])
        return
    whole, state = model(history), None
    for t in range(9):
        hidden, state = model.step(state, history.item[:, t], history.time[:, t])
        torch.testing.assert_close(hidden, whole[:, t], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("name", "settings"), NOT_CAUSAL, ids=str)
def test_what_reads_ahead_has_no_step(name, settings):
    with pytest.raises(NotImplementedError, match="no state to step"):
        small(name, **settings).step(None, torch.tensor([1]), torch.tensor([0]))


@EVERY
def test_the_readout_is_the_last_event_and_scores_rank_no_padding(name, settings):
    model, history = small(name, **settings), batch(9, 4, 1)
    scores = model.scores(history)
    assert scores.shape == (3, N_ITEMS + 1) and (scores[:, 0] == -torch.inf).all()
    expected = readout(model, history) @ model.item_embedding.weight.T
    torch.testing.assert_close(scores[:, 1:], expected[:, 1:])


@EVERY
def test_seed_decides_the_weights_and_nothing_else_is_drawn(name, settings):
    before = torch.get_rng_state()
    model, other = small(name, **settings), small(name, seed=1, **settings)
    assert torch.equal(torch.get_rng_state(), before)
    history = batch(9)
    assert torch.equal(model(history), small(name, **settings)(history))
    assert (other(history) != model(history)).any()
    model.scores(history)
    assert torch.equal(torch.get_rng_state(), before)
    assert bool((model.item_embedding.weight[0] == 0).all()) == ("mode" not in settings)


@EVERY
def test_all_parameters_learn(name, settings):
    settings = settings | ({"masked": 0.5} if name == "ssd4rec" else {})
    model = small(name, **settings).train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = model(batch(9, 9, 4))
    draw = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=y.dtype)
    (y * draw).sum().backward()
    assert not [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not model.item_embedding.weight.grad[0].any(), "the padding row is frozen"


@EVERY
def test_mixed_precision(name, settings):
    model, history = small(name, loud=False, dropout=0.1, **settings).float().train(), batch(9, 4, 1)
    with torch.random.fork_rng(), ops.use("vectorised"), torch.autocast("cpu", torch.bfloat16):
        y = model(history)[history.mask]
    y.float().square().sum().backward()
    assert y.isfinite().all() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@EVERY
def test_it_comes_back_from_its_file(name, settings, tmp_path):
    model = small(name, loud=False, **settings).float()
    save_model(model, tmp_path / "model.safetensors")
    with ops.use("vectorised"):  # compiling loops for these odd sizes would take longer than all the rest
        assert torch.equal(load_model(tmp_path / "model.safetensors")(batch(9, 4)), model(batch(9, 4)))


@pytest.fixture(scope="module")
def histories():
    return shoppers(users=40)


@pytest.mark.parametrize(("name", "settings"), [(name, {}) for name in RIVALS] + OFFICIAL, ids=str)
def test_one_epoch_from_plan_to_receipt(name, settings, histories, tmp_path):
    sizes = {key: value for key, value in SIZES[name].items() if key != "history_length"}
    with ops.use("vectorised"):
        run = train_run(
            name, histories, tmp_path, model_settings={"d_model": 16, **sizes, **settings}, device="cpu",
            settings={"objective": "prefix", "history_length": LENGTH, "epochs": 1, "batch_size": 256},
        )  # fmt: skip
    assert run.result.log[0]["loss"] < 5.6  # guessing among 240 items costs 5.48
    receipt = Receipt.read(tmp_path / "receipt.json")
    assert receipt.model["settings"] == run.model.settings() and receipt.protocol["objective"] == "prefix"
    assert receipt.metrics["test"]["targets"] == 40
    assert run.model.settings().get("history_length", LENGTH) == LENGTH


def test_planning_refuses_the_default_objective_with_a_sentence_that_teaches(histories):
    for name in RIVALS:
        if build(name, n_items=3).causal:
            assert plan_run(name, histories).record.training["objective"] == "every-position"
            continue
        with pytest.raises(NotCausal, match=f'{name} is not causal.*find each target in its own input.*"prefix"'):
            plan_run(name, histories)


@pytest.mark.parametrize("name", [*RIVALS, "mamba4rec", "sasrec"])
def test_presets_build_and_say_how_to_train(name):
    model, config = MODELS[name]
    for preset in model.released:
        settings, training = model.preset(preset), FitSettings(**model.preset_training(preset))
        built = build(name, n_items=3, **settings)
        assert built.config == config(n_items=3, **settings)
        assert training.objective == ("cloze" if name == "bert4rec" else "prefix")
        assert getattr(built.config, "mode", "official") == "official"
        assert settings.get("history_length", training.history_length) == training.history_length
    settings.clear()
    assert model.preset(preset), "a copy: nobody changes it for the next"
    for of in (model.preset, model.preset_training):
        with pytest.raises(ValueError, match=f"no preset 'ml-20m'; there are {', '.join(model.released)}"):
            of("ml-20m")


@pytest.mark.parametrize("name", WITH_MODES)
def test_unknown_words_and_quirks_that_change_nothing_are_refused(name):
    with pytest.raises(ValueError, match="mode must be one of corrected, official, got 'offical'"):
        small(name, mode="offical")
    with pytest.raises(ValueError, match="random_pad would change no output without pads_"):
        small(name, random_pad=True)


@pytest.mark.parametrize(
    ("name", "fails"),
    [
        ("echomamba4rec", ()),
        ("mlsa4rec", ()),
        ("fmlprec", ()),
        ("lightsans", ()),
        ("linrec", ()),
        ("gru4rec", ()),
        ("tisasrec", ()),
        ("bert4rec", ()),
        ("ssd4rec", ("parameters",)),  # the vector of hidden events, which only training reads
    ],
)
def test_audit(name, fails):
    """All but the row that compares backends: the operations are compared where they are, and compiling takes long."""
    rows = [row for row in PROPERTIES if row != "backends"]
    audit(small(name, loud=False), only=rows).check(fails=fails)
