"""The one file with typed numbers: every row says where it stands."""

import pytest

from seqrec_edu.data.sources import datasets
from seqrec_edu.reproduce.published import TAGS, BadFigure, figures

ROW = '[[figure]]\nmodel = "sasrec"\nshown = "SASRec"\ndata = "ml-1m"\nsource = "a log"\ntag = "A"\n'


def test_every_figure_has_a_source_a_tag_and_a_dataset_that_exists():
    found = figures()
    assert len(found) > 50
    for figure in found:
        assert figure.source and figure.tag in TAGS and figure.data in datasets()
        assert figure.comparable or figure.note
    assert {figure.data for figure in found} == {"ml-1m", "ml-100k", "amazon-beauty", "kuairand-pure"}


def test_no_figure_stands_twice_and_metrics_of_one_row_go_together():
    found = figures()
    keys = [(f.model, f.shown, f.data, f.source, f.note) for f in found]
    assert len(set(keys)) == len(keys)
    for figure in found:
        for cutoff in (10, 20, 50):  # MRR ≤ NDCG ≤ HR for one target, at every rank
            row = [figure.values.get(f"{kind}@{cutoff}") for kind in ("MRR", "NDCG", "HR")]
            row = [value for value in row if value is not None]
            assert row == sorted(row), (figure, cutoff)
        for kind in ("MRR", "NDCG", "HR"):
            row = [figure.values[name] for name in (f"{kind}@{k}" for k in (10, 20, 50)) if name in figure.values]
            assert row == sorted(row), (figure, kind)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ROW, "missing .'values'."),
        (ROW + 'values = { "HR@10" = 0.3 }\nyear = 2024\n', "unknown .'year'."),
        (ROW.replace('"sasrec"', '"caser"') + 'values = { "HR@10" = 0.3 }\n', "no variant is called 'caser'"),
        (ROW.replace('"A"', '"?"') + 'values = { "HR@10" = 0.3 }\n', "tag '.' is none of A, I, T, S, D"),
        (ROW + 'values = { "HR@10" = 31.2 }\n', "HR@10 = 31.2 is no metric between 0 and 1"),
        (ROW + 'values = { "R@10" = 0.3 }\n', "R@10 = 0.3 is no metric"),
        (ROW + 'values = { "HR@10" = 0.3 }\ncomparable = false\n', "a note where it is not comparable"),
        (ROW.replace('"a log"', '" "') + 'values = { "HR@10" = 0.3 }\n', "every figure has a source"),
    ],
)
def test_a_row_that_lacks_something_is_refused(tmp_path, text, message):
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadFigure, match=rf"p.toml, row 1: .*{message}"):
        figures(tmp_path / "p.toml")
