"""Tables as text, and the same for a screen reader."""

from seqrec_edu.figures.text import aligned


def test_a_table_is_text_and_html():
    table = aligned(("event", "weight"), [("<tent>", 0.5), ("stove", None), ("map", 2)])
    assert table == "event   weight\n<tent>  0.5000\nstove        –\nmap          2"
    assert table.html("who & what").startswith("<table><caption>who &amp; what</caption>")
    assert '<tr><th scope="row">&lt;tent&gt;</th><td>0.5000</td></tr>' in table.html("")
    assert table.head(3) == table and table.head(1) == "event   weight\n<tent>  0.5000\n… and 2 more rows"
