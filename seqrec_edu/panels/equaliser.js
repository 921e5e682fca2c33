// A row of bands, each a native vertical slider: set one with the keyboard, or draw across all of them with the pointer.

const STYLE = `
.seqrec-equaliser { font: 12px/1.3 var(--jp-ui-font-family, system-ui, sans-serif); color: var(--jp-ui-font-color1, inherit);
  padding: 2px 8px 6px 2px; max-width: 1100px }
.seqrec-equaliser .hint { margin: 0 0 6px 30px; color: var(--jp-ui-font-color2, inherit) }
.seqrec-equaliser .body { display: grid; grid-template-columns: 26px 1fr; column-gap: 4px }
.seqrec-equaliser .scale { display: flex; flex-direction: column; justify-content: space-between; height: 110px;
  text-align: right; color: var(--jp-ui-font-color2, inherit); font-variant-numeric: tabular-nums }
.seqrec-equaliser .bands { display: flex; gap: 3px; cursor: crosshair; touch-action: none; user-select: none }
.seqrec-equaliser .band { flex: 1 1 0; min-width: 10px; max-width: 90px; text-align: center }
.seqrec-equaliser .tick { display: block; margin-top: 3px; font-size: 11px; white-space: nowrap; overflow: hidden;
  color: var(--jp-ui-font-color2, inherit); font-variant-numeric: tabular-nums }
.seqrec-equaliser input { appearance: none; writing-mode: vertical-lr; direction: rtl; display: block; width: 100%;
  height: 110px; margin: 0; border-radius: 3px; pointer-events: none;
  background: linear-gradient(to top, var(--jp-brand-color1, #2a78c0) calc(var(--share) * 1%),
    var(--jp-layout-color2, rgba(128, 128, 128, .22)) 0) }
.seqrec-equaliser input::-webkit-slider-thumb { appearance: none; width: 100%; height: 3px; background: transparent }
.seqrec-equaliser input::-moz-range-thumb { width: 100%; height: 3px; border: 0; background: transparent }
.seqrec-equaliser input::-moz-range-track { background: transparent }
.seqrec-equaliser input:focus-visible { outline: 2px solid var(--jp-ui-font-color1, currentColor); outline-offset: 1px }
@media (forced-colors: active) { .seqrec-equaliser input { forced-color-adjust: none } }
`;

const written = (gain) => String(Number(gain.toPrecision(3)));

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "seqrec-equaliser";
  root.setAttribute("role", "group");
  // JupyterLab takes the arrow keys to go from cell to cell unless an element says that it needs them itself.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.innerHTML = `<style>${STYLE}</style><p class="hint"></p><div class="body"><div class="scale" aria-hidden="true">
    <span></span><span>0</span></div><div class="bands"></div></div>`;
  el.appendChild(root);
  const hint = root.querySelector(".hint"), row = root.querySelector(".bands"), most = root.querySelector(".scale span");
  let sliders = [], asked = 0, last = null;

  function build() {
    const ticks = model.get("ticks"), names = model.get("names"), held = sliders.indexOf(document.activeElement);
    root.setAttribute("aria-label", model.get("description"));
    hint.textContent = model.get("hint");
    sliders = names.map((name) => {
      const slider = document.createElement("input");
      slider.type = "range";
      slider.setAttribute("aria-label", name);
      slider.title = name;
      return slider;
    });
    row.replaceChildren(...sliders.map((slider, i) => {
      const band = document.createElement("div"), tick = document.createElement("span");
      band.className = "band";
      tick.className = "tick";
      tick.textContent = ticks[i];
      tick.setAttribute("aria-hidden", "true"); // the slider says it in full
      band.append(slider, tick);
      return band;
    }));
    only(Math.max(0, held));
    if (held >= 0) sliders[Math.min(held, sliders.length - 1)].focus();
    show();
  }

  // One stop for the Tab key, as in a group of radio buttons; left and right go on from there.
  function only(stop) {
    sliders.forEach((slider, i) => { slider.tabIndex = i === stop ? 0 : -1; });
  }

  function show() {
    const top = model.get("top"), gains = model.get("value");
    most.textContent = written(top);
    sliders.forEach((slider, i) => {
      Object.assign(slider, { min: 0, max: top, step: top / 100 });
      put(slider, gains[i] ?? 0);
    });
  }

  function put(slider, gain) {
    const top = model.get("top"), kept = Math.min(top, Math.max(0, gain));
    if (Number(slider.value) !== kept) slider.value = kept;
    slider.style.setProperty("--share", top ? (100 * kept) / top : 0);
    slider.setAttribute("aria-valuetext", `gain ${written(kept)}`);
  }

  // At most once per drawn frame, and what the hand did not touch keeps the digits it had.
  function set(i, gain) {
    const gains = [...model.get("value")];
    gains[i] = Math.min(model.get("top"), Math.max(0, gain));
    put(sliders[i], gains[i]);
    model.set("value", gains);
    if (!asked) asked = requestAnimationFrame(() => { asked = 0; model.save_changes(); });
  }

  row.addEventListener("input", ({ target }) => set(sliders.indexOf(target), Number(target.value)));
  row.addEventListener("focusin", ({ target }) => only(sliders.indexOf(target)));
  // All keys are handled here: browsers disagree on what up and down mean in a vertical slider.
  row.addEventListener("keydown", (event) => {
    const i = sliders.indexOf(event.target), top = model.get("top"), now = model.get("value")[i];
    const aside = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const gain = { ArrowUp: now + top / 50, ArrowDown: now - top / 50, PageUp: now + top / 5, PageDown: now - top / 5,
      Home: 0, End: top }[event.key];
    if (aside === undefined && gain === undefined) return;
    event.preventDefault();
    if (aside !== undefined) sliders[i + aside]?.focus();
    else set(i, gain);
  });

  function under({ clientX, clientY }) {
    const boxes = sliders.map((slider) => slider.getBoundingClientRect());
    const found = boxes.findIndex((box) => clientX < box.right + 2);
    const i = found < 0 ? sliders.length - 1 : found;
    const share = (boxes[i].bottom - clientY) / boxes[i].height;
    return { i, gain: model.get("top") * Math.min(1, Math.max(0, Math.round(100 * share) / 100)) };
  }

  function draw(event) {
    const now = under(event), from = last ?? now, steps = Math.abs(now.i - from.i);
    for (let step = 0; step <= steps; step += 1) { // a fast hand jumps over bands: they follow the line
      const way = steps ? step / steps : 1;
      set(from.i + Math.sign(now.i - from.i) * step, from.gain + way * (now.gain - from.gain));
    }
    last = now;
  }

  row.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !sliders.length) return;
    event.preventDefault();
    row.setPointerCapture(event.pointerId);
    last = null;
    draw(event);
    sliders[last.i].focus({ preventScroll: true });
  });
  row.addEventListener("pointermove", (event) => { if (last) draw(event); });
  for (const end of ["pointerup", "pointercancel"]) row.addEventListener(end, () => { last = null; });

  model.on("change:names", build);
  model.on("change:ticks", build);
  model.on("change:value", show);
  model.on("change:top", show);
  build();
  return () => {
    cancelAnimationFrame(asked);
    for (const name of ["names", "ticks"]) model.off(`change:${name}`, build);
    for (const name of ["value", "top"]) model.off(`change:${name}`, show);
  };
}

export default { render };
