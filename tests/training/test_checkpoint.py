"""Checkpoints: whole or not at all, self-explaining, and refused when they do not fit."""

import json
import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from seqrec_edu import ops
from seqrec_edu.data.batches import EventStore
from seqrec_edu.models import MODELS
from seqrec_edu.training import CheckpointError, load_model
from seqrec_edu.training import checkpoint as at
from seqrec_edu.training.checkpoint import load_state, read, save_model, save_state


def optimiser(model):
    return torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)


def stepped(model, count=2):
    """A model and its optimiser after some steps."""
    adam = optimiser(model)
    for _ in range(count):
        sum((p**2).sum() for p in model.parameters()).backward()
        adam.step()
    return model, adam


def accept(position):
    """No objection."""


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_from_its_file_alone(split, small, tmp_path, name):
    model = small(name, dropout=0.1).eval()
    model.prepare(split)
    save_model(model, tmp_path / "run" / "model.safetensors", epoch=3, note="ünïcode")
    for place in (tmp_path / "run", tmp_path / "run" / "model.safetensors", str(tmp_path / "run")):
        again = load_model(place)
        assert again.config == model.config and not again.training
    offsets = split.histories.offsets
    batch = EventStore(split.histories).gather(offsets[:3], offsets[:3] + 8)
    with ops.use("vectorised"), torch.no_grad():
        assert torch.equal(model.scores(batch), again.scores(batch)), "buffers too: the scale of the gaps"
    about = read(tmp_path / "run" / "model.safetensors")[1]
    assert about == {"model": name, "settings": model.settings(), "epoch": 3, "note": "ünïcode"}


def test_state_goes_back_into_model_and_optimiser(small, tmp_path):
    model, adam = stepped(small())
    position = {"epoch": 2, "loss": 0.1 + 0.2, "log": [{"NDCG@10": 1 / 3}]}
    save_state(tmp_path / "last.safetensors", model, adam, position)
    again = small(seed=5)
    fresh = optimiser(again)
    assert load_state(tmp_path / "last.safetensors", again, fresh, accept) == position, "to the last bit"
    for _ in range(2):
        for one, other in zip(model.parameters(), again.parameters(), strict=True):
            assert torch.equal(one, other)
            assert adam.state[one].keys() == fresh.state[other].keys() == {"step", "exp_avg", "exp_avg_sq"}
            assert all(torch.equal(adam.state[one][key], fresh.state[other][key]) for key in adam.state[one])
            one.grad, other.grad = torch.ones_like(one), torch.ones_like(other)
        adam.step(), fresh.step()


def test_what_the_check_refuses_changes_nothing(small, tmp_path):
    save_state(tmp_path / "last", *stepped(small()), {"epoch": 1})
    model = small(seed=5)
    before, adam = [p.clone() for p in model.parameters()], optimiser(model)

    def refuse(position):
        raise CheckpointError(f"not {position['epoch']}")

    with pytest.raises(CheckpointError, match="not 1"):
        load_state(tmp_path / "last", model, adam, refuse)
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert not adam.state


def test_nothing_is_pickled_and_nothing_is_left_over(small, tmp_path):
    save_model(small(), tmp_path / "model.safetensors")
    save_state(tmp_path / "last.safetensors", *stepped(small()), {})
    (tmp_path / "plain").touch()
    assert sorted(os.listdir(tmp_path)) == ["last.safetensors", "model.safetensors", "plain"]
    for name in ("last", "model"):
        path = tmp_path / f"{name}.safetensors"
        size = int.from_bytes(path.read_bytes()[:8], "little")
        assert json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["format"] == "1"
        assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode, "others may read it like any file"


def test_a_write_that_fails_leaves_the_old_file(small, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    (tmp_path / ".model.safetensors.part").write_bytes(b"left behind by a kill")
    save_model(small(), path)
    assert os.listdir(tmp_path) == ["model.safetensors"], "the next write took it over"
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(at.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        save_model(small(seed=1), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.safetensors"]


def test_a_missing_one_is_said_to_be_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*model.safetensors: train first"):
        load_model(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 20, 0.5, -1])
def test_a_cut_one_is_damaged(small, tmp_path, kept):
    path = tmp_path / "model.safetensors"
    save_model(small(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(CheckpointError, match="is damaged"):
        load_model(path)
    assert path.exists()


def test_other_peoples_files_are_refused(small, tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="format None, this version reads '1'"):
        load_model(path)
    save_file({"a": torch.ones(2)}, path, metadata={"format": "2", "about": "{}"})
    with pytest.raises(CheckpointError, match="format '2'"):
        load_model(path)
    save_file({"a": torch.ones(2)}, path, metadata={"format": "1", "about": "{"})
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(path)
    save_state(path, *stepped(small()), {})
    with pytest.raises(CheckpointError, match="no model description"):
        load_model(path)
    save_model(small(), path)
    with pytest.raises(CheckpointError, match="no state of a training run"):
        load_state(path, small(), optimiser(small()), accept)


def test_weights_that_do_not_fit_are_refused(small, tmp_path):
    path = tmp_path / "model.safetensors"
    save_state(path, *stepped(small(d_model=8)), {})
    with pytest.raises(
        CheckpointError,
        match=r"do not fit this model: item_embedding.weight has shape \(241, 8\), expected \(241, 16\), and \d+ more",
    ):
        load_state(path, small(), optimiser(small()), accept)
    tensors = {name: value for name, value in small().state_dict().items() if "position" not in name}
    about = {"model": "sasrec", "settings": small().settings()}
    save_file(tensors, path, metadata={"format": "1", "about": json.dumps(about)})
    with pytest.raises(
        CheckpointError, match=r"do not fit this model: position_embedding.weight has shape none, expected \(200, 16\)$"
    ):
        load_model(path)


def test_numbers_survive_exactly(small, tmp_path):
    model = small()
    with torch.no_grad():
        model.embedding_norm.weight.copy_(torch.tensor(np.float32([1 / 3, -0.0, 1e-45, 3e38] * 4)))
    save_model(model, tmp_path / "m")
    found = load_model(tmp_path / "m").embedding_norm.weight
    assert found.detach().numpy().tobytes() == model.embedding_norm.weight.detach().numpy().tobytes()
