"""Reading good sources: every format gives the same histories, and what was noticed is reported."""

import gzip
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqrec_edu.data import read

QUICK = settings(max_examples=40, deadline=None)  # no deadline: other work may share the machine
START = 978300000
ROWS = [(1, 10, START), (1, 9, START + 1), (2, 9, START + 1), (10, 10, START + 30), (2, 10, START + 60)]
FRAME = pl.DataFrame(ROWS, schema=["user_id", "item_id", "timestamp"], orient="row")


def lines(separator: str, header: str = "", rating: bool = False, end: str = "\n") -> bytes:
    rows = [[u, i, 5, t] if rating else [u, i, t] for u, i, t in ROWS]
    return (header + end.join(separator.join(map(str, row)) for row in rows) + end).encode()


FILES = {
    "a.tsv": lines("\t", "user_id\titem_id\ttimestamp\n"),
    "a.csv": lines(",", "userId,movieId,timestamp\n"),
    "semicolon.txt": lines(";", "uid;asin;ts\n"),
    "a.tsv.gz": gzip.compress(lines("\t", "user\titem\ttime\n")),
    "two_members.csv.gz": gzip.compress(b"user,item,time\n") + gzip.compress(lines(",")),
    "a.inter": lines("\t", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n", rating=True),
    "ratings.dat": lines("::", rating=True),
    "u.data": lines("\t", rating=True),
    "crlf.csv": lines(",", "user_id,item_id,timestamp\r\n", end="\r\n"),
    "bom.csv": b"\xef\xbb\xbf" + lines(",", "user_id,item_id,timestamp\n"),
    "cr.csv": lines(",", "user_id,item_id,timestamp\r", end="\r"),
    "blank_lines.csv": b"\n\n" + lines(",", "user_id,item_id,timestamp\n\n", end="\n\n"),
    "quoted.csv": b'"user_id","note","item_id","timestamp"\n'
    + "\n".join(f'{u},"a, ""b""\nc","{i}",{t}' for u, i, t in ROWS).encode(),
    "no_last_newline.csv": lines(",", "user_id,item_id,timestamp\n")[:-1],
    "index_column.csv": b",user_id,item_id,timestamp\n"
    + "\n".join(f"{n},{u},{i},{t}" for n, (u, i, t) in enumerate(ROWS)).encode(),
    "float_times.csv": b"user_id,item_id,timestamp\n" + "\n".join(f"{u},{i},{t}.0" for u, i, t in ROWS).encode(),
}


def check(histories) -> None:
    assert histories.item_ids == ["<pad>", "9", "10"]
    assert histories.user_ids == ["1", "2", "10"]
    assert histories.items.tolist() == [2, 1, 1, 2, 2]
    assert histories.times.tolist() == [START, START + 1, START + 1, START + 60, START + 30]
    assert histories.offsets.tolist() == [0, 2, 4, 5]
    assert histories.items.dtype == np.int32 and histories.times.dtype == np.int64


@pytest.mark.parametrize("name", FILES)
def test_text_formats(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    check(read(tmp_path / name, core=0, cache=False))


@pytest.mark.parametrize(
    "make", [lambda f: f, lambda f: f.lazy(), lambda f: f.to_pandas()], ids=["eager", "lazy", "pandas"]
)
def test_frames(make):
    check(read(make(FRAME), core=0))


def test_parquet(tmp_path):
    FRAME.write_parquet(tmp_path / "a.parquet")
    check(read(str(tmp_path / "a.parquet"), core=0, cache=False))


def test_columns_given_and_found():
    frame = FRAME.rename({"user_id": "who", "item_id": "Product ID"}).with_columns(time_ms=pl.lit(0))
    histories = read(frame, core=0, user="who")
    check(histories)
    assert "'timestamp' taken" in histories.report.find("columns").text
    check(read(frame.rename({"timestamp": "unixReviewTime"}), core=0, user="who", time="unixReviewTime"))


def test_text_ids_stay_text():
    frame = FRAME.with_columns(user_id=pl.Series(["007", "7", "1e5", "a b", "é"]))
    histories = read(frame, core=0)
    assert histories.user_ids == ["007", "1e5", "7", "a b", "é"]


def test_leading_zeros_are_not_numbers():
    histories = read(FRAME.with_columns(user_id=pl.Series(["01", "1", "2", "10", "2"])), core=0)
    assert histories.user_ids == ["01", "1", "10", "2"]
    assert "'01'" in histories.report.find("text-ids").text


def test_64_bit_ids_survive(tmp_path):
    big = [2**63 - 1, 2**63 - 2, -(2**63), 2**53 + 1, 2**53]
    frame = FRAME.with_columns(item_id=pl.Series(big))
    frame.write_csv(tmp_path / "a.csv")
    expected = ["<pad>", *map(str, sorted(big))]
    assert read(frame, core=0).item_ids == expected
    assert read(tmp_path / "a.csv", core=0, cache=False).item_ids == expected
    huge = pl.Series([2**64 - 1, 2**64 - 2, 3, 20, 100], dtype=pl.UInt64)
    assert read(FRAME.with_columns(item_id=huge), core=0).item_ids[1:] == [
        "3",
        "20",
        "100",
        str(2**64 - 2),
        str(2**64 - 1),
    ]


def test_pandas_text_categories_missing_and_dates():
    frame = FRAME.to_pandas()
    frame["user_id"] = frame["user_id"].astype("Int64")
    frame["item_id"] = frame["item_id"].astype(str).astype("category")
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], unit="s", utc=True).dt.tz_convert("Europe/Paris")
    histories = read(frame, core=0)
    assert histories.times.tolist()[:2] == [START, START + 1] and histories.item_ids[1:] == ["9", "10"]
    frame.loc[1, "user_id"] = pd.NA
    with pytest.raises(ValueError, match=r"row 1 .*user_id is missing"):
        read(frame, core=0)
    frame["user_id"] = [1, "a", 2.5, None, 3]
    with pytest.raises(ValueError, match="mixes values of type float, int, str"):
        read(frame, core=0)


