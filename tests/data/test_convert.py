"""What providers hand out becomes the prepared form; what does not fit is named."""

import gzip
import io
import tarfile
import zipfile

import pytest

from seqrec_edu.data.sources import retail
from seqrec_edu.data.sources.convert import convert, read_items
from seqrec_edu.data.sources.providers import OULAD_DAY_0
from seqrec_edu.data.sources.registry import dataset


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def prepared(name, archive, tmp_path):
    counts = convert(dataset(name), archive, tmp_path / name)
    lines = gzip.decompress((tmp_path / name / "interactions.tsv.gz").read_bytes()).decode().splitlines()
    return counts, [line.split("\t") for line in lines], read_items(tmp_path / name / "items.tsv.gz")


def test_movielens_1m_and_its_liked_part(tmp_path):
    ratings = "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n"
    archive = zipped(
        tmp_path / "ml-1m.zip",
        {"ml-1m/ratings.dat": ratings, "ml-1m/movies.dat": "1193::Café (1975)::Drama|War\n".encode("latin-1")},
    )
    counts, rows, names = prepared("ml-1m", archive, tmp_path)
    assert rows[0] == ["user_id", "item_id", "rating", "timestamp"] and rows[1] == ["1", "1193", "5", "978300760"]
    assert counts["source"] == counts["prepared"] == {"users": 2, "items": 2, "events": 3}
    assert names == {"1193": ("Café (1975)", "Drama|War")}
    counts, rows, _ = prepared("ml-1m-ge4", archive, tmp_path)
    assert counts == {
        "source": {"users": 2, "items": 2, "events": 3},
        "prepared": {"users": 2, "items": 1, "events": 2},
    }


def test_movielens_100k_and_latest_small(tmp_path):
    flags = ["0"] * 19
    flags[1] = flags[16] = "1"
    film = "|".join(["242", "Kolya (1996)", "24-Jan-1997", "", "http://x", *flags])
    archive = zipped(tmp_path / "a.zip", {"ml-100k/u.data": "196\t242\t3\t881250949\n", "ml-100k/u.item": film + "\n"})
    _, rows, names = prepared("ml-100k", archive, tmp_path)
    assert rows[1] == ["196", "242", "3", "881250949"] and names == {"242": ("Kolya (1996)", "Action|Thriller")}
    archive = zipped(
        tmp_path / "b.zip",
        {
            "ml-latest-small/ratings.csv": "userId,movieId,rating,timestamp\r\n1,2,4.0,964982703\r\n",
            "ml-latest-small/movies.csv": 'movieId,title,genres\r\n2,"American President, The (1995)",Comedy\r\n',
        },
    )
    _, rows, names = prepared("ml-latest-small", archive, tmp_path)
    assert rows[1:] == [["1", "2", "4.0", "964982703"]] and names["2"] == ("American President, The (1995)", "Comedy")


def test_steam_numbers_people_and_reads_days(tmp_path):
    record = "{u'username': u'%s', u'product_id': u'10', u'date': u'2017-12-15', u'text': u'it\\'s \"ok\"'}\n"
    archive = tmp_path / "steam_reviews.json.gz"
    archive.write_bytes(gzip.compress((record % "Zoë" + record % "b\\tb" + record % "Zoë").encode()))
    _, rows, _ = prepared("steam", archive, tmp_path)
    assert rows == [["user_id", "item_id", "timestamp"], *([user, "10", "1513296000"] for user in "121")]


def test_kuairand_keeps_clicks_in_the_order_of_milliseconds(tmp_path):
    head = "user_id,video_id,date,hourmin,time_ms,is_click,is_like\n"
    logs = {
        "log_standard_4_22_to_5_08_pure.csv": "7,3,20220422,0,1650600000900,1,0\n",
        "log_standard_4_08_to_4_21_pure.csv": "7,1,20220408,0,1650600000950,1,0\n7,2,20220408,0,1649400000000,0,0\n",
        "log_random_4_22_to_5_08_pure.csv": "7,9,20220422,0,1650600000000,1,0\n",
    }
    archive = tmp_path / "KuaiRand-Pure.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        for file, text in logs.items():
            member = tarfile.TarInfo(f"KuaiRand-Pure/data/{file}")
            body = (head + text).encode()
            member.size = len(body)
            out.addfile(member, io.BytesIO(body))
    counts, rows, _ = prepared("kuairand-pure", archive, tmp_path)
    assert rows[1:] == [["7", "3", "1650600000"], ["7", "1", "1650600000"]]
    assert counts["source"]["events"] == 3 and counts["prepared"]["events"] == 2


