// Core: the report's data, the state that all parts share, and the packed pictures.
const data = JSON.parse(document.getElementById("report-data").textContent);
const $ = (id) => document.getElementById(id);
const zoom = data.zoom || [0, 0, 32];
const state = {
  slice: data.start || 0, width: 400, level: 40, range: 200, against: "", zoomed: "image", map: "",
  square: {y: zoom[0], x: zoom[1], side: zoom[2]}, // of the full image
  a: "0", b: "0", front: "a", timer: 0,
  line: [[.2, .5], [.8, .5]], // ends of the profile as shares of width and height
};
const presets = [["Soft tissue", 400, 40], ["Lung", 1500, -600], ["Bone", 1800, 400], ["Full", 3000, 500]];
const colours = ["#000000", "#b3261e", "#0b5cad", "#1b7f3b", "#8a4fbf", "#b26a00", "#00798c", "#7a4b2a"];
const cache = new Map();
let pics = new Map(); // of the slice shown: "ref" or the number of a method -> {w, h, v}

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
      im.onerror = () => fail(new Error("picture " + p.id));
      im.src = "data:image/png;base64," + $(p.id).textContent.trim();
    }));
  }
  return cache.get(p.id);
}

const shown = () => data.shown[state.slice];
const labels = () => (shown().reference ? [["ref", "Reference"]] : []).concat(data.report.methods.map((m, i) => [String(i), m.label]));

// load decodes the pictures of the slice that is shown.
async function load() {
  const s = shown(), next = new Map();
  if (s.reference) next.set("ref", await decode(s.reference));
  for (let i = 0; i < s.methods.length; i++) {
    next.set(String(i), await decode(s.methods[i].image));
    const maps = s.methods[i].maps || {};
    for (const name in maps) next.set(`${name} of ${i}`, await decode(maps[name]));
  }
  if (s === shown()) pics = next;
}

function options(select, list) {
  for (const [value, text] of list) select.add(new Option(text, value));
}

// svg makes an element of a drawing.
function svg(parent, name, attributes, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
  return e;
}

function legend(box, names) {
  box.replaceChildren(...names.map(([key, label, colour]) => {
    const s = document.createElement("span"), mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    mark.setAttribute("viewBox", "0 0 34 10");
    svg(mark, "line", {x1: 0, x2: 34, y1: 5, y2: 5, stroke: colour, "stroke-width": 3});
    s.append(mark, label);
    return s;
  }));
}

const colourOf = (key) => key === "ref" ? colours[0] : colours[1 + Number(key) % (colours.length - 1)];
