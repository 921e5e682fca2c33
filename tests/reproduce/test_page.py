"""The page says what the receipts say, and no more."""

import re
from pathlib import Path

import pytest

from seqrec_edu.reproduce import VARIANTS, BadResults, collect, read_results, read_runs
from seqrec_edu.reproduce.page import PAGE, page_of, write_page
from seqrec_edu.training import BadReceipt, Receipt

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kept(keep, tmp_path):
    for seed in (0, 1, 2):
        keep("tim4rec", seed, 0.5, notes="days are short")
        keep("tim4rec-no-time", seed)
    keep("mamba4rec")
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
    assert "| every-position | 10 | 3 of 3 |" in line and "| 10 s |" in line
    assert "| [-](../results/shoppers/popularity/counts.json) |" in text


def test_the_page_says_what_is_supported_and_what_was_not_run(kept, tmp_path):
    text = page_of(read_results(kept), tmp_path / "docs" / "page.md")
    sentence = next(line for line in text.splitlines() if line.startswith("* Knowing the time"))
    assert re.fullmatch(
        r"\* Knowing .*\. \*\*Supported\*\* on shoppers \(\+0\.\d{4} \[\+0\.\d{4}, \+0\.\d{4}\]\)\.", sentence
    )
    assert "* TiM4Rec ranks better than SASRec. **Not run** on shoppers." in text
    alone = next(line for line in text.splitlines() if line.startswith("* TiM4Rec ranks better than Mamba4Rec."))
    assert "**Cannot tell** on shoppers" in alone and alone.endswith("], one seed).")
    assert "| tim4rec | TiM4Rec ranks better than SASRec." not in text  # in the table only what was run
    assert "* Beware: days are short." in text
    missing = [name for name in VARIANTS if not (kept / "shoppers" / name).exists()]
    assert f"* **shoppers**: not run: {', '.join(missing)}. One seed only: mamba4rec." in text
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
    runs, results = read_runs(tmp_path / "out" / "shoppers"), read_results(tmp_path / "results")["shoppers"]
    assert {name: each.receipts for name, each in runs.items()} == {n: each.receipts for n, each in results.items()}
    (run / "receipt.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadReceipt):
        collect(tmp_path / "out", tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    assert collect(tmp_path / "nothing", tmp_path / "results") == []
