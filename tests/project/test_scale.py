"""What docs/scale.md calls measured is what the receipts hold, and what it calculates follows from them."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def receipt(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_the_figures_that_come_from_receipts():
    run, ranks = receipt("ml-1m/sasrec"), receipt("ops/target_rank")
    case = next(case for case in ranks["cases"] if case["name"].startswith("4,096 users × 50,000 items"))
    ours = next(variant for variant in case["variants"] if variant["key"] == case["chosen"])
    seconds = ours["seconds"]["default"]["forward"]["median"]
    targets = run["dataset"]["events"] - 3 * run["dataset"]["users"]
    rate, flops = run["epochs"] * targets / run["seconds"]["fit"], 2 * 4096 * 50_000 * 64 / seconds
    everywhere = [receipt(f"ops/{path.stem}")["rates"]["default"]["copy"] for path in (RESULTS / "ops").glob("*.json")]
    copy = ranks["rates"]["default"]["copy"]
    page = re.sub(r"\s+", " ", (ROOT / "docs" / "scale.md").read_text(encoding="utf-8"))
    for figure in (
        f"| {round(rate, -2):,.0f} targets/s | measured: {run['epochs']} epochs × {targets:,} targets in "
        f"{run['seconds']['fit']:,.0f} s,",
        f"takes {1e6 / rate:.0f} µs a target; for 10⁹ targets that is {1e9 / rate / 3600:.0f} hours a pass",
        f"| {flops / 1e9:.0f} GFLOP/s | measured: 2·u·v·d with u = 4,096, v = 50,000 in {1000 * seconds:.0f} ms,",
        f"12.8 TFLOP: {12.8e12 / flops / 60:.1f} minutes on one CPU thread",
        f"| {copy / 1e9:.1f} GB/s | measured:",
        f"{min(everywhere) / 1e9:.1f} to {max(everywhere) / 1e9:.1f} over all operations",
        f"2.6 GB, {4e7 * 64 / copy:.2f} s at the {copy / 1e9:.1f} GB/s",
    ):
        assert figure in page, figure
