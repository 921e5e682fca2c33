// What is to be seen on the stage: the line of time, the state, the list, and rows over the order of the events. It is
// drawn from `scene` and bytes alone; theatre.js moves and plays it.

const TOWER = 118; // pixels: how high events are stacked that would cover each other
const EDGE = 20, LABELS = 132; // pixels beside the line of time, and for the names of the rows

class Picture {
  constructor(el) {
    this.el = el;
    this.wanted = {}; // event → seconds by which the reader moves it
    const root = make("div", { class: "seqrec-stage seqrec-plot", role: "group" }, el);
    this.root = root;
    this.top = make("div", { class: "top" }, root);
    this.time = make("svg", { role: "listbox", "aria-orientation": "horizontal" }, root);
    this.help = make("p", { class: "quiet" }, root);
    const bar = make("div", { class: "bar" }, root);
    this.button = make("button", { type: "button" }, bar, "▶ Play");
    this.range = make("input", { type: "range", min: 1, step: 1, "aria-label": "State after event" }, bar);
    this.said = make("div", { class: "said" }, root);
    const pair = make("div", { class: "pair" }, root), state = make("div", { class: "state" }, pair);
    this.caption = make("div", { class: "title" }, state);
    this.canvas = make("canvas", { role: "img" }, state);
    this.scaled = make("div", {}, state);
    this.list = make("table", {}, make("div", {}, pair));
    this.rows = make("svg", { class: "rows", role: "img" }, root);
    this.notes = make("p", { class: "quiet" }, root);
  }

  get hidden() { return this.root.clientWidth < LABELS; }

  // Where an event stands, in the unit of the line of time.
  at(id) { return this.scene.home[id] + (this.wanted[id] ?? 0) / this.scene.seconds; }

  words(i) {
    const { scene } = this, id = scene.id[i], place = Number(this.at(id).toFixed(3));
    const when = scene.timed ? `, ${scene.unit} ${place}` : "";
    const gate = scene.gate ? `, gate ${written(scene.gate[i])}` : "", moved = this.wanted[id] ? ", moved" : "";
    return `${scene.names[id]}${when}, dt ${written(scene.dt[i])}, decay ${written(scene.decay[i])}${gate}${moved}`;
  }

  // Another person: nodes that stay while events move, so that the focus stays too.
  people() {
    this.time.replaceChildren();
    this.axis = make("g", { "aria-hidden": "true" }, this.time);
    this.nodes = this.scene.home.map((_, id) => {
      const node = make("g", { class: "event", role: "option", "data-id": id, tabindex: -1 }, this.time);
      make("line", { class: "stem" }, node);
      for (const part of ["body", "halo"]) make("circle", { class: part }, node);
      make("title", {}, node);
      return node;
    });
  }

  draw() {
    this.width = this.root.clientWidth;
    if (this.hidden) return; // drawn when it is seen
    const dark = getComputedStyle(this.el).color.match(/[\d.]+/g).slice(0, 3).every((part) => part > 128);
    this.colours = this.scene.colours[dark ? "dark" : "light"];
    for (const [name, value] of Object.entries(this.colours))
      if (typeof value === "string") this.root.style.setProperty(`--${name}`, value);
    this.much = scale(this.colours.much);
    this.signed = scale(this.colours.signed);
    this.wide = this.width - 30; // without padding and border
    this.heading();
    this.timeline();
    this.recommended();
    this.strip();
    this.show(this.now);
  }

  heading() {
    const { scene } = this, [low, high] = scene.dt_range, [far, near] = scene.steps;
    put(this.root, { "aria-label": scene.title });
    this.top.replaceChildren();
    make("span", { class: "title" }, this.top, scene.title);
    legend(this.top, "step size dt", written(low), written(high), this.colours.much);
    const keys = `Drag an event along time; or choose it with ← →, move it with ⇧← ⇧→ (${far[0]}) or [ ] ` +
      `(${near[0]}), and put it back with Delete.`;
    const none = "All events carry the same time, so none can be moved in time: they stand in their order.";
    const dead = "Play and scrub as you like; moving an event takes a running kernel, which computes everything anew.";
    this.help.textContent = !scene.timed ? none : this.live ? keys : dead;
    this.time.classList.toggle("movable", this.movable);
    put(this.time, { "aria-label": `Events of ${scene.person}, ${scene.timed ? "in time" : "in order"}` });
    put(this.range, { max: scene.id.length });
    this.notes.textContent = scene.note;
  }

