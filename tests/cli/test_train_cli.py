"""`seqrec-edu train | evaluate | recommend`, as a person types them."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from seqrec_edu.cli import build, typed
from seqrec_edu.cli import train as command
from seqrec_edu.data.synthetic import shoppers
from seqrec_edu.models import BASELINES, MODELS
from seqrec_edu.training import Receipt, fit, run, settings

QUICK = ["--data-option", "users=60", "--epochs", "1", "--set", "d_model=16", "--set", "n_layers=1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def here(tmp_path_factory, monkeypatch, request):
    """Runs go into a folder of the test, and SEQREC_EDU_… of the machine do not matter."""
    for name in ("RANK", "WORLD_SIZE", "SEQREC_EDU_TRACEBACK", "SEQREC_EDU_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEQREC_EDU_DATA", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path_factory.mktemp("work"))


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def call(*arguments, code=0):
    result = CliRunner().invoke(build(), [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, and what was printed on the way."""
    folder = tmp_path_factory.mktemp("runs") / "sasrec"
    return folder, call("train", "sasrec", *QUICK, "--out", folder, "--history-length", 30).output


# --- train -----------------------------------------------------------------------------------------------------------


def test_train_says_what_it_does_and_leaves_a_receipt(trained):
    folder, text = trained
    assert "sasrec on shoppers: 60 users, 240 items, 1,424 events; leave-one-out split" in text
    settings = "64 targets a step, epochs 1, learning rate 0.002, dropout 0.2, seed 0"
    assert f"every-position, histories of 30 events, {settings}" in text
    assert "epoch   1  loss 5." in text and "best epoch 1 of 1; trained in" in text
    assert f"receipt: {folder / 'receipt.json'}" in text
    receipt = Receipt.read(folder / "receipt.json")
    value = receipt.metrics["test"]["values"]["NDCG@10"]
    assert f"{value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]" in text
    assert receipt.model["settings"]["d_model"] == 16 and receipt.device.startswith("cpu")


def test_a_finished_run_says_so(trained, monkeypatch):
    monkeypatch.setattr(run, "fit", lambda *_, **__: pytest.fail("it trains"))
    text = call("train", "sasrec", *QUICK, "--out", trained[0], "--history-length", "30").output
    assert "is finished; it is not trained again" in text and "epoch   1" not in text
    value = Receipt.read(trained[0] / "receipt.json").metrics["test"]["values"]["HR@50"]["value"]
    assert f"{value:.4f}" in text
    other = call("train", "sasrec", *QUICK, "--out", trained[0], "--history-length", "31", code=1)
    assert other.stderr.startswith(f"error: {trained[0]} holds another run (") and "30 → 31" in other.stderr


@pytest.mark.parametrize("model", BASELINES)
def test_baselines_only_count(model):
    text = call("train", model, "--data-option", "users=60", "--quiet").output
    assert text.splitlines()[0] == f"runs/{model}-shoppers: test, 60 targets among all items"
    assert Receipt.read(f"runs/{model}-shoppers/receipt.json").protocol["objective"] == "counts"
    assert call("evaluate", f"runs/{model}-shoppers").output.startswith(
        "test: 60 targets of 60 users, ranked among 240"
    )
    assert len(call("recommend", f"runs/{model}-shoppers", "--history", "P001").output.splitlines()) == 13
    assert call("train", model, "--epochs", "3", code=1).stderr == f"error: {model} only counts: it has no epochs\n"


def test_several_seeds_share_a_folder_and_a_mean():
    text = call("train", "sasrec", *QUICK, "--seeds", "0,3", "--out", "both", "--quiet").output
    found = [Receipt.read(f"both/seed-{seed}/receipt.json") for seed in (0, 3)]
    assert [receipt.seed for receipt in found] == [0, 3]
    one, other = (receipt.metrics["test"]["values"]["HR@50"]["value"] for receipt in found)
    assert "both: test, mean ± sd over 2 seeds" in text
    assert f"{(one + other) / 2:.4f} ± {abs(one - other) / 2**0.5:.4f}" in text
    assert "epoch" not in text and "receipt:" not in text, "quiet"


