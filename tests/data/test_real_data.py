"""Published counts after the 5-core, and the time budget, on real files from a local mirror."""

import os
import shutil
import time
from pathlib import Path

import pytest

from seqrec_edu.data import leave_one_out, read

MIRROR = os.environ.get("SEQREC_EDU_MIRROR")
pytestmark = pytest.mark.skipif(not MIRROR, reason="SEQREC_EDU_MIRROR names no folder with ml-1m, ml-100k, … in it")

COUNTS = {  # after the 5-core: events, users, items
    "ml-100k/interactions.tsv.gz": (99_287, 943, 1_349),
    "ml-1m/interactions.tsv.gz": (999_611, 6_040, 3_416),
    "amazon-beauty/interactions.tsv.gz": (198_502, 22_363, 12_101),
    "kuairand-pure-14d/clicks.tsv.gz": (61_670, 7_065, 2_184),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    histories = read(Path(MIRROR) / name, cache=False)
    assert (histories.n_events, histories.n_users, histories.n_items) == COUNTS[name]


def test_statistics_agree_with_published_ones():
    shop = read(Path(MIRROR) / "online-retail" / "interactions.tsv.gz", core=0, cache=False).statistics()
    assert (shop.events, shop.users, shop.items) == (397_924, 4_339, 3_665)
    assert (shop.length_min, shop.length_median, shop.length_max) == (1, 41, 7_847)
    assert round(shop.density, 6) == 0.025023 and round(shop.zero_gaps, 4) == 0.9642
    assert (shop.gap_median, shop.gap_90, round(shop.gap_99)) == (0, 0, 4_053_578)
    assert shop.single_time_users == 1_496 and (shop.first_time, shop.last_time) == (1291191960, 1323435000)


def test_ml_1m_in_time(tmp_path, monkeypatch):
    """Under 3 s from the file and 0.3 s from the cache, in processor time of this process: others may be busy."""
    source = tmp_path / "interactions.tsv.gz"
    shutil.copy(Path(MIRROR) / "ml-1m" / "interactions.tsv.gz", source)
    for limit in (3.0, 0.3):
        begun = time.process_time()
        split = leave_one_out(read(source))
        assert time.process_time() - begun < limit
    assert split.test.size == 6_040