@pytest.mark.parametrize("unit, factor", [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_time_units(unit, factor):
    check(read(FRAME.with_columns(pl.col("timestamp") * factor), core=0, time_unit=unit))


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.000+00:00"]
)
def test_dates(form, tmp_path):
    dates = [datetime.fromtimestamp(t, UTC).strftime(form) for t in FRAME["timestamp"]]
    FRAME.with_columns(timestamp=pl.Series(dates)).write_csv(tmp_path / "a.csv")
    histories = read(tmp_path / "a.csv", core=0, time_unit="date", cache=False)
    check(histories)
    assert "UTC" in histories.report.find("dates").text
    moments = FRAME.with_columns(pl.from_epoch("timestamp"))
    check(read(moments, core=0))
    assert read(moments.cast({"timestamp": pl.Date}), core=0).times.tolist() == [START // 86400 * 86400] * 5


def test_time_zones_and_bad_dates():
    def times(*texts):
        frame = pl.DataFrame({"user": [1] * len(texts), "item": [1] * len(texts), "time": texts})
        return read(frame, core=0, time_unit="date").times.tolist()

    noon = int(datetime(2011, 12, 9, 12, tzinfo=UTC).timestamp())
    assert times("2011-12-09 13:00:00+01:00", "2011-12-09T06:30:00-0530", "2011-12-09 12:00", "20111209") == [
        noon - 12 * 3600, noon, noon, noon
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"row 1 .*'2011-02-30'|2011-02-30.*no date"):
        times("2011-02-03", "2011-02-30")


def test_finer_than_seconds_sorts_before_rounding():
    frame = pl.DataFrame({"user": [1, 1], "item": ["late", "early"], "time": [START * 1000 + 900, START * 1000 + 100]})
    histories = read(frame, core=0, time_unit="ms")
    assert [histories.label(item) for item in histories.items] == ["early", "late"]
    assert histories.times.tolist() == [START, START] and histories.report.find("rounded-times").count == 2


def test_float32_is_noticed():
    times = pl.Series(range(START, START + 3000, 37), dtype=pl.Float32)
    frame = pl.DataFrame({"user": [1] * times.len(), "item": range(times.len()), "time": times})
    assert read(frame, core=0).report.find("float32")
    assert read(frame.cast({"time": pl.Int64}), core=0).report.find("float32")
    days = frame.with_columns(time=pl.int_range(times.len()) * 86400 + 86400 * 11000)
    assert not read(days, core=0).report.find("float32")


def test_small_gaps_survive_at_late_times():
    """Gaps of 1, 30 and 60 s at 1.7e9 vanish in 32-bit floats; here they must not."""
    times = [1_700_000_000, 1_700_000_001, 1_700_000_031, 1_700_000_091]
    frame = pl.DataFrame({"user": [1] * 4, "item": [1, 2, 3, 4], "time": times})
    assert np.diff(read(frame, core=0).times).tolist() == [1, 30, 60]


def test_float32_times_are_those_of_recbole():
    # One user, four events a minute and less apart: 978,300,760 + 0, 20, 40, 100 s, in the file latest first.
    start = 978_300_760
    frame = pl.DataFrame({"user": ["u"] * 4, "item": list("dcba"), "time": [start + s for s in (100, 40, 20, 0)]})
    exact, rounded = (read(frame, core=0, time_precision=kind) for kind in ("exact", "float32"))
    assert [exact.item_ids[i] for i in exact.items] == list("abcd")
    expected = sorted(zip(np.float32([start + s for s in (100, 40, 20, 0)]), range(4), "dcba", strict=True))
    assert [rounded.item_ids[i] for i in rounded.items] == [item for *_, item in expected] != list("abcd")
    assert rounded.times.tolist() == [int(time) for time, *_ in expected]
    assert (np.asarray(rounded.times) % 64 == 0).all()
    assert any("steps of up to 64" in finding.text for finding in rounded.report.findings)


def test_report_of_order_duplicates_ties_and_core():
    rows = [(1, 1, 500), (1, 1, 100), (1, 1, 100), (1, 2, 100), (2, 1, 100), (2, 2, 900), (3, 7, 900)]
    frame = pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").with_columns(pl.col("time") + START)
    histories = read(frame, core=2)
    report = histories.report
    assert report.find("unsorted").count == 1
    assert report.find("duplicates").count == 1 and report.find("duplicates").level == "warning"
    assert report.find("ties").count == 2
    assert "1 users, 1 items and 1 events in 1 round" in report.find("core").text
    assert histories.items.tolist() == [1, 1, 2, 1, 1, 2] and "duplicates" in str(report)
    dropped = read(frame, core=2, duplicates="drop")
    assert dropped.items.tolist() == [1, 2, 1, 1, 2]
    assert report.find("constant-times") is None
    assert read(frame.with_columns(time=START), core=0).report.find("constant-times").level == "warning"


def test_relative_times_are_noticed():
    assert read(FRAME.with_columns(pl.col("timestamp") - START), core=0).report.find("early-times")


def test_blanks_around_ids_are_reported(tmp_path):
    (tmp_path / "a.csv").write_text("user_id, item_id, timestamp\n1, x, 978300000\n1, x , 978300001\n")
    histories = read(tmp_path / "a.csv", core=0, cache=False)
    assert histories.item_ids == ["<pad>", "x"] and histories.report.find("blanks").count == 2


def test_name():
    assert read(FRAME, core=0, name="mine").name == "mine"


EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3), st.integers(0, 5)), min_size=1, max_size=40)


