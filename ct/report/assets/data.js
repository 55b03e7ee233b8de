// Data: sinogram, residual, chi-square by view, the table of slices; and the start.
async function drawData() {
  const s = shown();
  if (s.sinogram) {
    const p = await decode(s.sinogram), hi = p.v.reduce((a, b) => Math.max(a, b), 1e-6);
    paint($("sino"), p, (v) => { const t = 255 * v / hi; return [t, t, t]; });
    $("sino-ends").textContent = `0 to ${hi.toFixed(2)} nepers`;
  }
  const m = s.methods[Number($("resid").value || 0)];
  if (m && m.residual) paint($("residual"), await decode(m.residual), signed(4));
  drawChart();
}

// drawChart shows chi-square by view on a logarithmic scale, where 1 is expected.
function drawChart() {
  const curves = shown().methods.map((m, i) => [String(i), (m.viewChi2 || []).map((v) => v > 0 ? Math.log10(v) : NaN)]).filter(([, v]) => v.length);
  if (!curves.length) return;
  const all = curves.flatMap(([, v]) => v).filter(Number.isFinite).concat([0]), lo = Math.floor(Math.min(...all)), hi = Math.ceil(Math.max(...all) + .01);
  const {X, Y} = plot($("chart"), curves, lo, Math.max(hi, lo + 1), Math.max(1, curves[0][1].length - 1), "view");
  for (const t of $("chart").querySelectorAll("text[text-anchor=end]")) t.textContent = Number((10 ** Number(t.textContent)).toPrecision(2));
  svg($("chart"), "line", {class: "one", x1: X(0), x2: X(1), y1: Y(0), y2: Y(0)});
  legend($("legend2"), data.report.methods.map((m, i) => [String(i), m.label, colourOf(String(i))]));
  $("chart-note").textContent = "Logarithmic scale; the dashed line is 1. A method that fits its noise lies below it.";
}

// sortTable orders the rows of the table of slices by a column.
function sortTable(th) {
  const body = $("by-slice").tBodies[0], k = th.cellIndex, up = th.getAttribute("aria-sort") !== "ascending";
  const key = (tr) => { const c = tr.cells[k], v = c.dataset.sort ?? c.textContent; return Number.isNaN(Number(v)) ? v : Number(v); };
  for (const other of th.parentNode.cells) other.setAttribute("aria-sort", "none");
  th.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...[...body.rows].sort((a, b) => (key(a) > key(b) ? 1 : key(a) < key(b) ? -1 : 0) * (up ? 1 : -1)));
}

function redraw() { drawCards(); drawMaps(); drawBars(); drawBig(); drawProfile(); }

async function go(place) {
  state.slice = Math.max(0, Math.min(data.shown.length - 1, place));
  $("slice").value = state.slice;
  for (const e of document.querySelectorAll(".where")) e.textContent = shown().label;
  try {
    await load();
    redraw();
    await drawData();
  } catch (e) {
    $("broken").hidden = false;
    $("broken").textContent = "A picture of this report cannot be decoded: " + e.message;
  }
}

let worstAt = 0;
function worst() {
  const list = (data.worst || []).map((i) => data.shown.findIndex((s) => s.index === i)).filter((i) => i >= 0);
  if (list.length) go(list[worstAt++ % list.length]);
}

function keys(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || /INPUT|SELECT/.test(e.target.tagName)) return;
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
  if (step && e.shiftKey) { state.square.x += 8 * step[0]; state.square.y += 8 * step[1]; redraw(); e.preventDefault(); }
  else if (step && step[0]) go(state.slice + step[0]);
  else if (presets[Number(e.key) - 1]) setWindow(presets[e.key - 1][1], presets[e.key - 1][2]);
  else if (e.key === "w") worst();
  else if (e.key === "f") flicker();
  else if (e.key === " " && e.target.tagName !== "BUTTON") { swap(); e.preventDefault(); }
}

// start is called once by the page, when all scripts are there.
function start() {
  for (const th of document.querySelectorAll("#by-slice thead th")) th.addEventListener("click", () => sortTable(th));
  if ($("copy")) $("copy").addEventListener("click", () => navigator.clipboard && navigator.clipboard.writeText($("command").textContent));
  if (!data.shown || !data.shown.length) return;
  startImages();
  startCompare();
  options($("resid"), data.report.methods.map((m, i) => [String(i), m.label]));
  $("resid").addEventListener("change", drawData);
  $("slice").max = data.shown.length - 1;
  $("slice").addEventListener("input", () => go(Number($("slice").value)));
  $("prev").addEventListener("click", () => go(state.slice - 1));
  $("next").addEventListener("click", () => go(state.slice + 1));
  $("middle").addEventListener("click", () => go(Math.floor(data.shown.length / 2)));
  $("worst").addEventListener("click", worst);
  if (data.shown.length < data.total) $("shown").textContent = `${data.shown.length} of ${data.total} slices are shown, evenly picked, the worst among them.`;
  for (const tr of document.querySelectorAll("#by-slice tbody tr")) {
    tr.cells[0].addEventListener("click", () => { const i = data.shown.findIndex((s) => s.index === Number(tr.dataset.index)); if (i >= 0) go(i); });
  }
  document.addEventListener("keydown", keys);
  setWindow(400, 40);
  go(state.slice);
}
