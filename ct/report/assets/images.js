// Images: cards with image, difference and zoom of each method, and their controls.
const grey = (v) => { const t = Math.max(0, Math.min(255, 255 * ((v - state.level) / state.width + .5))); return [t, t, t]; };
const signed = (range) => (v) => {
  const t = Math.max(-1, Math.min(1, v / range)), k = Math.round(255 * (1 - Math.abs(t)));
  return t < 0 ? [k, k, 255] : [255, k, k];
};

function paint(canvas, pic, colour, crop) {
  const {x: x0, y: y0, w, h} = crop || {x: 0, y: 0, w: pic.w, h: pic.h};
  canvas.width = w; canvas.height = h;
  const g = canvas.getContext("2d"), im = g.createImageData(w, h);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
    const v = pic.v[(y + y0) * pic.w + x + x0], c = Number.isNaN(v) ? [128, 128, 128] : colour(v), i = 4 * (y * w + x);
    im.data[i] = c[0]; im.data[i + 1] = c[1]; im.data[i + 2] = c[2]; im.data[i + 3] = 255;
  }
  g.putImageData(im, 0, 0);
}

// crop is the zoomed square in pixels of a picture, which may be folded.
function crop(pic) {
  const f = data.fold || 1, q = state.square, side = Math.max(4, Math.min(pic.w, pic.h, Math.round(q.side / f)));
  const fit = (v, n) => Math.max(0, Math.min(n - side, Math.round(v / f)));
  return {x: fit(q.x, pic.w), y: fit(q.y, pic.h), w: side, h: side};
}

const minus = (pic, base) => ({w: pic.w, h: pic.h, v: pic.v.map((v, i) => v - base.v[i])});

function outline(canvas, pic) {
  const c = crop(pic), g = canvas.getContext("2d");
  g.strokeStyle = "#ffd84d";
  g.lineWidth = Math.max(1, pic.w / 200);
  g.strokeRect(c.x + .5, c.y + .5, c.w - 1, c.h - 1);
}

function drawCards() {
  const base = pics.get(state.against);
  for (const card of document.querySelectorAll(".card")) {
    const pic = pics.get(card.dataset.m), at = (k) => card.querySelector(`[data-kind="${k}"] canvas`);
    if (!pic) continue;
    paint(at("image"), pic, grey);
    outline(at("image"), pic);
    const diff = base && minus(pic, base);
    if (diff) paint(at("diff"), diff, signed(state.range));
    if (state.zoomed === "diff" && diff) paint(at("zoom"), diff, signed(state.range), crop(pic));
    else paint(at("zoom"), pic, grey, crop(pic));
    const s = shown().methods[Number(card.dataset.m)], row = s && data.report.methods[Number(card.dataset.m)].slices.find((x) => x.index === shown().index);
    if (row && row.metrics.psnr !== undefined) card.querySelector(".m").textContent = `${row.metrics.psnr.toFixed(1)} dB`;
  }
}

function drawBars() {
  const ramp = (id, colour, lo, hi) => {
    const v = Float32Array.from({length: 256}, (_, i) => lo + (hi - lo) * i / 255);
    paint($("bar-" + id), {w: 256, h: 1, v}, colour);
    $("ends-" + id).textContent = `${Math.round(lo)} to ${Math.round(hi)} HU`;
  };
  ramp("image", grey, state.level - state.width / 2, state.level + state.width / 2);
  ramp("diff", signed(state.range), -state.range, state.range);
}

function setWindow(width, level) {
  state.width = Math.max(10, width); state.level = level;
  for (const k of ["width", "level"]) { $(k).value = state[k]; $(k + "-out").textContent = Math.round(state[k]); }
  redraw();
}

// Maps: what a method gives beside its image. Each is drawn by the scale that it names, up to all but 1 % of its values.
const mapInfo = () => data.report.methods.flatMap((m) => m.maps || []).find((x) => x.name === state.map);
const mapOf = (key) => pics.get(`${state.map} of ${key}`);
const glow = (top) => (v) => { // black, red, yellow, white
  const t = Math.max(0, Math.min(1, v / top));
  return [Math.round(255 * Math.min(1, 3 * t)), Math.round(255 * Math.max(0, Math.min(1, 3 * t - 1))), Math.round(255 * Math.max(0, 3 * t - 2))];
};

