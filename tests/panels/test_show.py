"""Showing a figure: interactive, as a stored picture where one is wanted, and always as a line of text."""

import base64
import json
import subprocess
import sys

import pytest

from seqrec_edu.figures import digest, top_k_bars
from seqrec_edu.panels import pictures, show
from seqrec_edu.panels.mime import PLOTLY, bundle

FIGURE = top_k_bars(["Tent", "Stove"], [0.5, 0.25], title="Top 2")


@pytest.fixture
def drawn(monkeypatch):
    """Pretend that a browser draws."""
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "1")
    monkeypatch.setattr("seqrec_edu.panels.mime.picture", lambda *_: b"PNG")


def test_outside_a_notebook_the_digest_is_printed(capsys):
    show(FIGURE)
    assert capsys.readouterr().out == digest(FIGURE) + "\n"


def test_in_a_notebook_the_figure_is_shown_and_described(notebook, capsys):
    show(FIGURE)
    ((data, metadata),) = notebook.outputs
    assert set(data) == {PLOTLY, "text/plain"} and metadata == {}  # under test no picture is made
    assert data["text/plain"] == "[Top 2]" and data[PLOTLY]["data"][0]["type"] == "bar"
    assert capsys.readouterr().out == digest(FIGURE) + "\n"


def test_the_stored_picture_has_a_size(drawn):
    data, metadata = bundle(FIGURE)
    assert base64.b64decode(data["image/png"]) == b"PNG"
    assert metadata["image/png"] == {"width": 800, "height": FIGURE.layout.height}
    assert "image/png" not in bundle(FIGURE, with_picture=False)[0]


def test_the_output_is_json_and_small(drawn):
    assert len(json.dumps(bundle(FIGURE)[0])) < 5000


def test_values_can_be_left_out(notebook, capsys):
    show(FIGURE, values=False)
    assert capsys.readouterr().out == digest(FIGURE, values=False) + "\n"


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="Figure or a panel, not int"):
        show(3)


@pytest.mark.parametrize(
    ("asked", "live", "tested", "wanted"),
    [
        ("1", True, True, True),
        ("0", False, False, False),
        (None, False, False, True),
        (None, True, False, False),
        (None, False, True, False),
    ],
)
def test_when_pictures_are_made(monkeypatch, asked, live, tested, wanted):
    for name, value in (
        ("SEQREC_EDU_PICTURES", asked),
        ("JPY_SESSION_NAME", "a.ipynb" if live else None),
        ("PYTEST_VERSION", "9" if tested else None),
    ):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert pictures.pictures_wanted() is wanted


def test_a_wrong_wish_is_named(monkeypatch):
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "yes please")
    with pytest.raises(ValueError, match="must be 0, 1 or unset"):
        pictures.pictures_wanted()


class ChromeNotFoundError(RuntimeError):
    pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ChromeNotFoundError("…"), "no Chrome or Chromium was found; install one"),
        (ModuleNotFoundError("…", name="kaleido"), "kaleido is not installed; run: pip install kaleido"),
        (TimeoutError("slow"), "drawing failed: TimeoutError: slow"),
    ],
)
def test_without_a_browser_there_is_no_error_unless_pictures_were_asked_for(monkeypatch, error, words):
    monkeypatch.setattr(pictures._Artist, "_one", error)  # as a failed start leaves it
    monkeypatch.delenv("SEQREC_EDU_PICTURES", raising=False)
    assert pictures.picture(FIGURE) is None
    monkeypatch.setenv("SEQREC_EDU_PICTURES", "1")
    with pytest.raises(RuntimeError, match=f"asks for pictures, but {words}"):
        pictures.picture(FIGURE)


def test_a_failed_start_is_tried_once(monkeypatch):
    tries = []

    def start(self):
        tries.append(1)
        raise ChromeNotFoundError("…")

    monkeypatch.setattr(pictures._Artist, "_one", None)
    monkeypatch.setattr(pictures._Artist, "__init__", start)
    monkeypatch.delenv("SEQREC_EDU_PICTURES", raising=False)
    assert pictures.picture(FIGURE) is None and pictures.picture(FIGURE) is None and tries == [1]


def test_a_real_browser_draws_a_small_picture(monkeypatch):
    monkeypatch.delenv("SEQREC_EDU_PICTURES", raising=False)
    png = pictures.picture(FIGURE)
    if png is None:
        error = pictures._Artist._one
        pytest.skip(pictures.why_not(error) if isinstance(error, Exception) else "the browser did not draw")
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))
    assert png.startswith(b"\x89PNG") and (width, height) == (1200, FIGURE.layout.height * 1.5)


def test_panels_load_no_tensor_library():
    code = "import sys, seqrec_edu.panels; sys.exit('torch' in sys.modules or 'kaleido' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