  // Events that would cover each other stand on each other's shoulders, closer where there are many.
  timeline() {
    const { scene } = this, count = scene.id.length, [low, high] = scene.span, radius = count <= 120 ? 7 : 5;
    this.pixels = (this.wide - 2 * EDGE) / (high - low);
    const x = (at) => EDGE + (at - low) * this.pixels;
    const places = scene.home.map((_, id) => [x(this.at(id)), id]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const towers = [];
    let last = -Infinity; // neighbours that touch: their lanes, each with the place where it ends
    for (const place of places) {
      if (place[0] - last > 2 * radius + 1) towers.push([]);
      const lanes = towers.at(-1), free = lanes.findIndex((end) => end <= place[0] - 2 * radius - 1);
      const lane = free < 0 ? lanes.length : free;
      last = lanes[lane] = place[0];
      place.push(lane, lanes);
    }
    const lift = (lanes) => Math.min(2 * radius + 2, TOWER / lanes.length);
    const base = Math.max(...towers.map((lanes) => (lanes.length - 1) * lift(lanes))) + 2 * radius + 18;
    put(this.time, { height: base + 38, viewBox: `0 0 ${this.wide} ${base + 38}` });
    for (const [cx, id, lane, lanes] of places) {
      const cy = base - 7 - radius - lane * lift(lanes), [stem, body, halo] = this.nodes[id].children;
      put(stem, { x1: cx, x2: cx, y1: cy + radius, y2: base });
      put(body, { cx, cy, r: radius });
      put(halo, { cx, cy, r: radius + 3.5 });
    }
    this.axis.replaceChildren();
    make("line", { class: "line", x1: EDGE, x2: this.wide - EDGE, y1: base, y2: base }, this.axis);
    for (const at of ticks(low, high, Math.max(2, this.wide / 90))) {
      if (!scene.timed && !Number.isInteger(at)) continue; // there is no half event
      make("line", { class: "line", x1: x(at), x2: x(at), y1: base, y2: base + 5 }, this.axis);
      make("text", { x: x(at), y: base + 18, "text-anchor": "middle" }, this.axis, String(at));
    }
    make("text", { x: this.wide - EDGE, y: base + 34, "text-anchor": "end" }, this.axis, scene.axis);
    for (const id of Object.keys(this.wanted)) {
      const from = x(scene.home[id]);
      make("line", { class: "way", x1: from, x2: x(this.at(id)), y1: base, y2: base }, this.axis);
      make("circle", { class: "home", cx: from, cy: base, r: 3.5 }, this.axis);
    }
  }

  recommended() {
    const { scene } = this;
    // Room for those that leave the list, from the first move on: what stands below must not jump while one drags.
    this.list.parentNode.style.minHeight = scene.moved && this.live ? `${(2 * scene.k + 1) * 1.6}em` : "";
    this.list.replaceChildren();
    make("caption", {}, this.list, `Top ${scene.k} now${scene.moved ? ", against before" : ""}`);
    for (const [rank, mark, kind, name] of scene.top) {
      const row = make("tr", { class: scene.moved ? kind : "" }, this.list);
      make("th", { scope: "row" }, row, rank > scene.k || rank === null ? "–" : String(rank));
      make("td", { title: name }, row, name);
      if (scene.moved) make("td", { class: "mark" }, row, mark);
    }
  }

  // Over the order of the events: size of the state, what is left of each event, and the gate.
  strip() {
    const { scene } = this, count = scene.id.length, right = this.wide - 12, bottom = scene.gate ? 158 : 132;
    const cell = (this.cell = (right - LABELS) / count), inner = Math.max(0.8, cell - (cell > 6 ? 2 : 0.4));
    const middle = (i) => LABELS + (i + 0.5) * cell, box = (i) => ({ x: middle(i) - inner / 2, width: inner });
    const say = (y, words, more) => {
      make("text", { y }, this.rows, words);
      make("text", { y: y + 14, style: "font-size: 11px" }, this.rows, more);
    };
    this.rows.replaceChildren();
    put(this.rows, { height: bottom + 34, viewBox: `0 0 ${this.wide} ${bottom + 34}` });
    const most = Math.max(...scene.size, ...scene.size_before, 1e-30);
    this.mark = (i, size) => [middle(i).toFixed(1), (62 - (54 * size) / most).toFixed(1)];
    const path = (sizes) => sizes.map((size, i) => this.mark(i, size)).join(" ");
    say(30, "size of the state", `up to ${written(most)}`);
    make("line", { class: "line", x1: LABELS, x2: right, y1: 62, y2: 62 }, this.rows);
    if (scene.moved) make("polyline", { class: "was", points: path(scene.size_before) }, this.rows);
    make("polyline", { class: "curve", points: path(scene.size) }, this.rows);
    this.dot = make("circle", { class: "dot", r: 5 }, this.rows);
    say(96, "still in the state", "of each event, 0 to 1");
    make("line", { class: "line", x1: LABELS, x2: right, y1: 124, y2: 124 }, this.rows);
    this.bars = scene.id.map((_, i) => make("rect", box(i), this.rows));
    const tick = (i) => ({ class: "tick", x1: middle(i) - cell / 2, x2: middle(i) + cell / 2 });
    this.marks = this.was.length ? scene.id.map((_, i) => make("line", tick(i), this.rows)) : [];
    const peak = Math.max(...(scene.gate ?? [0]).map(Math.abs), 1e-30);
    this.gates = (scene.gate ?? []).map((value, i) => {
      const fill = this.signed(0.5 + value / peak / 2);
      return make("rect", { ...box(i), y: 136, height: 18, fill }, this.rows);
    });
    if (scene.gate) say(144, "gate", `${written(-peak)} to ${written(peak)}`);
    for (const at of ticks(1, Math.max(2, count), Math.max(2, (right - LABELS) / 60)))
      if (Number.isInteger(at) && at <= count)
        make("text", { x: middle(at - 1), y: bottom + 16, "text-anchor": "middle" }, this.rows, String(at));
    make("text", { x: right, y: bottom + 32, "text-anchor": "end" }, this.rows, "event");
    this.cursor = make("line", { class: "cursor", y1: 0, y2: bottom + 2 }, this.rows);
  }

  // Everything that follows the chosen event.
  show(now) {
    const { scene } = this, count = scene.id.length, row = (now * (now + 1)) / 2;
    const [low, high] = scene.dt_range.map(Math.log);
    this.now = now;
    this.range.value = now + 1;
    put(this.range, { "aria-valuetext": `${now + 1} of ${count}: ${this.words(now)}` });
    const size = `size of the state ${written(scene.size[now])}`;
    this.said.textContent = `After event ${now + 1} of ${count}: ${this.words(now)}; ${size}`;
    scene.id.forEach((id, i) => {
      const node = this.nodes[id], words = `${i + 1} of ${count}: ${this.words(i)}`, read = i <= now;
      const kind = `event${read ? "" : " later"}${i === now ? " now" : ""}`;
      put(node, { class: kind, "aria-label": words, "aria-selected": i === now, tabindex: i === now ? 0 : -1 });
      put(node.children[1], { fill: this.much(high > low ? (Math.log(scene.dt[i]) - low) / (high - low) : 0.5) });
      node.lastChild.textContent = words;
      const left = read ? this.left[row + i] / 65535 : 0, y = 124 - 44 * left;
      put(this.bars[i], { y, height: 44 * left, fill: this.much(left) });
      const before = read && this.marks.length ? 124 - (44 * this.was[row + i]) / 65535 : 124;
      if (this.marks.length) put(this.marks[i], { y1: before, y2: before, opacity: Number(read) });
      if (scene.gate) put(this.gates[i], { opacity: read ? 1 : 0.35 });
    });
    const [cx, cy] = this.mark(now, scene.size[now]);
    put(this.dot, { cx, cy });
    put(this.cursor, { x1: cx, x2: cx });
    const left = `what is left of each after event ${now + 1}`;
    const before = scene.moved ? "; dashes: before anything was moved" : "";
    put(this.rows, { "aria-label": `Over ${count} events: ${size}, and ${left}${before}` });
    this.cells(size);
  }

  // The state as a heat map; of a single column, as bars.
  cells(said) {
    const { scene } = this, [n, p] = scene.grid, from = this.now * n * p;
    const peak = scene.peak / scene.unit_of_state;
    const side = p === 1 ? Math.min(16, 300 / n) : Math.min(22, 300 / Math.max(n, p));
    const wide = p === 1 ? 260 : side * p, high = side * n, ratio = devicePixelRatio || 1, gap = side > 5 ? 1 : 0;
    this.side = [p === 1 ? wide : side, side];
    put(this.canvas, { width: wide * ratio, height: high * ratio, style: `width: ${wide}px; height: ${high}px` });
    put(this.canvas, { "aria-label": `State of ${scene.head} after event ${this.now + 1}, ${said}` });
    const brush = this.canvas.getContext("2d");
    brush.scale(ratio, ratio);
    for (let i = 0; i < n * p; i += 1) {
      const share = clamp(this.frames[from + i] / peak, -1, 1), long = (share * wide) / 2;
      const top = Math.floor(i / p) * side;
      brush.fillStyle = this.signed(0.5 + share / 2);
      if (p > 1) brush.fillRect((i % p) * side, top, side - gap, side - gap);
      else brush.fillRect(wide / 2 + Math.min(0, long), top, Math.abs(long), side - gap);
    }
    this.scaled.replaceChildren();
    legend(this.scaled, "state", written(-scene.peak), written(scene.peak), this.colours.signed);
    this.name();
  }

  name() {
    const { grid: [, p], pooled, head } = this.scene, each = pooled > 1 ? `, ${pooled} × ${pooled} entries a cell` : "";
    this.caption.textContent = `State of ${head}: n down${p > 1 ? ", p across" : ""}${each}`;
  }

  // The number under the pointer.
  read(x, y) {
    const { grid: [n, p], pooled, unit_of_state: unit } = this.scene;
    const column = clamp(Math.floor(x / this.side[0]), 0, p - 1), row = clamp(Math.floor(y / this.side[1]), 0, n - 1);
    const value = Number((this.frames[this.now * n * p + row * p + column] * unit).toPrecision(2));
    this.caption.textContent = `State at n = ${row * pooled}, p = ${column * pooled}: ${written(value)}`;
  }
}

