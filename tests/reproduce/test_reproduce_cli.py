"""`seqrec-edu reproduce`, as a person types it."""

import pytest
import torch
from typer.testing import CliRunner

from seqrec_edu.cli import build
from seqrec_edu.reproduce import BUDGETS, Budget

QUICK = ["--data", "shoppers", "--data-option", "users=60", "--device", "cpu"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    budget = Budget(10, {"every-position": 1, "prefix": 1}, 0.2, model={"d_model": 16})
    monkeypatch.setitem(BUDGETS, "shoppers", budget)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def call(*arguments, code=0):
    result = CliRunner().invoke(build(), ["reproduce", *(str(each) for each in arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_it_refuses_before_the_first_run_what_a_later_one_could_not_learn_from(tmp_path):
    rows = "".join(f"u{n % 9},i{n % 7},5\n" for n in range(200))
    (tmp_path / "still.csv").write_text("user,item,time\n" + rows)
    text = call("tim4rec", "--data", tmp_path / "still.csv", "--only", "popularity,tim4rec", code=1)
    assert "in still no two training events of a user lie apart" in text and not (tmp_path / "runs").exists()


def test_a_page_of_nothing_is_not_written(tmp_path):
    assert "there are no receipts in benchmarks/results" in call("--page", code=1)
    assert not (tmp_path / "docs").exists()


def test_it_ends_in_a_table_with_intervals_and_verdicts(tmp_path):
    only = ["--only", "popularity,tim4rec,tim4rec-no-time", "--seeds", "0,1", "--threads", "1"]
    text = call("tim4rec", *QUICK, *only)
    assert "5 runs on shoppers" in text and "tim4rec, seed 1: HR@10 0." in text
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("tim4rec-no-time  every-position"))
    assert row.count("±") == 4 and "0, 1" in row
    claim = next(line for line in lines if line.startswith("Knowing the time"))
    assert "cannot tell (the interval holds zero)" in claim
    assert any(line.startswith("TiM4Rec ranks better than SASRec.") and "not run" in line for line in lines)
    quiet = call("tim4rec", *QUICK, *only, "--quiet", "--collect", "--page", "--results", "kept")
    assert "5 receipts with ranks copied from runs/reproduce to kept" in quiet and "of 5:" not in quiet
    page = (tmp_path / "kept" / "reproduction.md").read_text(encoding="utf-8")
    assert "[1](shoppers/tim4rec/seed-1.json)" in page and not (tmp_path / "docs").exists()
    assert call("--page", "--results", "kept") == "wrote kept/reproduction.md\n"
    assert (tmp_path / "kept" / "reproduction.md").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sigma", *QUICK], "no paper is called 'sigma'; there are tim4rec, mlsa4rec, echomamba4rec"),
        (["tim4rec", *QUICK, "--only", "sasrec,sassrec"], "no variant is called 'sassrec'; there are popularity,"),
        (["tim4rec", "--data", "ml-10k"], "ml-10k"),
        (["tim4rec", *QUICK, "--only", ","], "expected at least one variant to run, got an empty list"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(arguments, message):
    assert message in call(*arguments, code=1)


def test_it_asks_for_something_to_do():
    assert "name a paper to run" in call(code=2)
    assert "different whole numbers" in call("tim4rec", *QUICK, "--seeds", "0,0", code=2)


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("seqrec_edu.reproduce.runner.carry_out", stop)
    text = call("tim4rec", *QUICK, "--only", "sasrec", "--seeds", "0", code=130)
    assert "stopped; the same command goes on from here" in text
