// Draws a Plotly figure and redraws it in place. plotly.js comes once per page, from the kernel: nothing is fetched
// from elsewhere, and nine panels do not bring it nine times.

const CONFIG = { displaylogo: false, responsive: true };

async function unpacked(library) {
  const bytes = library.get("code");
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = await new Response(stream).text();
  const module = { exports: {} };
  // As a CommonJS module, so that it neither registers with a page's AMD loader nor replaces another Plotly.
  const before = globalThis.Plotly;
  new Function("module", "exports", "define", code)(module, module.exports, undefined);
  if (before === undefined) delete globalThis.Plotly;
  else globalThis.Plotly = before;
  return module.exports;
}

function plotly(model) {
  const one = Symbol.for("seqrec_edu.plotly");
  globalThis[one] ??= model.widget_manager.get_model(model.get("library")).then(unpacked);
  globalThis[one].catch(() => { delete globalThis[one]; });
  return globalThis[one];
}

function described(node, label) {
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", label);
}

function render({ model, el }) {
  const node = document.createElement("div");
  node.className = "seqrec-plot";
  node.style.minHeight = `${model.get("figure").layout?.height ?? 380}px`;
  el.appendChild(node);
  let wanted = 0, drawn = 0, busy = false, gone = false, listening = false;

  async function draw() {
    wanted += 1;
    if (busy) return; // what comes meanwhile is drawn when this is done: the last state only
    busy = true;
    try {
      while (drawn < wanted && !gone) {
        drawn = wanted;
        const Plotly = await plotly(model);
        const { data, layout, frames } = model.get("figure");
        await Plotly.react(node, { data, layout, frames: frames ?? [], config: CONFIG });
        described(node, model.get("label"));
        node.style.minHeight = "";
        node.dataset.revision = model.get("revision");
        if (!listening) {
          listening = true;
          node.on("plotly_click", ({ points: [point] }) => {
            const { x, y, curveNumber } = point;
            model.set("picked", { x, y, trace: curveNumber, times: (model.get("picked").times ?? 0) + 1 });
            model.save_changes();
          });
        }
      }
    } catch (error) {
      node.textContent = `This figure could not be drawn: ${error.message}`;
    } finally {
      busy = false;
    }
  }

  model.on("change:revision", draw);
  // Drawn once it has a width: a figure drawn while hidden would take a width of its own and keep it.
  const seen = new ResizeObserver(() => {
    if (el.clientWidth && !wanted && model.get("revision")) draw();
    else if (drawn && node.data) plotly(model).then((Plotly) => Plotly.Plots.resize(node));
  });
  seen.observe(el);
  return () => {
    gone = true;
    seen.disconnect();
    model.off("change:revision", draw);
    plotly(model).then((Plotly) => Plotly.purge(node));
  };
}

export default { render };
