"""One browser; in it one notebook, opened and run once, for all tests that move its panels."""

from pathlib import Path

import pytest

drive = pytest.importorskip("tests.browser.drive", reason="needs playwright")

GALLERY = Path(__file__).resolve().parents[2] / "notebooks" / "gallery.ipynb"


def pytest_collection_modifyitems(items):
    """None of these where there is no browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and drive.browser() is None:
            item.add_marker(pytest.mark.skip(reason="no Chrome or Chromium on this machine (or BROWSER_PATH)"))


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    with drive.started() as running:
        yield running


@pytest.fixture(scope="session")
def gallery(tmp_path_factory, chromium):
    """The gallery, run to its end."""
    with drive.opened(GALLERY, tmp_path_factory.mktemp("gallery"), chromium) as notebook:
        yield notebook.run()


@pytest.fixture(scope="session")
def measured(record_testsuite_property):
    """Keep how long a control took: it is written to the test report, and judged only where it is out of all reason.

    A test that must hold on a loaded machine cannot ask for 150 ms; `python tests/browser/latency.py` measures that.
    """

    def keep(what: str, taken: list[float]) -> None:
        median, high = drive.quantiles(taken)
        record_testsuite_property(what, f"median {median:.0f} ms, 95 % below {high:.0f} ms, of {len(taken)}")
        assert median < 3_000, f"{what}: {median:.0f} ms"

    return keep


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Where screenshots are kept."""
    return tmp_path_factory.mktemp("pictures")