def test_every_option_arrives(monkeypatch):
    seen = {}
    monkeypatch.setattr(command, "_train", lambda plan, out, *rest: seen.update(plan=plan, out=out, rest=rest))
    call(
        "train", "tim4rec", "--data-option", "users=70", "--data-option", "noise=0.2", "--objective", "prefix",
        "--history-length", 40, "--epochs", 3, "--batch-size", 5, "--learning-rate", "1e-4", "--dropout", 0.3,
        "--patience", 2, "--seed", 7, "--set", "time=decay", "--set", "weight-decay=0.5", "--set", "hardswish=false",
        "--set", "d_state=8", "--split", "global-time", "--device", "cpu", "--threads", 1, "--quiet",
    )  # fmt: skip
    record = seen["plan"].record
    assert record.training == {
        "objective": "prefix", "history_length": 40, "epochs": 3, "batch_size": 5, "learning_rate": 1e-4,
        "weight_decay": 0.5, "warmup": 1.0, "schedule": "cosine", "clip": 1.0, "patience": 2, "validate_every": 1,
        "seed": 7, "precision": "auto",
    }  # fmt: skip
    assert record.model["dropout"] == 0.3 and record.model["time"] == "decay" and record.model["d_state"] == 8
    assert record.data["options"] == {"users": 70, "noise": 0.2} and record.split["protocol"] == "global-time"
    assert str(seen["out"]) == "runs/tim4rec-shoppers" and seen["rest"] == ([], "cpu", True)
    assert torch.get_num_threads() == 1


def test_a_preset_is_where_one_starts_from(monkeypatch):
    seen = {}
    monkeypatch.setattr(command, "_train", lambda plan, *rest: seen.update(plan=plan))
    call("train", "tim4rec", "--preset", "ml-1m", "--history-length", 30, "--set", "d_state=8", "--dropout", 0.3)
    record, cls = seen["plan"].record, MODELS["tim4rec"][0]
    assert record.training == {**cls.preset_training("ml-1m"), "history_length": 30, **{
        name: record.training[name] for name in ("validate_every", "precision")
    }}  # fmt: skip
    given = {"history_length": 30, "d_state": 8, "dropout": 0.3}
    wanted = {**cls.preset("ml-1m"), **given}
    assert {name: record.model.get(name, value) for name, value in wanted.items()} == wanted
    assert record.model["mode"] == "official"


def test_a_file_of_ones_own_and_a_core(tmp_path):
    rows = "".join(f"u{u}\ti{(u + i) % 9}\t{1_600_000_000 + 100 * i}\n" for u in range(30) for i in range(6))
    (tmp_path / "clicks.tsv").write_text("user_id\titem_id\ttimestamp\n" + rows)
    text = call("train", "last-item", "--data", tmp_path / "clicks.tsv", "--core", 2).output
    assert "last-item on clicks: 30 users, 9 items, 180 events" in text
    assert os.listdir("runs") == ["last-item-clicks"]


