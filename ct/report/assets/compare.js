// Compare: two images in one place, and HU along a line through all of them.
function drawBig() {
  const pic = pics.get(state[state.front]);
  if (!pic) return;
  paint($("big").querySelector("canvas"), pic, grey);
  $("big").querySelector(".tag").textContent = labels().find(([k]) => k === state[state.front])[1];
  const ends = {x1: state.line[0][0], y1: state.line[0][1], x2: state.line[1][0], y2: state.line[1][1]};
  for (const l of $("line").querySelectorAll("line")) for (const k in ends) l.setAttribute(k, 100 * ends[k]);
  state.line.forEach((p, i) => { $("h" + i).style.left = 100 * p[0] + "%"; $("h" + i).style.top = 100 * p[1] + "%"; });
}

// along samples a picture on the profile line, linear between pixel centres.
function along(pic, n) {
  const [[x0, y0], [x1, y1]] = state.line, out = [];
  const at = (y, x) => pic.v[Math.max(0, Math.min(pic.h - 1, y)) * pic.w + Math.max(0, Math.min(pic.w - 1, x))];
  for (let i = 0; i < n; i++) {
    const t = i / (n - 1), x = (x0 + t * (x1 - x0)) * pic.w - .5, y = (y0 + t * (y1 - y0)) * pic.h - .5;
    const c = Math.floor(x), r = Math.floor(y), u = x - c, w = y - r;
    out.push((1 - w) * ((1 - u) * at(r, c) + u * at(r, c + 1)) + w * ((1 - u) * at(r + 1, c) + u * at(r + 1, c + 1)));
  }
  return out;
}

// ticks are about n round numbers from lo to hi.
function ticks(lo, hi, n) {
  const raw = (hi - lo) / n, p = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map((k) => k * p).find((s) => s >= raw), out = [];
  for (let v = Math.ceil(lo / step) * step; v <= hi; v += step) out.push(v);
  return out;
}

// plot draws curves with a frame, grid and labels; curves are [key, values].
function plot(chart, curves, lo, hi, xEnd, xName) {
  const [, , W, H] = chart.getAttribute("viewBox").split(" ").map(Number), box = {l: 56, r: W - 10, t: 10, b: H - 34};
  const X = (t) => box.l + t * (box.r - box.l), Y = (v) => box.b - (Math.max(lo, Math.min(hi, v)) - lo) / (hi - lo) * (box.b - box.t);
  chart.replaceChildren();
  for (const v of ticks(lo, hi, 5)) {
    svg(chart, "line", {class: "grid", x1: box.l, x2: box.r, y1: Y(v), y2: Y(v)});
    svg(chart, "text", {x: box.l - 6, y: Y(v) + 4, "text-anchor": "end"}, Number(v.toPrecision(4)));
  }
  for (const v of ticks(0, xEnd, 6)) svg(chart, "text", {x: X(v / xEnd), y: box.b + 16, "text-anchor": "middle"}, Number(v.toPrecision(4)));
  svg(chart, "text", {x: (box.l + box.r) / 2, y: H - 4, "text-anchor": "middle"}, xName);
  svg(chart, "path", {class: "axis", d: `M${box.l} ${box.t}V${box.b}H${box.r}`, fill: "none"});
  for (const [key, v] of curves) {
    const points = v.map((y, i) => Number.isFinite(y) ? `${X(v.length > 1 ? i / (v.length - 1) : .5).toFixed(1)},${Y(y).toFixed(1)}` : "").join(" ");
    svg(chart, "polyline", {points, stroke: colourOf(key)});
  }
  return {X, Y};
}

function drawProfile() {
  const g = data.report.geometry, [[x0, y0], [x1, y1]] = state.line;
  const length = Math.hypot((x1 - x0) * g.width * g.pixelXMM, (y1 - y0) * g.height * g.pixelYMM);
  const curves = [...pics].map(([key, pic]) => [key, along(pic, 400)]), all = curves.flatMap(([, v]) => v);
  const lo = Math.max(Math.min(...all), state.level - state.width), hi = Math.min(Math.max(...all), state.level + state.width);
  plot($("profile"), curves, lo, Math.max(hi, lo + 10), Math.max(length, 1e-6), "mm along the line");
  legend($("legend"), labels().map(([key, name]) => [key, name, colourOf(key)]));
}

function swap() { state.front = state.front === "a" ? "b" : "a"; drawBig(); }

function flicker() {
  if (state.timer) { clearInterval(state.timer); state.timer = 0; } else state.timer = setInterval(swap, 1000 / Number($("rate").value));
  $("flicker").setAttribute("aria-pressed", String(Boolean(state.timer)));
}

function startCompare() {
  for (const [id, first] of [["a", 0], ["b", labels().length - 1]]) {
    options($(id), labels());
    $(id).value = state[id] = labels()[first][0];
    $(id).addEventListener("change", () => { state[id] = $(id).value; state.front = id; drawBig(); });
  }
  $("swap").addEventListener("click", swap);
  $("flicker").addEventListener("click", flicker);
  $("rate").addEventListener("change", () => { if (state.timer) { flicker(); flicker(); } });
  const keep = (v) => Math.max(0, Math.min(1, v));
  state.line.forEach((p, i) => {
    const h = $("h" + i), move = (x, y) => { p[0] = keep(x); p[1] = keep(y); drawBig(); drawProfile(); };
    h.addEventListener("pointerdown", (e) => h.setPointerCapture(e.pointerId));
    h.addEventListener("pointermove", (e) => {
      if (e.buttons !== 1) return;
      const r = $("big").getBoundingClientRect();
      move((e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height);
    });
    h.addEventListener("keydown", (e) => {
      const d = {ArrowLeft: [-.01, 0], ArrowRight: [.01, 0], ArrowUp: [0, -.01], ArrowDown: [0, .01]}[e.key];
      if (d) { move(p[0] + d[0], p[1] + d[1]); e.preventDefault(); e.stopPropagation(); }
    });
  });
}
