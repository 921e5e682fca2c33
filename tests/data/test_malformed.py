"""Malformed input: each gives one clear error that names the place and the remedy, and leaves no file behind."""

import gzip
import io
import os
import zlib

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqrec_edu.data import BadInput, BadRows, Histories, read

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # no deadline: other work may share the machine
HEADER = "user_id\titem_id\ttimestamp\n"
GOOD = [f"{user}\t{item}\t{978300000 + 60 * item}" for user in range(1, 4) for item in range(1, 4)]
DAY = 978300000


def tsv(*rows: str, header: str = HEADER, at: int = 2) -> bytes:
    """Nine good rows with `rows` put in after `at` of them: the first stands in line 2 + at."""
    return (header + "\n".join([*GOOD[:at], *rows, *GOOD[at:]]) + "\n").encode()


def dat(*rows: str) -> bytes:
    return ("\n".join([*(f"1::{i}::5::{DAY + i}" for i in range(1, 4)), *rows]) + "\n").encode()


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


FRAME = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [DAY, DAY]})
ZIPPED = gzip.compress(tsv())
PARQUET = parquet(FRAME)

# name of the file, its bytes, what the message must say
WHOLE_FILE = {
    "empty file": ("a.tsv", b"", ["0 bytes"]),
    "blank lines only": ("a.tsv", b"\n\n \n", ["only blank lines"]),
    "header only": ("a.tsv", HEADER.encode(), ["header line only"]),
    "header only, csv quoted": ("a.csv", b'"user_id","item_id","timestamp"\n', ["header line only"]),
    "no header": ("a.tsv", tsv(header=""), ["looks like data", "header line"]),
    "no user column": ("a.tsv", tsv(header="who\titem_id\ttimestamp\n"), ["no user column", "'who'", "user="]),
    "no item column": ("a.tsv", tsv(header="user_id\twhat\ttimestamp\n"), ["no item column", "item="]),
    "no time column": ("a.tsv", tsv(header="user_id\titem_id\trating\n"), ["no time column", "time="]),
    "column twice": ("a.tsv", tsv(header="user_id\tuser_id\ttimestamp\n"), ["'user_id' occurs 2 times"]),
    "one column": ("a.csv", b"user_id\n1\n2\n", ["line 1", "no ','"]),
    "separators of two kinds in the header": ("a.tsv", b"user_id,item_id;timestamp\n1,2;3\n", ["line 1", "[',', ';']"]),
    "mixed separators in header": ("a.csv", b"user_id,item_id\ttimestamp\n1,2\t3\n", ["separators mixed"]),
    "Latin-1": ("a.tsv", tsv("caf\u00e9\t2\t978300000").decode().encode("latin-1"), ["line 4", "0xe9", "UTF-8"]),
    "UTF-16": ("a.tsv", tsv().decode().encode("utf-16"), ["UTF-16"]),
    "NUL bytes": ("a.tsv", tsv("1\t\0\t978300000"), ["line 4", "NUL"]),
    "carriage return inside": ("a.tsv", tsv("1\r\t2\t978300000"), ["line 4", "carriage return"]),
    "truncated gzip": ("a.tsv.gz", ZIPPED[: len(ZIPPED) // 2], ["truncated gzip"]),
    "damaged gzip": ("a.tsv.gz", ZIPPED[:12] + b"\xff\xff\xff" + ZIPPED[15:], ["damaged gzip"]),
    "gzip with wrong checksum": ("a.tsv.gz", ZIPPED[:-8] + b"\0\0\0\0" + ZIPPED[-4:], ["damaged gzip"]),
    "zlib named gz": ("a.tsv.gz", zlib.compress(tsv()), ["not gzip"]),
    "text named gz": ("a.tsv.gz", tsv(), ["not gzip", "without .gz"]),
    "gzip named tsv": ("a.tsv", ZIPPED, ["gzip file", ".gz"]),
    "parquet named csv": ("a.csv", PARQUET, ["Parquet", ".parquet"]),
    "text named parquet": ("a.parquet", tsv(), ["not Parquet"]),
    "truncated parquet": ("a.parquet", PARQUET[:-20], ["truncated Parquet"]),
    "damaged parquet": ("a.parquet", PARQUET[:8] + b"\x55" * (len(PARQUET) - 12) + b"PAR1", ["damaged Parquet"]),
    "zip named csv": ("a.csv", b"PK\x03\x04" + b"x" * 40, ["zip archive"]),
    "web page": ("a.csv", b"<!DOCTYPE html><html><body>404</body></html>\n", ["web page"]),
    "git-lfs pointer": ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ["Git LFS"]),
    "json": ("a.txt", b'{"user_id": 1}\n', ["JSON"]),
    "unknown suffix": ("a.xlsx", b"x", ["cannot tell the format", ".parquet"]),
    "no suffix": ("interactions", tsv(), ["cannot tell the format"]),
    "inter without types": ("a.inter", tsv(), ["'user_id' has no type", "user_id:token"]),
    "inter with float ids": (
        "a.inter",
        tsv(header="user_id:float\titem_id:token\ttimestamp:float\n"),
        ["'user_id' has type 'float'", "'token'"],
    ),
    "inter with commas": ("a.inter", b"user_id:token,item_id:token,timestamp:float\n1,2,3\n", ["line 1", "no '\\t'"]),
    "dat with commas": ("ratings.dat", b"1,2,5,978300000\n", ["line 1", "'::'", "without a header"]),
    "u.data with commas": ("u.data", b"1,2,5,978300000\n", ["line 1", "without a header"]),
    "milliseconds": (
        "a.tsv",
        HEADER.encode() + b"1\t1\t978300000000\n" * 3,
        ["milliseconds", "2000-12-31", "time_unit='ms'"],
    ),
    "microseconds": ("a.tsv", HEADER.encode() + b"1\t1\t978300000000000\n", ["microseconds", "time_unit='us'"]),
    "nanoseconds": ("a.tsv", HEADER.encode() + b"1\t1\t978300000000000000\n", ["nanoseconds", "time_unit='ns'"]),
    "dates": (
        "a.csv",
        b"user_id,item_id,timestamp\n1,1,2011-12-09 12:50:00\n",
        ["dates", "2011-12-09", 'time_unit="date"'],
    ),
    "ISO dates with zone": (
        "a.csv",
        b"user_id,item_id,timestamp\n1,1,2011-12-09T12:50:00+01:00\n",
        ['time_unit="date"'],
    ),
    "calendar days": ("a.csv", b"user_id,item_id,timestamp\n1,1,20220408\n1,2,20220409\n", ["YYYYMMDD"]),
    "quotation never closed": (
        "a.csv",
        b'user_id,item_id,timestamp\n1,2,978300000\n1,"2,978300000\n',
        ["line 3", "quotation"],
    ),
    "text after a quotation": ("a.csv", b'user_id,item_id,timestamp\n"1"x,2,978300000\n', ["line 2", "quotation"]),
    "5-core leaves nothing": ("a.tsv", tsv(), ["nothing is left", "core=5", "is 3"]),
}

# rows put into a good file after line 3, so that the first stands in line 4; what the message must say
ROWS = {
    "missing user": ("a.tsv", tsv("\t2\t978300000"), ["line 4", "user_id is missing"]),
    "missing item": ("a.tsv", tsv("1\t\t978300000"), ["line 4", "item_id is missing"]),
    "blank item": ("a.tsv", tsv("1\t  \t978300000"), ["line 4", "item_id is missing"]),
    "missing time": ("a.tsv", tsv("1\t2\t"), ["line 4", "timestamp is missing"]),
    "nan user": ("a.tsv", tsv("nan\t2\t978300000"), ["line 4", "user_id is missing"]),
    "NULL time": ("a.tsv", tsv("1\t2\tNULL"), ["line 4", "timestamp is missing"]),
    "too few fields": ("a.tsv", tsv("1\t2"), ["line 4", "2 fields instead of 3"]),
    "too many fields": ("a.tsv", tsv("1\t2\t978300000\t5"), ["line 4", "4 fields instead of 3"]),
    "one field": ("a.tsv", tsv("end of file"), ["line 4", "1 field instead of 3", "'end of file'"]),
    "another separator": ("a.tsv", tsv("1,2,978300000"), ["line 4", "1 field instead of 3", "'1,2,978300000'"]),
    "after a blank line": ("a.tsv", tsv("", "1\t2"), ["line 5", "2 fields"]),
    "CRLF": ("a.tsv", tsv("1\t2").replace(b"\n", b"\r\n"), ["line 4", "2 fields"]),
    "after a BOM": ("a.tsv", b"\xef\xbb\xbf" + tsv("1\t2"), ["line 4", "2 fields"]),
    "gzip": ("a.tsv.gz", gzip.compress(tsv("1\t2")), ["line 4", "2 fields"]),
    "quoted": ("a.tsv", tsv('"1"\t2'), ["line 4", "2 fields instead of 3"]),
    "after a quoted line end": ("a.tsv", tsv('"1\n1"\t2\t978300000', "1\t2"), ["line 6", "2 fields instead of 3"]),
    "id 3.0": ("a.tsv", tsv("1\t3.0\t978300000"), ["line 4", "item_id is a decimal number"]),
    "id 3.5": ("a.tsv", tsv("3.5\t3\t978300000"), ["line 4", "user_id is a decimal number"]),
    "id 1e+18": ("a.tsv", tsv("1\t1.23457e+18\t978300000"), ["line 4", "item_id is a decimal number"]),
    "negative time": ("a.tsv", tsv("1\t2\t-5"), ["line 4", "timestamp is negative"]),
    "time zero": ("a.tsv", tsv("1\t2\t0"), ["line 4", "before March 1973", "2000-12-31"]),
    "time after 2100": ("a.tsv", tsv("1\t2\t9783000000"), ["line 4", "after the year 2100"]),
    "one time in milliseconds": ("a.tsv", tsv("1\t2\t978300000000"), ["line 4", "milliseconds among seconds"]),
    "time beyond 64 bits": ("a.tsv", tsv("1\t2\t99999999999999999999"), ["line 4", "absurd"]),
    "time with a fraction": ("a.tsv", tsv("1\t2\t978300000.5"), ["line 4", "timestamp is not whole", "time_unit"]),
    "infinite time": ("a.tsv", tsv("1\t2\tinf"), ["line 4", "neither a number nor a date"]),
    "a word as time": ("a.tsv", tsv("1\t2\tyesterday"), ["line 4", "neither a number nor a date", "yesterday"]),
    "a date among numbers": ("a.tsv", tsv("1\t2\t2011-12-09"), ["line 4", "is a date"]),
    "dat: word as id": ("ratings.dat", dat("one::2::5::978300000"), ["line 4", "user_id is not a whole number"]),
    "dat: 007": ("ratings.dat", dat("007::2::5::978300000"), ["line 4", "user_id is not a whole number"]),
    "dat: id 1.0": ("ratings.dat", dat("1.0::2::5::978300000"), ["line 4", "user_id is not a whole number"]),
    "dat: a digit of another script": (
        "ratings.dat",
        dat("٣::2::5::978300000"),
        ["line 4", "user_id is not a whole number"],
    ),
    "dat: such a digit in a time": ("ratings.dat", dat("1::2::5::٠978300001"), ["line 4", "neither a number"]),
    "dat: two reasons": ("ratings.dat", dat("one::::5::978300000"), ["line 4", "user_id is not a whole number"]),
    "dat: three fields": ("ratings.dat", dat("1::2::978300000"), ["line 4", "3 fields instead of 4", "'::'"]),
    "dat: single colon": ("ratings.dat", dat("1::2:5::978300000"), ["line 4", "3 fields instead of 4"]),
    "dat: three colons": ("ratings.dat", dat("1:::2::5::978300000"), ["line 4", "item_id is not a whole number"]),
    "u.data: a header": (
        "u.data",
        b"user\titem\trating\ttime\n1\t2\t5\t978300000\n",
        ["line 1", "user_id is not a whole number"],
    ),
    "u.data: missing": ("u.data", b"1\t2\t5\t978300000\n1\t\t5\t978300000\n", ["line 2", "item_id is missing"]),
    "parquet: null": (
        "a.parquet",
        parquet(FRAME.with_columns(item_id=pl.Series([1, None], dtype=pl.Int64))),
        ["row 1 (counted from 0)", "item_id is missing"],
    ),
}


def refused(folder, name: str, data: bytes, **options) -> str:
    """The message of the error that reading gives; nothing else may be in the folder afterwards."""
    path = folder / name
    path.write_bytes(data)
    with pytest.raises(BadInput) as error:
        read(path, **options)
    assert os.listdir(folder) == [name]
    assert name in str(error.value)
    return str(error.value)


@pytest.fixture(autouse=True)
def no_other_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("SEQREC_EDU_DATA", str(folder))
    yield
    assert os.listdir(folder) == []


@pytest.mark.parametrize("case", WHOLE_FILE)
def test_whole_file(case, tmp_path):
    name, data, parts = WHOLE_FILE[case]
    message = refused(tmp_path, name, data, core=5)
    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize("case", ROWS)
def test_rows(case, tmp_path):
    name, data, parts = ROWS[case]
    message = refused(tmp_path, name, data, core=0)
    assert [part for part in parts if part not in message] == [], message
    assert 'on_bad="drop"' in message


@pytest.mark.parametrize("case", [case for case in ROWS if case not in ("u.data: missing", "parquet: null")])
def test_rows_can_be_dropped(case, tmp_path):
    name, data, parts = ROWS[case]
    (tmp_path / name).write_bytes(data)
    histories = read(tmp_path / name, core=0, on_bad="drop", cache=False)
    dropped = histories.report.find("dropped-rows")
    assert dropped.count == 1 and parts[0] in dropped.text
    assert histories.n_events in (1, 3, 9, 10)  # "after a quoted line end" puts one good row in, too


def test_there_are_at_least_fifty():
    assert len(WHOLE_FILE) + len(ROWS) >= 50


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(BadInput, match="does not exist"):
        read(tmp_path / "nothing.csv")
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(BadInput, match=r"is a folder.*a\.csv"):
        read(tmp_path)
    assert os.listdir(tmp_path) == ["a.csv"]


def test_all_rows_bad_and_dropped(tmp_path):
    message = refused(tmp_path, "a.tsv", (HEADER + "1\t\t978300000\n" * 3).encode(), on_bad="drop")
    assert "nothing is left" in message and "3 × item_id is missing" in message


def test_only_the_first_rows_are_shown_and_all_are_counted(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(tsv(*["1\t\t978300000"] * 7, *["\t" + "9" * 500 + "\t978300000"] * 2))
    with pytest.raises(BadRows) as error:
        read(path, core=0)
    assert [row.place for row in error.value.rows] == [f"line {number}" for number in range(4, 9)]
    assert error.value.count == 9 and error.value.total == 18
    assert error.value.reasons == {"user_id is missing": 2, "item_id is missing": 7}
    assert "9 of 18 rows" in str(error.value) and "4 more" in str(error.value)
    assert max(map(len, str(error.value).splitlines())) < 200


@pytest.mark.parametrize(
    "options, part",
    [
        ({"core": -1}, "core"),
        ({"core": 2.5}, "core"),
        ({"on_bad": "ignore"}, "on_bad"),
        ({"time_unit": "minutes"}, "time_unit"),
        ({"duplicates": "merge"}, "duplicates"),
        ({"user": "who"}, "no column 'who'"),
        ({"user": "item_id"}, "no item column is left"),
        ({"user": "item_id", "item": "item_id"}, "must be three different"),
        ({"time": "time_stamp"}, "'timestamp'"),
    ],
)
def test_options(options, part, tmp_path):
    (tmp_path / "a.tsv").write_bytes(tsv())
    with pytest.raises(BadInput, match=part):
        read(tmp_path / "a.tsv", **options)
    assert os.listdir(tmp_path) == ["a.tsv"]


@QUICK
@given(data=st.data())
def test_any_damage_gives_histories_or_one_clear_error(data, tmp_path):
    """Cut, overwrite or insert arbitrary bytes: never another exception, never a file left behind."""
    name, whole = data.draw(
        st.sampled_from([("f.tsv", tsv()), ("f.tsv.gz", ZIPPED), ("f.parquet", PARQUET), ("ratings.dat", dat())])
    )
    place = data.draw(st.integers(0, len(whole)))
    width = data.draw(st.integers(0, 12))
    path = tmp_path / name
    path.write_bytes(whole[:place] + data.draw(st.binary(max_size=12)) + whole[place + width :])
    try:
        histories = read(path, core=0, cache=False, on_bad=data.draw(st.sampled_from(["raise", "drop"])))
    except BadInput as error:
        assert len(str(error)) > 20
    else:
        assert isinstance(histories, Histories) and histories.n_events
    finally:
        assert os.listdir(tmp_path) == [name]
        path.unlink()


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\0", exclude_categories=["Cs"]), max_size=8)


@QUICK
@given(fields=st.lists(FIELD, min_size=1, max_size=5).filter(lambda f: len(f) != 3 and "".join(f).strip()))
def test_a_row_of_any_other_width_is_named(fields, tmp_path):
    row = "\t".join(fields)
    path = tmp_path / "a.tsv"
    path.write_bytes(tsv(row))
    with pytest.raises(BadInput, match="line 4"):
        read(path, core=0)
