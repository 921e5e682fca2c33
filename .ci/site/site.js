// The page at work: formulas, figures, search, light and dark. No request leaves the folder that the site lies in.
"use strict";

const root = document.documentElement;
const dark = () => root.dataset.theme === "dark";
const make = (name, parent, text = "", attributes = {}) => {
  const node = document.createElement(name);
  node.append(text);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.append(node);
  return node;
};
// A script of this site, once. `fetch` would not do: a page that was opened from a folder may not read other files.
const loaded = {};
const script = (address) => loaded[address] ??= new Promise((done, failed) => {
  const node = make("script", null, "", { src: address });
  node.onload = done;
  node.onerror = () => failed(new Error(`${address} is missing`));
  document.head.append(node);
});

// Formulas
const DELIMITERS = [["$$", "$$", true], ["\\[", "\\]", true], ["\\(", "\\)", false], ["$", "$", false]]
  .map(([left, right, display]) => ({ left, right, display }));
for (const place of document.querySelectorAll("article, .contents"))
  renderMathInElement(place, { delimiters: DELIMITERS, throwOnError: false, ignoredClasses: ["printed", "drawn"] });

// Figures: drawn when they come near, from the JSON beside them; until then, and without scripts, their picture is seen.
const exchanged = (part, pairs) => {
  if (typeof part === "string") return pairs[part] ?? part;
  if (Array.isArray(part)) return part.map((one) => exchanged(one, pairs));
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(Object.entries(part).map(([key, one]) => [key, exchanged(one, pairs)]));
};

async function draw(figure) {
  figure.dataset.wanted = root.dataset.theme;
  await script("assets/plotly.min.js");
  if (figure.dataset.wanted === figure.dataset.drawn) return;
  const { dark: pairs, ...stored } = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const { data, layout, frames = [] } = dark() ? exchanged(stored, pairs) : stored;
  const place = figure.querySelector(".drawn"), image = place.querySelector("img");
  const height = layout.height ?? Number(image?.getAttribute("height") ?? 400);
  place.setAttribute("role", "img");
  if (image) place.setAttribute("aria-label", image.alt);
  image?.remove();
  if (frames.length) Plotly.purge(place); // react would add the frames again
  await Plotly.react(place, { data, layout: { ...layout, height }, frames, config: { displaylogo: false, responsive: true } });
  figure.dataset.drawn = figure.dataset.wanted;
}

const figures = [...document.querySelectorAll("figure.plot")];
const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) if (isIntersecting) {
    near.unobserve(target);
    draw(target);
  }
}, { rootMargin: "600px 0px" });
figures.forEach((figure) => near.observe(figure));

// Light and dark
document.querySelector(".theme").addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch {} // a page from a folder may not keep anything
  figures.filter((figure) => figure.dataset.drawn).forEach(draw);
});

// The course, on a narrow screen
const menu = document.querySelector(".menu");
menu.addEventListener("click", () => {
  const open = document.querySelector(".course").classList.toggle("open");
  menu.setAttribute("aria-expanded", open);
});

// Which section is being read
const marks = new Map([...document.querySelectorAll(".contents a")].map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
if (marks.size) {
  const headings = [...marks.keys()].map((name) => document.getElementById(name));
  const follow = () => {
    const above = headings.filter((heading) => heading.getBoundingClientRect().top < 140);
    marks.forEach((link) => link.classList.remove("here"));
    marks.get(above.at(-1)?.id)?.classList.add("here");
  };
  addEventListener("scroll", follow, { passive: true });
  follow();
}

// Search: sections that hold every word, as the beginning of a word; a word in a heading counts most.
const input = document.querySelector(".search input"), found = document.getElementById("found");
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function rank(entries, words) {
  const patterns = words.map((word) => new RegExp(`(?<![\\p{L}\\p{N}])${escaped(word)}`, "giu"));
  const scored = entries.map((entry) => {
    const [, page, heading, text] = entry;
    let score = 0;
    for (const pattern of patterns) {
      const inText = (text.match(pattern) ?? []).length;
      const inHeading = (heading.match(pattern) ?? []).length + (page.match(pattern) ?? []).length / 2;
      if (!inText && !inHeading) return null;
      score += 8 * inHeading + Math.log2(1 + inText);
    }
    return { entry, score, pattern: new RegExp(patterns.map((one) => one.source).join("|"), "giu") };
  });
  return scored.filter(Boolean).sort((a, b) => b.score - a.score);
}

function excerpt(text, pattern, parent) {
  const at = Math.max(0, text.search(pattern));
  const from = at < 60 ? 0 : text.indexOf(" ", at - 60) + 1;
  const shown = text.slice(from, from + 180);
  let last = 0;
  make("p", parent, from ? "… " : "");
  for (const match of shown.matchAll(pattern)) {
    parent.lastChild.append(shown.slice(last, match.index));
    last = match.index + match[0].length;
    make("mark", parent.lastChild, match[0]);
  }
  parent.lastChild.append(shown.slice(last));
}

async function search() {
  const words = input.value.trim().split(/\s+/).filter(Boolean);
  found.replaceChildren();
  found.hidden = !words.length;
  if (!words.length) return;
  await script("assets/search.js");
  const asked = input.value.trim().split(/\s+/).filter(Boolean);
  if (asked.join(" ") !== words.join(" ")) return; // more was typed meanwhile
  const results = rank(window.COURSE_SEARCH, words);
  found.replaceChildren();
  for (const { entry: [address, page, heading, text], pattern } of results.slice(0, 12)) {
    const link = make("a", found, "", { href: address });
    make("b", link, heading);
    make("small", link, page);
    excerpt(text, pattern, link);
  }
  if (!results.length) make("div", found, "Nothing has all of these words.", { class: "none" });
}

input.addEventListener("input", search);
input.form.addEventListener("submit", (event) => {
  event.preventDefault();
  found.querySelector("a")?.click();
});
addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input, textarea, select");
  if (event.key === "/" && !typing) { event.preventDefault(); input.focus(); }
  if (event.key === "Escape") { found.hidden = true; input.blur(); }
  if (!["ArrowDown", "ArrowUp"].includes(event.key) || found.hidden || !input.form.contains(event.target)) return;
  const stops = [input, ...found.querySelectorAll("a")];
  const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  stops[Math.min(Math.max(next, 0), stops.length - 1)].focus();
  event.preventDefault();
});
document.addEventListener("click", (event) => { if (!input.form.contains(event.target)) found.hidden = true; });
found.addEventListener("click", (event) => { if (event.target.closest("a")) found.hidden = true; });