@QUICK
@given(EVENTS)
def test_agrees_with_plain_python(events):
    """Order, numbering and offsets against sorted() and dicts."""
    histories = read(pl.DataFrame(events, schema=["user", "item", "time"], orient="row"), core=0)
    users, items = sorted({e[0] for e in events}), sorted({e[1] for e in events})
    assert histories.user_ids == [str(u) for u in users] and histories.item_ids[1:] == [str(i) for i in items]
    for place, user in enumerate(users):
        mine = sorted((e for e in events if e[0] == user), key=lambda e: e[2])  # stable: ties keep source order
        got_items, got_times = histories.history(place)
        assert [items[i - 1] for i in got_items] == [e[1] for e in mine] and got_times.tolist() == [e[2] for e in mine]


def test_importing_data_is_light():
    code = (
        "import sys, seqrec_edu.data; heavy = {'torch', 'pandas', 'plotly', 'polars'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "column, values, part",
    [
        ("user_id", pl.Series([1.0, 2.0]), "Float64"),
        ("item_id", pl.Series([[1], [2]]), "List"),
        ("item_id", pl.Series([True, False]), "Boolean"),
        ("timestamp", pl.Series([True, False]), "Boolean"),
        ("timestamp", pl.Series([978300000.5, 978300001.0]), "row 0 .*not whole"),
        ("timestamp", pl.Series([None, 978300001]), "row 0 .*missing"),
        ("timestamp", pl.Series([float("nan"), 978300001.0]), "row 0 .*missing"),
        ("timestamp", pl.Series([2**64 - 1, 978300001], dtype=pl.UInt64), "row 0 .*absurd"),
        ("timestamp", pl.Series([5, 6]).cast(pl.Time), "names no moment"),
    ],
)
def test_frames_are_checked(column, values, part):
    with pytest.raises(ValueError, match=part):
        read(FRAME.head(2).with_columns(values.alias(column)), core=0)


