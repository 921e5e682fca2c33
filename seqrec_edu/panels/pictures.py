"""A figure as PNG, for pages that draw no Plotly: made when a notebook is written, not when it is read."""

import asyncio
import atexit
import importlib.util
import io
import logging
import os
from contextlib import suppress
from threading import Thread

import plotly.graph_objects as go

from seqrec_edu.figures.template import WIDTH

SHARP = 1.5  # stored pixels per drawn pixel: for a fine screen
SMALL = 1.0  # for a panel, whose picture only stands in: nine of them fit into one notebook
_TIMEOUT = 60  # seconds for one picture, the start of the browser included


def pictures_wanted() -> bool:
    """Whether figures shown now get a stored PNG.

    `SEQREC_EDU_PICTURES=1` asks for it and `=0` forbids it. Without either a notebook that is executed as a whole
    (nbclient, `jupyter execute`) gets pictures; a live JupyterLab session does not, since starting Chrome would add
    three seconds to a reader's first figure, and a test run does not, since tests compare the digest.
    """
    asked = _asked()
    return asked == "1" if asked else "JPY_SESSION_NAME" not in os.environ and not under_test()


def under_test() -> bool:
    """Whether pytest, and so nbval, started this process or the kernel it runs in."""
    return "PYTEST_VERSION" in os.environ


def picture(figure: go.Figure, scale: float = SHARP) -> bytes | None:
    """Draw a figure as PNG through kaleido and Chrome, `scale` stored pixels for each; None where that cannot be.

    Raises:
        RuntimeError: `SEQREC_EDU_PICTURES=1` asked for pictures and none can be made; the message names the cause.
    """
    try:
        return _small(_Artist.get().draw(figure, scale), 128 if scale > SMALL else 64)
    except Exception as error:  # a browser fails in many ways; without one the reader keeps the figure and its text
        if _asked() == "1":
            raise RuntimeError(f"SEQREC_EDU_PICTURES asks for pictures, but {why_not(error)}") from error
        return None


def why_not(error: Exception) -> str:
    """The cause of a missing picture in words, with the next step."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed; run: pip install {error.name}"
    if type(error).__name__ == "ChromeNotFoundError":
        return "no Chrome or Chromium was found; install one, or set BROWSER_PATH to its program"
    return f"drawing failed: {type(error).__name__}: {error}"


def height_of(figure: go.Figure) -> int:
    """Height in pixels that a stored picture of this figure gets."""
    return int(figure.layout.height or 450)


def _asked() -> str:
    value = os.environ.get("SEQREC_EDU_PICTURES", "").strip()
    if value not in ("", "0", "1"):
        raise ValueError(f"SEQREC_EDU_PICTURES must be 0, 1 or unset, got {value!r}.")
    return value


class _Artist:
    """One browser for all pictures of a process: 0.3 s a picture instead of 3 s.

    kaleido has a shared browser of its own, but its call waits for ever when the browser fails to start.
    """

    _one: "_Artist | Exception | None" = None

    @classmethod
    def get(cls) -> "_Artist":
        """The running artist; a failed start is remembered, so that it costs its time once."""
        if cls._one is None:
            try:
                cls._one = cls()
            except Exception as error:
                cls._one = error
        if isinstance(cls._one, Exception):
            raise cls._one
        return cls._one

    def __init__(self) -> None:
        import kaleido

        for name in ("kaleido", "choreographer"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_forever, daemon=True, name="pictures").start()
        # Built inside the loop's thread: the object keeps queues that belong to the running loop.
        self._browser = self._wait(self._open(kaleido.Kaleido))
        atexit.register(self._close)

    @staticmethod
    async def _open(kind: type) -> object:
        browser = kind(n=1, timeout=_TIMEOUT, mathjax=False)
        await browser.open()
        return browser

    def draw(self, figure: go.Figure, scale: float) -> bytes:
        size = {"format": "png", "width": WIDTH, "height": height_of(figure), "scale": scale}
        return self._wait(self._browser.calc_fig(figure.to_dict(), opts=size))

    def _wait(self, work: object) -> object:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT)

    def _close(self) -> None:
        with suppress(Exception):  # at exit there is no one left to tell
            asyncio.run_coroutine_threadsafe(self._browser.close(), self._loop).result(5)


def _small(png: bytes, colours: int) -> bytes:
    """Reduce to colours that cover all that occur: a fifth of the size, with no difference that an eye would mind."""
    if importlib.util.find_spec("PIL") is None:
        return png
    from PIL import Image

    out = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