def test_oulad_counts_days_from_the_start_of_a_presentation(tmp_path):
    archive = zipped(
        tmp_path / "anonymisedData.zip",
        {
            "studentVle.csv": '"code_module","code_presentation","id_student","id_site","date","sum_click"\n'
            '"AAA","2013J","28400","546652","-10","4"\n"AAA","2014J","28400","546653","0","1"\n',
            "vle.csv": "id_site,code_module,code_presentation,activity_type\n546652,AAA,2013J,forumng\n",
        },
    )
    counts, rows, names = prepared("oulad", archive, tmp_path)
    assert rows[1] == ["28400-AAA-2013J", "546652", "4", str(OULAD_DAY_0 - 864_000)]
    assert rows[2] == ["28400-AAA-2014J", "546653", "1", str(OULAD_DAY_0)]
    assert counts["prepared"]["users"] == 2 and names == {"546652": ("forumng 546652 (AAA 2013J)", "forumng")}


RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,22633,"HAND WARMER, UNION",6,2010-12-01 08:28:00,1.85,17850.0,United Kingdom
C536379,D,Discount,-1,2010-12-01 09:41:00,27.5,14527.0,United Kingdom
536414,22139,,56,2010-12-01 11:52:00,0.0,,United Kingdom
"""


def test_online_retail_from_a_csv_drops_cancellations_and_rows_without_customer(tmp_path):
    archive = tmp_path / "Online Retail.csv"
    archive.write_text(RETAIL)
    counts, rows, names = prepared("online-retail", archive, tmp_path)
    assert rows[1:] == [["17850", "85123A", "6", "1291191960"], ["17850", "22633", "6", "1291192080"]]
    assert counts == {
        "source": {"users": 2, "items": 4, "events": 4},
        "prepared": {"users": 1, "items": 2, "events": 2},
    }
    assert names == {"85123A": ("WHITE HEART", ""), "22633": ("HAND WARMER, UNION", "")}


def test_online_retail_refuses_dates_that_can_be_read_in_two_ways(tmp_path):
    archive = tmp_path / "Online Retail.csv"
    archive.write_text(RETAIL.replace("2010-12-01 08:28:00", "12/1/2010 8:28"))
    with pytest.raises(ValueError, match=r"row 3(.|\n)*which is the month"):
        convert(dataset("online-retail"), archive, tmp_path)


def test_online_retail_without_a_workbook_reader_names_the_step(tmp_path, monkeypatch):
    monkeypatch.setattr(retail, "ENGINES", ("no_such_package",))
    archive = zipped(tmp_path / "online+retail.zip", {"Online Retail.xlsx": b"x"})
    with pytest.raises(ValueError, match=r"pip install fastexcel(.|\n)*Online Retail\.csv(.|\n)*--from FOLDER"):
        convert(dataset("online-retail"), archive, tmp_path / "out")


REVIEW = b'{"reviewerID": "U", "asin": "B", "overall": 5.0, "unixReviewTime": 1400000000}\n'


@pytest.mark.parametrize(
    ("name", "body", "complaint"),
    [
        ("ml-1m", b"no zip at all", "not a zip archive"),
        ("ml-1m", {"other/file.txt": "x"}, "no member 'ml-1m/movies.dat'; it holds: other/file.txt"),
        ("ml-1m", {"ml-1m/movies.dat": "", "ml-1m/ratings.dat": "1::2::3\n"}, "row 1: expected 4 fields"),
        ("ml-1m", {"ml-1m/movies.dat": "", "ml-1m/ratings.dat": ""}, "no rows at all"),
        ("oulad", {"vle.csv": "id_site\n", "studentVle.csv": "a,b\n"}, "expected columns"),
        ("amazon-beauty", b"plain text", "damaged after line 0"),
        ("amazon-beauty", gzip.compress(b'{"reviewerID": \n'), "line 1: not in the expected form"),
        ("amazon-beauty", gzip.compress(b'{"reviewerID": "U"}\n'), "line 1: cannot use"),
        ("amazon-beauty", gzip.compress(REVIEW * 50)[:-12], "damaged after line"),
        ("steam", gzip.compress(b"__import__('os')\n"), "line 1: not in the expected form"),
        ("steam", gzip.compress(b"{u'username': u'Zo'}\n"), r"line 1: cannot use a record with \['username'\]"),
    ],
    ids=range(11),
)
def test_unusable_archives_are_named_and_leave_nothing(tmp_path, name, body, complaint):
    archive = tmp_path / "archive"
    if isinstance(body, dict):
        zipped(archive, body)
    else:
        archive.write_bytes(body)
    with pytest.raises(ValueError, match=complaint):
        convert(dataset(name), archive, tmp_path / "out")
    assert not (tmp_path / "out").exists() or files(tmp_path / "out") == []
