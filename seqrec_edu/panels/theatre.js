// Plays the stage, and asks the kernel what a moved event changes. Everything is sent once per question: all states of
// one head, what is left of each event at each later one, and the list. So playing and scrubbing need no kernel.

const GAP = 100; // milliseconds between two questions while an event is dragged
const PATIENCE = 3000; // after which an unanswered question counts as lost

class View extends Picture {
  constructor(model, el) {
    super(el);
    this.model = model;
    this.live = model.kernel !== false; // a page without a kernel says so
    this.asked = -Infinity;
    this.waiting = this.dirty = false;
    this.slow = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.listen();
    this.taken = () => this.take();
    model.on("change:revision", this.taken);
    this.seen = new ResizeObserver(() => {
      if (!this.hidden && this.root.clientWidth !== this.width) this.draw();
    });
    this.seen.observe(this.root);
    this.take();
  }

  get movable() { return this.live && this.scene.timed; }

  listen() {
    const { time, range, rows, canvas } = this;
    put(this.root, { "data-lm-suppress-shortcuts": "true" }); // else JupyterLab takes the arrow keys for its own
    this.button.onclick = () => (this.playing ? this.pause() : this.play());
    range.oninput = () => this.go(Number(range.value) - 1);
    time.onkeydown = (event) => this.key(event);
    time.onpointerdown = (event) => this.grab(event);
    time.onpointermove = (event) => this.pull(event);
    time.onpointerup = time.onpointercancel = () => { this.drag = null; };
    rows.onclick = (event) => {
      const x = event.clientX - rows.getBoundingClientRect().left;
      this.go(Math.floor((x - LABELS) / this.cell));
    };
    canvas.onpointermove = (event) => this.read(event.offsetX, event.offsetY);
    canvas.onpointerleave = () => this.name();
  }

  leave() {
    this.pause();
    clearTimeout(this.timer);
    this.seen.disconnect();
    this.model.off("change:revision", this.taken);
  }

  // An answer. The same event stays chosen where it is still there.
  take() {
    const scene = this.model.get("scene"), same = this.scene?.cast === scene.cast;
    const chosen = same ? this.scene.id[this.now] : scene.id.at(-1);
    const bytes = (name, kind) => {
      const { buffer, byteOffset: from, byteLength: size } = this.model.get(name);
      return new kind(buffer.slice(from, from + size));
    };
    this.scene = scene;
    this.frames = bytes("frames", Int8Array);
    this.left = bytes("left", Uint16Array);
    this.was = bytes("was", Uint16Array);
    this.now = scene.id.indexOf(chosen);
    this.waiting = false;
    if (!same) {
      this.pause();
      this.dirty = false;
      this.drag = null;
      this.people();
    }
    if (this.dirty) this.ask();
    else if (!this.drag) this.wanted = { ...this.model.get("moved") };
    this.draw();
  }

  draw() {
    super.draw();
    if (!this.hidden) put(this.root, { "data-revision": this.model.get("revision") });
  }

  go(to) {
    this.pause();
    this.show(clamp(to, 0, this.scene.id.length - 1));
  }

  // --- moving events ---------------------------------------------------------------------------------------------

  key(event) {
    const id = this.scene.id[this.now], fine = "[]".includes(event.key);
    const step = { ArrowLeft: -1, ArrowRight: 1, "[": -1, "]": 1 }[event.key];
    const goal = { Home: 0, End: this.scene.id.length - 1 }[event.key] ?? (step && this.now + step);
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (["Delete", "Backspace"].includes(event.key)) this.move(id, 0);
    else if (step && (event.shiftKey || fine)) {
      this.move(id, (this.wanted[id] ?? 0) + step * this.scene.steps[fine ? 1 : 0][1]);
    } else if (goal !== undefined) {
      this.go(goal);
      this.nodes[this.scene.id[this.now]].focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  grab(event) {
    const node = event.target.closest("[data-id]");
    if (!node || event.button) return;
    const id = Number(node.dataset.id);
    this.go(this.scene.id.indexOf(id));
    node.focus({ preventScroll: true });
    this.drag = { id, x: event.clientX, by: this.wanted[id] ?? 0, gone: false };
    this.time.setPointerCapture(event.pointerId); // the event may slip from under the pointer: the drag goes on
  }

  pull(event) {
    if (!this.drag) return;
    const pixels = event.clientX - this.drag.x;
    if (Math.abs(pixels) > 3) this.drag.gone = true; // a click that trembles moves nothing
    if (this.drag.gone) this.move(this.drag.id, this.drag.by + (pixels / this.pixels) * this.scene.seconds);
  }

  move(id, seconds) {
    if (!this.movable) return;
    const { home, span, seconds: unit } = this.scene, place = clamp(home[id] + seconds / unit, ...span);
    const by = Math.trunc((place - home[id]) * unit + Math.sign(seconds) * 1e-3); // whole seconds, none beyond the end
    const { [id]: _, ...others } = this.wanted;
    this.wanted = by ? { ...others, [id]: by } : others;
    this.timeline();
    this.dirty = true;
    this.ask();
  }

  // One question at a time, and the last one always: what is wanted meanwhile waits for the answer.
  ask() {
    clearTimeout(this.timer);
    const wait = this.asked + (this.waiting ? PATIENCE : GAP) - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => this.ask(), wait);
      return;
    }
    this.asked = performance.now();
    this.waiting = true;
    this.dirty = false;
    this.model.set("moved", this.wanted);
    this.model.save_changes();
  }

  // --- playing ---------------------------------------------------------------------------------------------------

  play() {
    const last = () => this.now === this.scene.id.length - 1;
    const pace = this.slow ? 1000 : clamp(20000 / this.scene.id.length, 80, 400);
    if (last()) this.show(0);
    this.button.textContent = "❚❚ Pause";
    this.playing = setInterval(() => (last() ? this.pause() : this.show(this.now + 1)), pace);
  }

  pause() {
    clearInterval(this.playing);
    this.playing = null;
    this.button.textContent = "▶ Play";
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.leave();
}

export default { render };
