"""A widget as a page of its own: complete, closed to the network, and readable where no script runs."""

import base64
import json
import re
import zlib

import anywidget
import pytest
import traitlets

from seqrec_edu.panels.still import still

CODE = """// Shows a word.
function render({ model, el }) {
  // It hears of what it sets.
  el.textContent = model.get("word");
}
export default { render };
"""


class Word(anywidget.AnyWidget):
    _esm = CODE
    _css = ".word { color: red; }"
    word = traitlets.Unicode("a </script><b> & 'c'").tag(sync=True)
    numbers = traitlets.Dict({"x": [1, 2.5]}).tag(sync=True)
    raw = traitlets.Bytes(bytes(range(256)) * 8).tag(sync=True)
    private = traitlets.Int(3)


def state_of(html):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1])


def test_its_own_state_goes_along_and_nothing_else():
    state = state_of(still(Word()))
    assert state.keys() == {"word", "numbers", "raw"}
    assert state["word"] == "a </script><b> & 'c'" and state["numbers"] == {"x": [1, 2.5]}
    packed = state["raw"]["deflated"]
    assert zlib.decompress(base64.b64decode(packed)) == Word().raw and len(packed) < 500


def test_nothing_in_it_ends_a_script_early_or_asks_the_network():
    html = still(Word(), words='a "quoted" <word>')
    assert html.count("</script>") == 2 and html.count("<script") == 2
    assert "http" not in html and "src=" not in html
    assert html.startswith("<!--panel-->") and html.endswith("<!--/panel-->")


def test_the_code_runs_as_a_module_without_its_comments():
    html = still(Word())
    code = re.search(r'<script type="module">(.*?)</script>', html, re.DOTALL)[1]
    assert "const WIDGET = { render };" in code and "export" not in code
    assert "Shows a word" not in code and "kernel: false" in code


def test_where_no_script_runs_there_is_a_picture_or_words():
    assert '<p class="instead">one &lt; two</p>' in still(Word(), words="one < two")
    html = still(Word(), picture="iVBORw0KGgo=", words='say "no"')
    assert 'src="data:image/png;base64,iVBORw0KGgo=" alt="say &quot;no&quot;"' in html


def test_the_same_widget_gives_the_same_page():
    assert still(Word()) == still(Word())
    other = Word(word="another")
    assert re.search(r'id="([^"]+)"', still(other))[1] != re.search(r'id="([^"]+)"', still(Word()))[1]


@pytest.mark.parametrize(
    "code",
    [
        "import * as d3 from 'https://esm.sh/d3';\nexport default {};",
        "const d3 = await import('./d3.js');\nexport default {};",
        "function render() {}",
        "export default {};\nexport default {};",
    ],
)
def test_code_that_cannot_stand_alone_is_refused(code):
    class Leaning(anywidget.AnyWidget):
        _esm = code

    with pytest.raises(ValueError, match="Leaning: its code must stand alone"):
        still(Leaning())