def test_what_cannot_be_is_said_in_a_line(monkeypatch, tmp_path):
    def says(text, *arguments, code):
        result = call("train", *arguments, code=code)
        assert text in re.sub(r"[\s│]+", " ", result.stderr) and "Traceback" not in result.stderr
        assert code == 2 or result.stderr.count("\n") == 1
        assert not os.path.exists("runs")

    says("'sasrek' is not one of 'sasrec', 'mamba4rec',", "sasrek", code=2)
    says("Missing argument 'MODEL'", code=2)
    says("sasrec has no setting n_layer. Did you mean n_layers?", "sasrec", "--set", "n_layer=1", code=2)
    says("n_layers is a whole number, got 'x'", "sasrec", "--set", "n_layers=x", code=2)
    says("hardswish is true or false, got 'maybe'", "tim4rec", "--set", "hardswish=maybe", code=2)
    says("expected KEY=VALUE, got 'n_layers'", "sasrec", "--set", "n_layers", code=2)
    says("epochs has an option of its own: --epochs", "sasrec", "--set", "epochs=3", code=2)
    says("has no setting clip", "popularity", "--set", "clip=3", code=2)
    says("give --seed or --seeds, not both", "sasrec", "--seed", "1", "--seeds", "1,2", code=2)
    says("different whole numbers like 0,1,2, got '1,1'", "sasrec", "--seeds", "1,1", code=2)
    says("different whole numbers like 0,1,2, got 'a'", "sasrec", "--seeds", "a", code=2)
    says("error: No dataset is called 'shopers'. Did you mean shoppers", "sasrec", "--data", "shopers", code=1)
    says("error: epochs must be at least 1, got 0", "sasrec", "--epochs", "0", code=1)
    for setting, field in (("heads=0", "heads"), ("d_model=-8", "d_model"), ("n_layers=-1", "n_layers")):
        says(f"error: SASRec: {field} must be at least 1, got", "sasrec", "--set", setting, code=1)
    says("error: TiM4Rec: head_dim must be at least 1, got 0", "tim4rec", "--set", "head_dim=0", code=1)
    says("error: TiM4Rec: norm_eps must be above 0, got -0.1", "tim4rec", "--set", "norm_eps=-0.1", code=1)
    says("error: unknown dial: colour", "sasrec", "--data-option", "colour=1", code=1)
    says("error: popularity only counts: it has no seed", "popularity", "--seeds", "0,1", code=1)
    says("popularity only counts: it has no presets", "popularity", "--preset", "ml-1m", code=2)
    says("no setting 'ml-2m'; there are ml-1m, ml-1m-256, beauty", "tim4rec", "--preset", "ml-2m", code=1)
    says("error: seed must not be negative, got -1", "sasrec", "--seed", "-1", code=1)
    says("tim4rec is not causal as it is wired here (it is by default)", "tim4rec", "--set", "mode=official", code=1)
    (tmp_path / "plain.csv").write_text("user,item\n" + "".join(f"u{n % 9},i{n % 7}\n" for n in range(200)))
    says("at the command line --data-option time=…. A history is in the order of its times",
         "sasrec", "--data", tmp_path / "plain.csv", code=1)  # fmt: skip
    (tmp_path / "still.csv").write_text("user,item,time\n" + "".join(f"u{n % 9},i{n % 7},5\n" for n in range(200)))
    says("in still no two training events of a user lie apart", "tim4rec", "--data", tmp_path / "still.csv", code=1)
    monkeypatch.setenv("SEQREC_EDU_TRACEBACK", "1")
    assert isinstance(CliRunner().invoke(build(), ["train", "sasrec", "--epochs", "0"]).exception, ValueError)


def test_divergence_is_said_in_a_line():
    result = call("train", "sasrec", *QUICK, "--epochs", "3", "--learning-rate", "1e6", "--set", "clip=1e9", code=1)
    assert re.fullmatch(r"error: stopped in epoch \d, step \d: .*Lower learning_rate.*\n", result.stderr)


def test_stopped_by_hand_it_says_how_to_go_on(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "fit", interrupted)
    result = call("train", "sasrec", *QUICK, code=130)
    assert result.stderr.strip() == "stopped; the same command goes on from here"
    monkeypatch.setattr(run, "fit", fit)
    assert "best epoch 1 of 1" in call("train", "sasrec", *QUICK).output


def test_only_the_first_process_speaks(monkeypatch, trained):
    monkeypatch.setenv("RANK", "1")
    for arguments, code in (
        (["--out", trained[0], "--history-length", 30], 0),
        (["--epochs", 0], 1),
        (["--set", "x"], 2),
    ):
        result = call("train", "sasrec", *QUICK, *arguments, code=code)
        assert result.output == result.stderr == ""


# --- evaluate --------------------------------------------------------------------------------------------------------


def test_evaluate_measures_the_run_again(trained):
    folder, printed = trained
    text = call("evaluate", folder).output
    assert text.startswith("test: 60 targets of 60 users, ranked among 240 items, seen items unmasked\n")
    table = [line for line in printed.splitlines() if line.startswith(("HR", "NDCG", "MRR"))]
    assert len(table) == 3 and text.splitlines()[2:] == table, "the same numbers as after training"
    masked = call("evaluate", folder, "--seen", "masked", "--device", "cpu").output
    value = Receipt.read(folder / "receipt-masked.json").metrics["test"]["values"]["MRR@50"]["value"]
    assert "seen items masked" in masked and f"{value:.4f}" in masked
    assert call("evaluate", folder, "--which", "valid").output.startswith("valid: 60 targets")


