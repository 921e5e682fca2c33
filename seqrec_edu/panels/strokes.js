// The strokes that a stage is drawn with: nodes, numbers, colours and round places on an axis.

function make(kind, attributes = {}, parent = null, words = "") {
  const svg = ["svg", "g", "circle", "line", "path", "polyline", "rect", "text", "title"].includes(kind);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", kind) : document.createElement(kind);
  put(node, attributes);
  if (words) node.textContent = words;
  parent?.append(node);
  return node;
}

function put(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function written(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size && (size < 1e-3 || size >= 1e5) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

// Colours between the stops of a scale, as a function of 0…1.
function scale(stops) {
  const parts = stops.map((stop) => [1, 3, 5].map((i) => parseInt(stop.slice(i, i + 2), 16)));
  const table = Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (parts.length - 1), low = Math.min(parts.length - 2, Math.floor(place));
    const mixed = parts[low].map((c, j) => Math.round(c + (place - low) * (parts[low + 1][j] - c)));
    return `rgb(${mixed})`;
  });
  return (share) => table[Math.round(clamp(share, 0, 1) * 255)];
}

function legend(parent, words, low, high, stops) {
  const box = make("span", { class: "legend quiet" }, parent);
  make("span", {}, box, words);
  make("span", {}, box, low);
  make("i", { style: `background: linear-gradient(90deg, ${stops.join(",")})` }, box);
  make("span", {}, box, high);
}

// Round numbers for an axis, at most `most` of them.
function ticks(low, high, most) {
  const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

