"""Logs of trainings from memory and from folders, old ones and those of which only the receipt is left."""

import json
import shutil

import pytest
from safetensors.numpy import save_file

from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.lens import RunLog, run_logs
from seqrec_edu.lens.runs import Trail
from seqrec_edu.training import CheckpointError, FitSettings, train_run

SETTINGS = {"epochs": 2, "batch_size": 96, "history_length": 20}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run in its folder."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    model = {"d_model": 16, "n_layers": 1}
    return train_run("sasrec", shoppers(users=40), folder, settings=SETTINGS, model_settings=model, device="cpu")


def records(scores):
    return [{"epoch": epoch, "NDCG@10": score} for epoch, score in enumerate(scores, 1)]


def test_a_result_a_run_and_its_folder_tell_the_same(run):
    for given in (run.result, run, run.folder, str(run.folder), {"x": run.folder}):
        ((_, log),) = run_logs(given).items()
        assert log.records == run.result.log and log.ended == "full"
        assert log.settings["clip"] == 1.0 and log.settings["epochs"] == 2
    assert list(run_logs(run)) == ["sasrec"] and list(run_logs(run.folder)) == ["one"]
    assert list(run_logs({"x": run.folder})) == ["x"]
    assert run_logs(run.result.log)["run"].ended is None, "a log alone does not say what was planned"


def test_a_folder_of_folders_gives_every_run_by_its_path(run, tmp_path):
    for name in ("a/seed-0", "a/seed-1", "b"):
        shutil.copytree(run.folder, tmp_path / name)
    assert list(run_logs(tmp_path)) == ["a/seed-0", "a/seed-1", "b"]
    assert list(run_logs({"all": tmp_path / "a"})) == ["all/seed-0", "all/seed-1"]


def test_where_only_the_receipt_is_left_it_is_one_epoch(run, tmp_path):
    shutil.copy(run.folder / "receipt.json", tmp_path)
    (log,) = run_logs(tmp_path).values()
    (record,) = log.records
    value = run.receipt.metrics["valid"]["values"]["NDCG@10"]
    assert log.alone and log.ended is None and record["epoch"] == run.result.best_epoch
    assert [record[key] for key in ("NDCG@10", "NDCG@10 low", "NDCG@10 high")] == list(value.values())
    assert log.settings["clip"] == 1.0


@pytest.mark.parametrize(
    ("scores", "ended"),
    [((0.1, 0.3, 0.2, 0.2), "early"), ((0.1, 0.3, 0.2), "open"), ((0.1, 0.2, 0.3, 0.4), "open"),
     ((0.3, 0.3, 0.3), "early"), ((0.1,) * 9, "full"), ((), None)],
)  # fmt: skip
def test_how_a_run_ended_follows_from_patience(scores, ended):
    assert RunLog(records(scores), {"epochs": 9, "patience": 2}).ended == ended


def test_a_run_that_stopped_early_is_known_to_have(tmp_path):
    path = tmp_path / "last.safetensors"
    position = {"log": records((0.2, 0.1)), "settings": {"epochs": 5, "patience": 1}}
    save_file({}, path, metadata={"format": "1", "about": json.dumps({"position": position})})
    (log,) = run_logs(tmp_path).values()
    assert log.ended == "early" and len(log.records) == 2


@pytest.mark.parametrize("given", [3, "nowhere", [1, 2], None])
def test_what_is_no_run_is_refused(given, tmp_path):
    with pytest.raises(ValueError, match=r"FitResult|no folder"):
        run_logs(given)
    with pytest.raises(ValueError, match="holds no run"):
        run_logs(tmp_path)


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "last.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="damaged"):
        run_logs(tmp_path)


def test_settings_are_plain_values(run):
    assert FitSettings(**run_logs(run.result)["run"].settings) == run.result.settings


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 1000])
def test_a_trail_is_short_and_keeps_the_mean(count):
    trail = Trail(most=8)
    for n in range(count):
        trail.add({"step": n, "loss": float(n)})
    kept = [record["loss"] for record in trail.records]
    assert len(kept) <= 8 and kept == sorted(kept)
    if count <= 7:
        assert kept == list(range(count))
    per = 1
    while count > 8 * per - 1:
        per *= 2
    assert kept[0] == pytest.approx((per - 1) / 2), "each stands for equally many"
    assert max(kept) >= count - 1 - per
