"""The page says what the receipts say, and no more."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from seqrec_edu.reproduce import VARIANTS, BadCurve, BadResults, Curve, collect, read_results, read_runs
from seqrec_edu.reproduce.page import PAGE, page_of, write_page
from seqrec_edu.reproduce.ranks import BadRanks, Ranks
from seqrec_edu.training import BadReceipt, Receipt

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kept(keep, tmp_path):
    for seed in (0, 1, 2):
        keep("tim4rec", seed, 0.5, notes="days are short")
        keep("tim4rec-no-time", seed)
    keep("mamba4rec-2-layers")
    keep("popularity", None, -1.0)
    return tmp_path / "results"


def test_the_committed_page_is_what_the_receipts_give():
    if not (ROOT / PAGE).exists():
        pytest.skip("no page is committed yet: `seqrec-edu reproduce --page` writes it")
    text = page_of(read_results(ROOT / "benchmarks" / "results"), ROOT / PAGE)
    assert (ROOT / PAGE).read_text(encoding="utf-8") == text, "write it again: seqrec-edu reproduce --page"


def test_every_number_of_a_line_follows_from_the_receipts_it_links_to(kept, tmp_path):
    page = tmp_path / "docs" / "page.md"
    text = write_page(kept, page).read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("| tim4rec: "))
    links = re.findall(r"\[(\d)\]\(([^)]+)\)", line)
    assert [seed for seed, _ in links] == ["0", "1", "2"]
    receipts = [Receipt.read(page.parent / link) for _, link in links]
    for metric in ("HR@10", "NDCG@10", "MRR@10"):
        mean = sum(r.metrics["test"]["values"][metric]["value"] for r in receipts) / 3
        assert f"| {mean:.4f} ± " in line
    assert "| every-position | 10 | 3 of 3 (2) |" in line and "| 10 s |" in line
    assert "| [-](../results/shoppers/popularity/counts.json) |" in text


def test_the_page_says_what_is_supported_and_what_was_not_run(kept, tmp_path):
    text = page_of(read_results(kept), tmp_path / "docs" / "page.md")
    sentence = next(line for line in text.splitlines() if line.startswith("* Knowing the time"))
    assert re.fullmatch(
        r"\* Knowing .*\. \*\*Supported\*\* on shoppers \(\+0\.\d{4} \[\+0\.\d{4}, \+0\.\d{4}\]\)\.", sentence
    )
    assert "* TiM4Rec ranks better than SASRec. **Not run** on shoppers." in text
    alone = next(line for line in text.splitlines() if line.startswith("* TiM4Rec ranks better than Mamba4Rec of"))
    assert "**Cannot tell** on shoppers" in alone and alone.endswith("], one seed: over users alone).")
    assert "| tim4rec | TiM4Rec ranks better than SASRec." not in text  # in the table only what was run
    assert "* Beware: days are short." in text
    missing = [name for name in VARIANTS if not (kept / "shoppers" / name).exists()]
    assert f"* **shoppers**: not run: {', '.join(missing)}. One seed only: mamba4rec-2-layers." in text
    assert "* **ml-100k**: nothing was run." in text
    assert "* No published figure of mlsa4rec was found on any data." in text


def test_the_same_receipts_give_the_same_page(kept, tmp_path):
    once, again = (page_of(read_results(kept), tmp_path / "docs" / "page.md") for _ in range(2))
    assert once == again and str(tmp_path) not in once
    prose = [line for line in once.splitlines() if not line.startswith(("|", "*"))]
    assert max(map(len, prose)) <= 120


def test_published_figures_stand_beside_ours_on_the_same_data(keep, tmp_path):
    for seed in (0, 1):
        keep("sasrec", seed, data="ml-100k")
    text = page_of(read_results(tmp_path / "results"), tmp_path / "docs" / "page.md")
    beside, elsewhere = text.split("## Published on data that were not run here")
    row = r"\| SASRec, RecBole, 5-core \| NDCG@10 \| 0\.0594 \| .* \| sasrec \| 0\.\d{4} \[.*\] \| (agrees|differs)"
    assert re.search(row, beside) and "| kuairand-pure |" in elsewhere and "| ml-100k |" not in elsewhere


def test_older_receipts_and_the_spread_of_published_figures_are_told(keep, tmp_path):
    path = keep("mamba4rec", 0, data="ml-1m")
    older = path.parents[1] / "mamba4rec.json"
    older.write_bytes(path.read_bytes())
    text = page_of(read_results(tmp_path / "results"), tmp_path / "docs" / "page.md")
    assert "not judged: [mamba4rec](../results/ml-1m/mamba4rec.json) (NDCG@10 0." in text
    assert re.search(r"one and the same model: .*mamba4rec HR@10 0\.3005 to 0\.3169 \(\d figures\)", text)


def masked(path, **changes):
    """Puts a receipt with seen items left out beside another."""
    receipt = Receipt.read(path)
    receipt.metrics["test"]["values"]["NDCG@10"] = {"value": 0.4 + receipt.seed / 10, "low": 0.3, "high": 0.9}
    beside = replace(receipt, protocol={**receipt.protocol, "seen": "masked"}, **changes)
    return beside.write(path.with_stem(f"{path.stem}-masked"))


def test_what_seen_items_on_top_of_the_lists_cost_stands_beside_it(keep, tmp_path):
    for seed in (0, 1):
        masked(keep("sasrec", seed))
        keep("tim4rec", seed)
    masked(keep("mamba4rec", 0))
    keep("mamba4rec", 1)
    lines = page_of(read_results(tmp_path / "results"), tmp_path / "docs" / "page.md").splitlines()
    header = next(line for line in lines if line.startswith("| variant | objective | L |")).split(" | ")
    place = header.index("seen left out")
    shown = {line.split(":")[0]: line.split(" | ")[place] for line in lines if ": " in line and line.count(" | ") > 9}
    assert shown == {"| sasrec": "0.4500 ± 0.0707", "| mamba4rec": "0.4000 (1 of 2)", "| tim4rec": "-"}


@pytest.mark.parametrize("changes", [{"seed": 7}, {"seconds": {"fit": 1.0, "evaluate": 1.0}}, {"commit": "0" * 40}])
def test_a_masked_receipt_of_another_run_is_refused(keep, tmp_path, changes):
    masked(keep("sasrec", 0), **changes)
    with pytest.raises(BadResults, match=r"seed-0-masked.json is not of the run beside it with seen items left out"):
        read_results(tmp_path / "results")


def test_ranks_of_another_run_are_refused(keep, tmp_path):
    path = keep("sasrec", 0).with_suffix(".npz")
    was = Ranks.read(path)
    Ranks(was.ranks + 1, was.users, was.asked).write(path)
    with pytest.raises(BadRanks, match=r"seed-0.npz gives NDCG@10 0\.\d{4}, the receipt beside it says .*: delete the"):
        read_results(tmp_path / "results")


def test_an_empty_folder_gives_a_page_without_results(tmp_path):
    text = page_of(read_results(tmp_path / "nothing"))
    assert "Nothing yet: there are no receipts." in text and "* **ml-1m**: nothing was run." in text


# --- what may stand in one table -------------------------------------------------------------------------------------


def test_seeds_of_different_settings_are_not_averaged(keep, tmp_path):
    keep("sasrec", 0)
    keep("sasrec", 1, config={"epochs": 9, "history_length": 10})
    with pytest.raises(BadResults, match=r"not the same run with another seed .epochs: 3 and 9"):
        read_results(tmp_path / "results")


def test_receipts_of_different_data_make_no_table(keep, tmp_path):
    keep("sasrec", 0)
    dataset = {"name": "shoppers", "hash": "0" * 64, "users": 200, "items": 240, "events": 1}
    keep("tim4rec", 0, dataset=dataset)
    with pytest.raises(BadResults, match="of different data or targets"):
        read_results(tmp_path / "results")


def test_one_seed_stands_once(keep, tmp_path):
    path = keep("sasrec", 0)
    path.with_name("seed-5.json").write_bytes(path.read_bytes())
    with pytest.raises(BadResults, match="are of one seed, 0: keep one"):
        read_results(tmp_path / "results")


def test_collected_results_are_the_runs_as_they_are(quick, tmp_path):
    quick(seeds=(0, 1))
    (tmp_path / "out" / "shoppers" / "sasrec" / "seed-1" / "ranks.npz").unlink()  # not finished without
    kept = collect(tmp_path / "out", tmp_path / "results")
    names = [path.relative_to(tmp_path / "results").as_posix() for path in kept]
    assert names == ["shoppers/popularity/counts.json", "shoppers/sasrec/seed-0.json"]
    run = tmp_path / "out" / "shoppers" / "sasrec" / "seed-0"
    assert kept[1].read_bytes() == (run / "receipt.json").read_bytes()
    assert kept[1].with_suffix(".npz").read_bytes() == (run / "ranks.npz").read_bytes()
    assert kept[1].with_name("seed-0-masked.json").read_bytes() == (run / "receipt-masked.json").read_bytes()
    runs, results = read_runs(tmp_path / "out" / "shoppers"), read_results(tmp_path / "results")["shoppers"]
    curves = results["sasrec"].curves
    assert list(curves) == [0] and [row[0] for row in curves[0].rows] == [1.0] and not results["popularity"].curves
    valid = results["sasrec"].receipts[0].metrics["valid"]["values"]["NDCG@10"]["value"]
    assert curves[0].best == pytest.approx(valid, abs=1e-6)
    assert {name: each.receipts for name, each in runs.items()} == {n: each.receipts for n, each in results.items()}
    (run / "receipt.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadReceipt):
        collect(tmp_path / "out", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert collect(tmp_path / "nothing", tmp_path / "results") == []


# --- time to a quality -----------------------------------------------------------------------------------------------


def curve(path, ndcg):
    Curve([(epoch, 5.0, value, value, value) for epoch, value in enumerate(ndcg, 1)]).write(path.with_suffix(".csv"))


@pytest.fixture
def timed(keep, tmp_path):
    """Two seeds of SASRec with best 0.20 and 0.22, so 0.189 and 0.21 are asked for; and what epochs cost."""
    curve(keep("sasrec", 0), [0.10, 0.19, 0.20, 0.18])
    curve(keep("sasrec", 1), [0.10, 0.10, 0.19, 0.22])
    curve(keep("mamba4rec", 0), [0.215, 0.20])
    curve(keep("mamba4rec-prefix", 0), [0.1, 0.20])
    curve(keep("tim4rec", 0), [0.1, 0.1])
    costs = {"sasrec": 2.0, "mamba4rec": 3.0, "mamba4rec-prefix": 60.0, "mamba4rec-prefix by a friend": 90.0}
    path = tmp_path / "results" / "shoppers" / "epochs.json"
    path.write_text(json.dumps({"variants": {name: {"seconds": value} for name, value in costs.items()}}))
    return path


def test_time_to_a_quality_is_epochs_of_the_curve_times_what_one_costs(timed, tmp_path):
    text = page_of(read_results(tmp_path / "results"), tmp_path / "docs" / "page.md")
    rows = [line for line in text.partition("### Time to quality")[2].splitlines() if line.startswith("| ")]
    assert rows[2:6] == [
        "| mamba4rec | every-position | 3.0 s | 0.2150 | 3 s (1 epoch) | 3 s (1 epoch) |",
        "| sasrec | every-position | 2.0 s | 0.2100 | 5 s (2.5 epochs) | in 1 of 2 runs |",
        "| mamba4rec-prefix | prefix | 60.0 s | 0.2000 | 2 min (2 epochs) | not reached |",
        "| tim4rec | every-position | - | 0.1000 | not reached | not reached |",
    ]
    ours = "an epoch costs 20 times one of every position, the way to 90 % 40 times. Test NDCG@10 of every position "
    assert re.search(rf"\n\* mamba4rec, one target per prefix: {ours}minus that: .0\.\d{{4}} \[.*\], 1 seed\.\n", text)
    friend = "by a friend: an epoch costs 30 times, the way to 90 % 60 times, were it to learn as ours does."
    assert f"* mamba4rec, one target per prefix, {friend}" in text
    assert "([measured](../results/shoppers/epochs.json))" in text


def test_without_what_an_epoch_costs_there_is_no_such_table(timed, tmp_path):
    timed.unlink()
    assert "Time to quality" not in page_of(read_results(tmp_path / "results"))


@pytest.mark.parametrize("damage", ["", "epoch,loss\n1,2\n", "epoch,loss,HR@10,NDCG@10,MRR@10\n1,2,3,x,4\n"])
def test_a_damaged_curve_is_named(timed, tmp_path, damage):
    (tmp_path / "results" / "shoppers" / "sasrec" / "seed-0.csv").write_text(damage)
    with pytest.raises(BadCurve, match=r"seed-0.csv holds no training curve.* again"):
        read_results(tmp_path / "results")


def test_costs_that_say_nothing_are_named(timed, tmp_path):
    timed.write_text("{}")
    with pytest.raises(BadCurve, match=r"epochs.json does not say what epochs cost"):
        read_results(tmp_path / "results")
