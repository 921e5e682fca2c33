"""A widget that works on a page without a kernel: its own code, its present state, and a stand-in for the kernel."""

import base64
import hashlib
import json
import re
import zlib
from html import escape
from typing import Any

import anywidget

_EXPORT = "export default "
# What a widget's code is given instead of a model that a kernel answers: it reads the stored state, writes to it, and
# hears of what it wrote itself. `kernel: false` is how the code can tell.
_STUB = """
const state = JSON.parse(ROOT.querySelector("script[type='application/json']").textContent);
for (const [name, value] of Object.entries(state)) if (value?.deflated !== undefined) {
  const bytes = Uint8Array.from(atob(value.deflated), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  state[name] = new DataView(await new Response(stream).arrayBuffer());
}
const heard = {};
const model = {
  kernel: false,
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; (heard[`change:${name}`] ?? []).forEach((tell) => tell()); },
  on: (event, tell) => { (heard[event] ??= []).push(tell); },
  off: (event, tell) => { heard[event] = (heard[event] ?? []).filter((one) => one !== tell); },
  save_changes() {},
  send() {},
};
"""


def still(widget: anywidget.AnyWidget, *, picture: str | None = None, words: str = "") -> str:
    """Write a widget as HTML that draws itself: no kernel, no network, no other file.

    The widget's JavaScript runs as it does in a notebook, on the state that it has now. Where scripts do not run, the
    picture is seen instead, or the words. All of it stands between ``<!--panel-->`` and ``<!--/panel-->``.

    Args:
        widget: its ``_esm`` imports nothing and ends in ``export default``; its own synced traits hold what can be
            written as JSON, or bytes.
        picture: a PNG in base64, shown until the widget is drawn.
        words: what the picture shows.

    Raises:
        ValueError: code that imports, or that has not one default export.
    """
    code, style = (_lean(str(getattr(widget, name, ""))) for name in ("_esm", "_css"))
    if code.count(_EXPORT) != 1 or re.search(r"^\s*import\b|\bimport\(", code, re.MULTILINE):
        raise ValueError(f"{type(widget).__name__}: its code must stand alone, with one default export and no import")
    state = json.dumps(_state(widget), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    name = "still-" + hashlib.sha256((code + state).encode()).hexdigest()[:12]
    # The same panel may stand on a page twice: each script takes the first place that no other has taken.
    find = f'const ROOT = document.querySelector("#{name}:not([data-drawn])"); ROOT.dataset.drawn = "";\n'
    run = (
        f"const style = document.createElement('style'); style.textContent = {json.dumps(style)};\n"
        "const place = document.createElement('div');\n"
        "ROOT.append(style, place);\n"
        "await WIDGET.render({ model, el: place });\n"
        "ROOT.querySelectorAll('.instead').forEach((node) => node.remove());\n"
    )
    code = code.replace(_EXPORT, "const WIDGET = ").replace("</", "<\\/")
    return (
        f'<!--panel--><div id="{name}">{_instead(picture, words)}<script type="application/json">{state}</script></div>'
        f'<script type="module">\n{find}{_STUB}{code}\n{run}</script><!--/panel-->'
    )


def _instead(picture: str | None, words: str) -> str:
    """What a page shows that runs no scripts."""
    if picture is None:
        return f'<p class="instead">{escape(words)}</p>'
    return f'<img class="instead" style="max-width:100%" src="data:image/png;base64,{picture}" alt="{escape(words)}">'


def _state(widget: anywidget.AnyWidget) -> dict[str, Any]:
    """The widget's own synced traits; not those that every widget has."""
    own = set(widget.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names(sync=True))
    values = {name: getattr(widget, name) for name in sorted(own) if not name.startswith("_")}
    return {name: _written(value) for name, value in values.items()}


def _written(value: object) -> object:
    if not isinstance(value, (bytes, memoryview)):
        return value
    return {"deflated": base64.b64encode(zlib.compress(value, 9)).decode()}


def _lean(code: str) -> str:
    """Without the lines that are comments, without indentation: a third less to store."""
    lines = (line.strip() for line in code.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))