def test_evaluate_refuses_other_data(trained, tmp_path):
    histories, rows = shoppers(users=61), ["user_id,item_id,timestamp"]
    for user in range(61):
        rows += [f"{user},{histories.item_ids[i]},{t}" for i, t in zip(*histories.history(user), strict=True)]
    (tmp_path / "other.csv").write_text("\n".join(rows))
    record = (trained[0] / "run.json").read_text()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(record.replace('"users": 60', '"core": 0'))
    result = call("evaluate", tmp_path / "run", "--data", tmp_path / "other.csv", code=1)
    assert "was trained on shoppers with split" in result.stderr and "but the data now give split" in result.stderr
    result = call("evaluate", tmp_path / "nothing", code=1)
    assert result.stderr.startswith(f"error: {tmp_path / 'nothing'} holds no run: run.json is missing")


# --- recommend -------------------------------------------------------------------------------------------------------


def test_recommend_takes_names_and_gives_names(trained):
    lines = call("recommend", trained[0], "--history", "hiking BOOTS; P032 ;", "--k", "4").output.splitlines()
    assert lines[:3] == ["after Hiking boots; Family tent", "(taken as one minute apart; --gaps says otherwise)", ""]
    assert lines[3].split() == ["item", "genre", "score"] and len(lines) == 8
    names = set(shoppers(users=60).item_names)
    scores = []
    for place, line in enumerate(lines[4:], 1):
        number, name, _genre, score = re.split(r"\s{2,}", line.strip())[:4]
        assert int(number) == place and name in names
        scores.append(float(score))
    assert scores == sorted(scores, reverse=True)
    whole = call("recommend", trained[0], "--history", "hiking boots; family tent", "--k", 240).output
    assert whole.count("in the history") == 2


def test_recommend_reads_gaps(trained):
    text = call("recommend", trained[0], "--history", "P001;P002;P003", "--gaps", "1.5h; 2 d").output
    assert "one minute apart" not in text and len(text.splitlines()) == 13
    assert typed.gaps("1.5h; 2 d;90s", 3) == [5400, 172_800, 90] and typed.gaps(None, 2) == [60, 60]
    long = ";".join(["P001"] * 35)
    assert (
        "(the last 30 of 35 events; the model sees no more)" in call("recommend", trained[0], "--history", long).output
    )


def test_recommend_explains_what_it_cannot_read(trained):
    def says(text, *arguments, code):
        result = call("recommend", trained[0], *arguments, code=code)
        assert text in re.sub(r"[\s│]+", " ", result.stderr)

    says("error: no item is called 'hikng bots'. Close: 'Hiking boots'", "--history", "hikng bots", code=1)
    says("error: 'tent' fits 3 items: 'Pop-up tent' (id P031)", "--history", "tent", code=1)
    says("it names no item", "--history", " ; ", code=2)
    says("3 events have 2 gaps between them, got 1", "--history", "P001;P002;P003", "--gaps", "1h", code=2)
    says(
        f"expected a number with {', '.join(typed.SECONDS)}, got '1y'", "--history", "P001;P002", "--gaps", "1y", code=2
    )
    says("a gap of more than a thousand years", "--history", "P001;P002", "--gaps", f"{'9' * 400}w", code=2)


def test_an_unfinished_run_is_measured_but_called_so(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "run")
    (folder / "receipt.json").unlink()
    assert call("evaluate", folder).output.startswith("(unfinished: the best of ")
    assert "unfinished" not in call("evaluate", trained[0]).output


# --- the whole command -----------------------------------------------------------------------------------------------


def test_names_are_those_that_training_knows():
    assert list(command.Model) == [*MODELS, *BASELINES] and list(command.Protocol) == list(run.SPLITS)
    assert list(command.Objective) == list(settings.OBJECTIVES)


def test_help_tells_what_each_option_does():
    text = call("train", "--help").output
    for option in ("--data", "--out", "--objective", "--seeds", "--set", "--split", "--from", "--threads", "--quiet"):
        assert option in text
    assert "torchrun --nproc-per-node 2 -m seqrec_edu train" in text
    dropouts = [config.dropout for _, config in MODELS.values()]
    assert f"Default: that of the model, {min(dropouts)} to {max(dropouts)}." in text
    for name in ("evaluate", "recommend"):
        assert "Folder of a run." in call(name, "--help").output


def test_it_runs_as_a_module():
    arguments = ["-m", "seqrec_edu", "train", "popularity", "--data-option", "users=20", "--epochs", "3"]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: popularity only counts: it has no epochs\n"
