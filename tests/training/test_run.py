"""A whole run: what it settles, what it leaves, how it goes on, and when it refuses."""

import copy
import json
import os

import numpy as np
import pytest
import torch
from filelock import FileLock

from seqrec_edu import ops
from seqrec_edu.data.batches import Batch
from seqrec_edu.data.histories import Histories
from seqrec_edu.data.split import leave_one_out
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import Popularity
from seqrec_edu.training import Callback, FitSettings, NotCausal, Receipt, RunError, load_run, recommend, train_run
from seqrec_edu.training.run import carry_out, default_settings, over_seeds, plan_run
from seqrec_edu.training.turns import LOCK_FILE

SMALL = {
    "settings": {"epochs": 1, "batch_size": 128, "history_length": 20},
    "model_settings": {"d_model": 16, "n_layers": 1},
}
FILES = ["last.safetensors", "model.safetensors", "receipt-masked.json", "receipt.json", "run.json"]


class Unwanted(Callback):
    def on_step_end(self, log):
        raise AssertionError("it trains")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One finished run on generated data, which it can find again."""
    return train_run(
        "sasrec", "shoppers", tmp_path_factory.mktemp("runs") / "one", data_options={"users": 60}, device="cpu", **SMALL
    )


def test_a_run_leaves_everything_that_defends_it(trained):
    assert sorted(os.listdir(trained.folder)) == FILES and not trained.was_finished
    receipt = Receipt.read(trained.folder / "receipt.json")
    masked = Receipt.read(trained.folder / "receipt-masked.json")
    assert receipt == trained.receipt
    assert (receipt.protocol["seen"], masked.protocol["seen"]) == ("unmasked", "masked")
    assert receipt.dataset["hash"] == shoppers(users=60).hash and receipt.split["hash"] == trained.split.hash
    assert receipt.model["settings"] == {
        "n_items": 240, "d_model": 16, "n_layers": 1, "heads": 2, "dropout": 0.2, "history_length": 20
    }  # fmt: skip
    assert receipt.model["parameters"] == sum(p.numel() for p in trained.model.parameters())
    assert (
        receipt.seed == 0 and receipt.best_epoch == receipt.epochs == 1 and receipt.threads == torch.get_num_threads()
    )
    assert receipt.config["batch_size"] == 128 and receipt.config["data_options"] == {"users": 60}
    assert receipt.config["precision"] == "32-true" and receipt.config["processes"] == 1
    assert receipt.backends == ops.backends.chosen(torch.empty(1)) and receipt.seconds["fit"] > 0
    assert receipt.metrics["test"]["resamples"] == 1000 and receipt.metrics["test"]["history_length"] == 20
    assert receipt.metrics["valid"]["values"]["NDCG@10"]["value"] == trained.result.best
    low, high = (receipt.metrics["test"]["values"]["HR@20"][end] for end in ("low", "high"))
    assert low <= trained.evaluate("test", resamples=0).metrics["HR@20"] <= high


def test_a_finished_run_is_not_trained_again(trained):
    before = {path.name: path.read_bytes() for path in trained.folder.iterdir()}
    (trained.folder / "last.safetensors").unlink()  # needed no longer
    again = train_run(
        "sasrec", shoppers(users=60), trained.folder, callbacks=[Unwanted()], **SMALL
    )  # the same data, whatever they were called
    assert again.was_finished and again.receipt == trained.receipt and again.result is None
    assert torch.equal(again.model.item_embedding.weight, trained.model.item_embedding.weight)
    assert "last.safetensors" not in os.listdir(trained.folder)
    (trained.folder / "last.safetensors").write_bytes(before["last.safetensors"])
    assert {path.name: path.read_bytes() for path in trained.folder.iterdir()} == before


def test_another_run_in_its_folder_is_refused(trained):
    def wrong(message, model="sasrec", users=60, **changes):
        settings = {**SMALL["settings"], **changes.pop("settings", {})}
        of_model = {**SMALL["model_settings"], **changes.pop("model_settings", {})}
        with pytest.raises(RunError, match=message):
            train_run(
                model, shoppers(users=users), trained.folder, settings=settings, model_settings=of_model, **changes
            )

    wrong("training epochs: 1 → 2", settings={"epochs": 2})
    wrong("model dropout: 0.2 → 0.5", model_settings={"dropout": 0.5})
    wrong("model name: sasrec → tim4rec", model="tim4rec")
    wrong("data hash: .* → ", users=61)
    wrong("split protocol: leave-one-out → global-time", split="global-time")


def test_files_that_are_nobodys_are_neither_taken_for_a_result_nor_overwritten(trained, tmp_path):
    for name in ("receipt.json", "model.safetensors", "last.safetensors"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes((trained.folder / name).read_bytes())
        with pytest.raises(RunError, match=f"{name} without run.json, so nobody can say of which run"):
            train_run("popularity", shoppers(users=60), folder)
        assert os.listdir(folder) == [name]
    (tmp_path / "run.json").write_text('{"my": "project"}')
    with pytest.raises(RunError, match="is not a record"):
        train_run("popularity", shoppers(users=60), tmp_path)
    assert (tmp_path / "run.json").read_text() == '{"my": "project"}'


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with FileLock(tmp_path / LOCK_FILE), pytest.raises(RunError, match="another process is training in"):
        train_run("popularity", shoppers(users=60), tmp_path)
    (tmp_path / LOCK_FILE).touch()  # what it leaves behind when it is killed stops nobody
    train_run("popularity", shoppers(users=60), tmp_path)
    assert not (tmp_path / LOCK_FILE).exists()


def test_a_run_that_never_took_a_step_gives_way(tmp_path):
    class Stop(Callback):
        def on_fit_begin(self, *_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_run("sasrec", shoppers(users=60), tmp_path, callbacks=[Stop()], **SMALL)
    assert os.listdir(tmp_path) == ["run.json"]
    run = train_run("popularity", shoppers(users=60), tmp_path)
    assert run.record.model == {"name": "popularity"} and sorted(os.listdir(tmp_path)) == FILES[2:]


def test_baselines_leave_receipts_too(tmp_path):
    found = {}
    for name in ("popularity", "last-item", "most-recent"):
        run = train_run(name, shoppers(users=60), tmp_path / name, settings={"history_length": 50})
        found[name] = run.receipt.metrics["test"]["values"]["HR@50"]["value"]
        assert run.receipt.protocol["objective"] == "counts" and run.receipt.seed is None
        assert run.receipt.backends == {} and run.receipt.config == {"history_length": 50}
        assert train_run(name, shoppers(users=60), tmp_path / name, settings={"history_length": 50}).was_finished
    assert len(set(found.values())) == 3
    with pytest.raises(ValueError, match="popularity only counts: it has no epochs, d_model"):
        plan_run("popularity", shoppers(users=60), settings={"epochs": 3}, model_settings={"d_model": 3})
    with pytest.raises(ValueError, match="it has no seed"):
        plan_run("popularity", shoppers(users=60)).with_seed(1)


def test_what_does_not_exist_is_refused_before_anything_is_written(small, tmp_path):
    data = shoppers(users=60)
    for message, options in (
        ("no split is called 'random'", {"split": "random"}),
        ("training has no setting speed", {"settings": {"speed": 1}}),
        ("sasrec has no setting d_state", {"model_settings": {"d_state": 1}}),
        ("n_items of the model is filled in", {"model_settings": {"n_items": 1}}),
        ("epochs must be at least 1", {"settings": {"epochs": 0}}),
    ):
        with pytest.raises(ValueError, match=message):
            train_run("sasrec", data, tmp_path / "x", **options)
    with pytest.raises(ValueError, match="no model is called 'caser'; there are sasrec, "):
        train_run("caser", data, tmp_path / "x")
    with pytest.raises(ValueError, match="unknown dial: colour"):
        train_run("sasrec", "shoppers", tmp_path / "x", data_options={"colour": 1})
    assert not (tmp_path / "x").exists()


def test_a_model_that_looks_ahead_is_refused_in_the_plan(monkeypatch):
    from seqrec_edu.models import SASRec

    monkeypatch.setattr(SASRec, "causal", False)
    with pytest.raises(NotCausal):
        plan_run("sasrec", shoppers(users=60))
    assert plan_run("sasrec", shoppers(users=60), settings={"objective": "prefix"}).record.training["epochs"]


def test_seeds_differ_and_are_summed_up(tmp_path):
    plan = plan_run("sasrec", shoppers(users=60), **SMALL)
    receipts = [carry_out(plan.with_seed(seed), tmp_path / str(seed), device="cpu").receipt for seed in (0, 1)]
    assert [receipt.seed for receipt in receipts] == [0, 1]
    one, other = (receipt.metrics["test"]["values"]["HR@50"]["value"] for receipt in receipts)
    mean, sd = over_seeds(receipts)["HR@50"]
    assert one != other and mean == pytest.approx((one + other) / 2) and sd == pytest.approx(abs(one - other) / 2**0.5)


def test_defaults_follow_the_size_of_the_data(split):
    def sized(split, **settings):
        found = default_settings(split, FitSettings(**settings))
        return found["batch_size"], found["epochs"]

    assert sized(split) == (64, 50), "small: as many steps as it gets"
    assert sized(leave_one_out(shoppers())) == (256, 50), "a hundred steps an epoch, or more"
    assert sized(leave_one_out(shoppers()), objective="prefix") == (256, 50)
    large = leave_one_out(shoppers(users=9_000))
    assert (sized(large)[0], sized(large, objective="prefix")[0]) == (1024, 256)
    assert plan_run("sasrec", shoppers(users=60), settings={"batch_size": 7}).record.training["batch_size"] == 7


def test_a_run_opens_again_from_its_folder(trained):
    run = load_run(trained.folder, device="cpu")
    assert run.split.hash == trained.split.hash and run.receipt is None
    assert run.evaluate("test").metrics == trained.evaluate("test").metrics
    assert load_run(trained.folder, data=shoppers(users=60)).record == trained.record


def test_other_data_than_it_was_trained_on_are_refused(trained, tmp_path):
    with pytest.raises(RunError, match=r"was trained on shoppers with split .* but the data now give split"):
        load_run(trained.folder, data=shoppers(users=61))
    nameless = train_run("popularity", shoppers(users=60), tmp_path / "nameless")
    with pytest.raises(RunError, match="say where they are"):
        load_run(nameless.folder)
    assert load_run(nameless.folder, data=shoppers(users=60)).model.count.sum() == nameless.split.n_train


def test_a_file_is_found_again_from_another_folder(tmp_path, monkeypatch):
    rows = "".join(f"u{u}\ti{(u + i) % 9}\t{1_600_000_000 + 100 * i}\n" for u in range(30) for i in range(6))
    (tmp_path / "clicks.tsv").write_text("user_id\titem_id\ttimestamp\n" + rows)
    monkeypatch.chdir(tmp_path)
    run = train_run("last-item", "clicks.tsv", "runs/x", data_options={"core": 2})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_run(tmp_path / "runs" / "x").split.hash == run.split.hash
    assert str(tmp_path) not in (tmp_path / "runs" / "x" / "receipt.json").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clicks.tsv").rename(tmp_path / "moved.tsv")
    assert load_run("runs/x", data="moved.tsv").split.hash == run.split.hash


def test_folders_that_hold_no_run_say_so(trained, tmp_path):
    with pytest.raises(RunError, match=r"holds no run: run.json is missing; it holds runs: one"):
        load_run(trained.folder.parent)
    with pytest.raises(RunError, match="Name the --out of a run"):
        load_run(tmp_path / "nowhere")
    for text, message in (("{", "is damaged"), ("[]", "not a record of format 1"), ('{"format": 2}', "format 1")):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(RunError, match=message):
            load_run(tmp_path)
    record = json.loads((trained.folder / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"no checkpoint at .*: train first"):
        load_run(tmp_path)


# --- recommend -------------------------------------------------------------------------------------------------------


def test_recommend_ranks_as_evaluate_does(trained):
    histories, model = trained.split.histories, trained.model
    items, times = histories.history(5)
    ranked = recommend(model.train(), items[:-1], times[:-1], k=None, history_length=20)
    assert model.training and not model.eval().training, "its mode is put back"
    assert sorted(item for item, _ in ranked) == list(range(1, 241))
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    place = 1 + [item for item, _ in ranked].index(items[-1])
    assert place == trained.evaluate("test", resamples=0).ranks[5]
    assert recommend(model, items[:-1], times[:-1], k=3, history_length=20) == ranked[:3]


def test_recommend_takes_baselines_and_breaks_ties_by_index():
    tiny = Histories(*_flat([[1, 2, 3, 1], [2, 2, 3, 1]]), ["<pad>", "a", "b", "c", "d"], ["u", "v"])
    popular = Popularity().fit(leave_one_out(tiny))
    assert recommend(popular, [4], [0], k=10) == [(2, 3.0), (1, 1.0), (3, 0.0), (4, 0.0)]


def _flat(histories):
    items = np.concatenate(histories).astype(np.int32)
    offsets = np.cumsum([0, *map(len, histories)])
    return items, np.arange(len(items), dtype=np.int64), offsets


def test_recommend_refuses_what_cannot_be_ranked(trained):
    for options, message in (({"k": 0}, "k must be at least 1"), ({"history_length": 0}, "history_length must be at")):
        with pytest.raises(ValueError, match=message):
            recommend(trained.model, [1], [0], **options)
    with pytest.raises(ValueError, match="items must be whole numbers, got float64"):
        recommend(trained.model, [1.9], [0])
    model = copy.deepcopy(trained.model)
    torch.nn.init.constant_(model.item_embedding.weight, float("nan"))
    with pytest.raises(ValueError, match="240 of 240 scores are NaN"):
        recommend(model, [1], [0])
    empty = Batch(*torch.zeros(3, 1, 2, dtype=torch.int64)[:2], *torch.zeros(2, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match="holds no event"):
        trained.model.scores(empty)


def test_recommend_refuses_what_is_no_history(trained):
    for items, times, message in (
        ([], [], "l ≥ 1"),
        ([1, 2], [0], "l ≥ 1"),
        ([1, 2], [5, 4], "backwards"),
        ([0], [0], "0 is padding"),
        ([241], [0], "items 1..240, got 241"),
    ):
        with pytest.raises(ValueError, match=message):
            recommend(trained.model, items, times)