def test_other_sources():
    for source in ([1, 2], {"user_id": [1]}, np.zeros(3), None):
        with pytest.raises(ValueError, match="path, a polars frame or a pandas frame"):
            read(source)
    with pytest.raises(ValueError, match="no rows"):
        read(FRAME.clear())


def test_times_of_whole_seconds_in_pandas():
    times = pd.Series(pd.to_datetime([START, START + 9], unit="s")).astype("datetime64[s]")
    frame = pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "timestamp": times})
    assert read(frame, core=0).times.tolist() == [START, START + 9]


def test_copies_are_equal_in_the_unit_of_the_source():
    times = [1_600_000_000_100, 1_600_000_000_900, 1_600_000_000_900]
    frame = pl.DataFrame({"user": [1, 1, 1], "item": [7, 7, 7], "timestamp": times})
    assert read(frame, core=0, time_unit="ms", duplicates="drop").n_events == 2


def test_ids_beyond_int64():
    users = pl.Series([2**63 + 1, 2**63 + 2], dtype=pl.UInt64)
    frame = pl.DataFrame({"user": users, "item": [1, 2], "timestamp": [START] * 2})
    assert read(frame, core=0).user_ids == [str(2**63 + 1), str(2**63 + 2)]


def test_a_bad_row_of_a_frame_is_quoted_as_it_stands():
    frame = pd.DataFrame({"user_id": [2**53 + 1], "item_id": [1], "timestamp": [float("nan")]})
    with pytest.raises(ValueError, match=str(2**53 + 1)):
        read(frame, core=0)


def test_nanoseconds_of_many_people_are_sorted_though_one_key_has_no_room():
    times = np.arange(600, dtype=np.int64)[::-1] * 10**15 + 10**18
    frame = pl.DataFrame({"user": np.arange(600) % 300, "item": np.arange(600) % 7, "timestamp": times})
    histories = read(frame, core=0, time_unit="ns")
    assert histories.n_users == 300 and all((np.diff(histories.history(user)[1]) >= 0).all() for user in range(300))
