"use strict";
// Decodes the packed pictures and draws images, differences and zooms of a slice.
const data = JSON.parse(document.getElementById("report-data").textContent);
const $ = (id) => document.getElementById(id);
const cache = new Map();
const state = {slice: data.start || 0, width: 400, level: 40, range: 200, against: null, square: (data.zoom || [0, 0, 32]).slice()};
const presets = [["Soft tissue", 400, 40], ["Lung", 1500, -600], ["Bone", 1800, 400], ["Full", 3000, 500]];

// decode gives the values of a picture: code = 256 red + green, 0 is no value.
function decode(p) {
  if (!cache.has(p.id)) {
    cache.set(p.id, new Promise((done, fail) => {
      const im = new Image();
      im.onload = () => {
        const c = document.createElement("canvas");
        c.width = p.w; c.height = p.h;
        const g = c.getContext("2d", {willReadFrequently: true});
        g.drawImage(im, 0, 0);
        const px = g.getImageData(0, 0, p.w, p.h).data, out = new Float32Array(p.w * p.h);
        for (let i = 0; i < out.length; i++) {
          const code = 256 * px[4 * i] + px[4 * i + 1];
          out[i] = code ? p.offset + p.step * (code - 1) : NaN;
        }
        done({w: p.w, h: p.h, v: out});
      };
      im.onerror = fail;
      im.src = "data:image/png;base64," + $(p.id).textContent.trim();
    }));
  }
  return cache.get(p.id);
}

const grey = (v) => { const t = Math.max(0, Math.min(255, 255 * ((v - state.level) / state.width + .5))); return [t, t, t]; };
const signed = (v) => {
  const t = Math.max(-1, Math.min(1, v / state.range)), k = Math.round(255 * (1 - Math.abs(t)));
  return t < 0 ? [k, k, 255] : [255, k, k];
};

function paint(canvas, pic, colour, crop) {
  if (!canvas) return;
  const [y0, x0, h, w] = crop || [0, 0, pic.h, pic.w];
  canvas.width = w; canvas.height = h;
  const g = canvas.getContext("2d"), im = g.createImageData(w, h);
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
    const v = pic.v[(y + y0) * pic.w + x + x0], c = Number.isNaN(v) ? [128, 128, 128] : colour(v), i = 4 * (y * w + x);
    im.data[i] = c[0]; im.data[i + 1] = c[1]; im.data[i + 2] = c[2]; im.data[i + 3] = 255;
  }
  g.putImageData(im, 0, 0);
}

async function draw() {
  const s = data.shown[state.slice];
  if (!s) return;
  document.querySelectorAll(".where").forEach((e) => { e.textContent = s.label; });
  const all = new Map();
  if (s.reference) all.set("ref", await decode(s.reference));
  for (let i = 0; i < s.methods.length; i++) all.set(String(i), await decode(s.methods[i].image));
  const base = all.get(state.against) || all.get(String(data.base || 0));
  for (const card of document.querySelectorAll(".card")) {
    const pic = all.get(card.dataset.m), canvas = (k) => card.querySelector(`[data-kind="${k}"] canvas`);
    if (!pic) continue;
    paint(canvas("image"), pic, grey);
    paint(canvas("diff"), {w: pic.w, h: pic.h, v: pic.v.map((v, i) => v - base.v[i])}, signed);
    const f = data.fold || 1, side = Math.max(8, Math.floor(state.square[2] / f));
    paint(canvas("zoom"), pic, grey, [Math.floor(state.square[0] / f), Math.floor(state.square[1] / f), side, side]);
  }
  if (s.sinogram && $("sino")) {
    const p = await decode(s.sinogram), hi = p.v.reduce((a, b) => Math.max(a, b), 1e-6);
    paint($("sino"), p, (v) => { const t = 255 * v / hi; return [t, t, t]; });
    $("sino-ends").textContent = `0 to ${hi.toFixed(2)} nepers`;
  }
  const m = s.methods[Number($("resid").value || 0)];
  if (m && m.residual) {
    const keep = state.range;
    state.range = 4;
    paint($("residual"), await decode(m.residual), signed);
    state.range = keep;
  }
}

function options(select, list) {
  if (!select) return;
  for (const [value, text] of list) select.add(new Option(text, value));
}

// start is called by the page when all scripts are there.
function start() {
  if (!data.shown || !data.shown.length) return;
  const labels = data.report.methods.map((m, i) => [String(i), m.label]), slider = $("slice");
  options($("against"), (data.shown[0].reference ? [["ref", "reference"]] : []).concat(labels));
  options($("range"), [50, 100, 200, 500, 1000].map((v) => [v, v]));
  options($("side"), [.125, .25, .5].map((k) => [Math.round(k * data.report.geometry.width), Math.round(k * data.report.geometry.width)]));
  options($("resid"), labels);
  state.against = $("against").value; $("range").value = "200"; $("side").value = String(Math.round(.25 * data.report.geometry.width));
  const bind = (id, f) => { const e = $(id); if (e) e.addEventListener("input", () => { f(e.value); draw(); }); };
  if (slider) { slider.max = data.shown.length - 1; slider.value = state.slice; }
  bind("slice", (v) => { state.slice = Number(v); });
  bind("against", (v) => { state.against = v; });
  bind("range", (v) => { state.range = Number(v); });
  bind("side", (v) => { state.square[2] = Number(v); });
  bind("resid", () => {});
  const show = () => { for (const k of ["width", "level"]) { $(k).value = state[k]; $(k + "-out").textContent = Math.round(state[k]); } };
  bind("width", (v) => { state.width = Number(v); show(); });
  bind("level", (v) => { state.level = Number(v); show(); });
  for (const [name, w, l] of presets) {
    const b = document.createElement("button");
    b.type = "button"; b.textContent = name;
    b.addEventListener("click", () => { state.width = w; state.level = l; show(); draw(); });
    $("presets").append(b);
  }
  const step = (d) => { state.slice = Math.max(0, Math.min(data.shown.length - 1, state.slice + d)); if (slider) slider.value = state.slice; draw(); };
  document.addEventListener("keydown", (e) => { if (e.key === "ArrowLeft") step(-1); if (e.key === "ArrowRight") step(1); });
  show();
  draw();
}