function mapScale() {
  const all = data.report.methods.flatMap((_, i) => { const p = mapOf(String(i)); return p ? Array.from(p.v, Math.abs).filter(Number.isFinite) : []; }).sort((a, b) => a - b);
  const top = Math.max(1, all[Math.floor(.99 * (all.length - 1))] || 1), scale = (mapInfo() || {}).scale;
  if (scale === "share") return {colour: glow(1), lo: 0, hi: 1};
  return scale === "signed" ? {colour: signed(top), lo: -top, hi: top} : scale === "window" ? {colour: grey, lo: state.level - state.width / 2, hi: state.level + state.width / 2} : {colour: glow(top), lo: 0, hi: top};
}

function drawMaps() {
  const info = mapInfo();
  if (!info) return;
  const scale = mapScale();
  for (const card of document.querySelectorAll(".card")) {
    const pic = mapOf(card.dataset.m), view = card.querySelector('[data-kind="map"]');
    view.style.visibility = pic ? "visible" : "hidden";
    if (pic) paint(view.querySelector("canvas"), pic, scale.colour);
    if (pic && state.zoomed === "map") paint(card.querySelector('[data-kind="zoom"] canvas'), pic, scale.colour, crop(pic));
  }
  const v = Float32Array.from({length: 256}, (_, i) => scale.lo + (scale.hi - scale.lo) * i / 255);
  paint($("bar-map"), {w: 256, h: 1, v}, scale.colour);
  $("ends-map").textContent = `${Math.round(scale.lo)} to ${Math.round(scale.hi)} ${info.unit}`;
  $("map-name").textContent = info.label;
  $("mapnote").textContent = `Third row, ${info.label}: ${info.note || ""}.`;
}

// place is the pixel of the full image under the pointer.
function place(canvas, e) {
  const r = canvas.getBoundingClientRect(), g = data.report.geometry;
  return {x: Math.floor((e.clientX - r.left) / r.width * g.width), y: Math.floor((e.clientY - r.top) / r.height * g.height)};
}

function readout(p) {
  const f = data.fold || 1;
  $("readout").textContent = `row ${p.y}, column ${p.x}: ` + labels().map(([key, name]) => {
    const pic = pics.get(key), v = pic && pic.v[Math.floor(p.y / f) * pic.w + Math.floor(p.x / f)];
    return `${name} ${v === undefined ? "–" : Math.round(v)} HU`;
  }).join(", ");
}

function startImages() {
  const list = labels(), width = data.report.geometry.width;
  options($("against"), list);
  options($("range"), [50, 100, 200, 500, 1000].map((v) => [v, v]));
  options($("side"), [.125, .25, .5].map((k) => Math.round(k * width)).map((v) => [v, v]));
  state.against = $("against").value;
  if ($("map")) {
    state.map = $("map").value;
    $("map").addEventListener("change", () => { state.map = $("map").value; redraw(); });
  }
  $("range").value = state.range;
  $("side").value = Math.round(.25 * width);
  state.square.side = Number($("side").value);
  for (const [id, set] of [["against", (v) => { state.against = v; }], ["range", (v) => { state.range = Number(v); }],
    ["zoomed", (v) => { state.zoomed = v; }], ["side", (v) => { state.square.side = Number(v); }]]) {
    $(id).addEventListener("change", () => { set($(id).value); redraw(); });
  }
  for (const id of ["width", "level"]) $(id).addEventListener("input", () => setWindow(Number($("width").value), Number($("level").value)));
  for (const [name, w, l] of presets) {
    const b = document.createElement("button");
    b.type = "button"; b.textContent = name;
    b.addEventListener("click", () => setWindow(w, l));
    $("presets").append(b);
  }
  for (const canvas of document.querySelectorAll('.card [data-kind="image"] canvas')) {
    canvas.addEventListener("pointermove", (e) => {
      readout(place(canvas, e));
      if (e.buttons === 1) setWindow(state.width + 4 * e.movementX, state.level - 2 * e.movementY);
    });
    canvas.addEventListener("dblclick", (e) => {
      const p = place(canvas, e);
      state.square.x = p.x - state.square.side / 2; state.square.y = p.y - state.square.side / 2;
      redraw();
    });
  }
}
