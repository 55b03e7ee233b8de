"use strict";
// The two images of a job on one another, with a slider, a slice and a window.
const viewer = (() => {
  const el = id => document.getElementById(id);
  const presets = [["Soft tissue", 40, 400], ["Lung", -600, 1500], ["Bone", 400, 1800], ["Wide", 0, 2000]];
  let job = null, timer = 0;

  function url(method) {
    return "/results/" + encodeURIComponent(job.id) + "/image?" + new URLSearchParams({ method, slice: el("vslice").value, level: el("vlevel").value, width: el("vwidth").value });
  }
  function draw() {
    const a = el("va").value, b = el("vb").value, n = el("vslice").value;
    el("vsliceout").value = n + " / " + el("vslice").max;
    show(el("over"), url(a), a + ", slice " + n);
    show(el("under"), url(b), b + ", slice " + n);
    el("tagl").textContent = a; el("tagr").textContent = b;
    for (const p of el("vpresets").children) p.setAttribute("aria-pressed", String(p.dataset.l === el("vlevel").value && p.dataset.w === el("vwidth").value));
    split();
  }
  function show(img, src, alt) {
    img.alt = alt;
    if (img.getAttribute("src") !== src) img.src = src;
  }
  function soon() { clearTimeout(timer); timer = setTimeout(draw, 60); }
  function split() {
    const x = Number(el("vsplit").value);
    el("over").style.clipPath = "inset(0 " + (100 - x) + "% 0 0)";
    el("edge").style.left = x + "%";
  }
  function point(e) {
    if (!(e.buttons & 1)) return;
    const box = el("stage").getBoundingClientRect();
    el("vsplit").value = String(100 * (e.clientX - box.left) / box.width);
    split();
  }
  function setup() {
    for (const [name, l, w] of presets) {
      const b = document.createElement("button");
      b.type = "button"; b.textContent = name; b.dataset.l = String(l); b.dataset.w = String(w);
      b.addEventListener("click", () => { el("vlevel").value = l; el("vwidth").value = w; draw(); });
      el("vpresets").append(b);
    }
    for (const id of ["va", "vb", "vlevel", "vwidth"]) el(id).addEventListener("change", draw);
    el("vslice").addEventListener("input", soon);
    el("vsplit").addEventListener("input", split);
    el("stage").addEventListener("pointerdown", e => { el("stage").setPointerCapture(e.pointerId); point(e); });
    el("stage").addEventListener("pointermove", point);
    el("stage").addEventListener("wheel", e => { e.preventDefault(); el("vslice").value = String(Number(el("vslice").value) + Math.sign(e.deltaY)); soon(); }, { passive: false });
    el("vclose").addEventListener("click", () => el("viewer").close());
  }
  function open(j, title) {
    job = j;
    el("vtitle").textContent = title;
    for (const [id, at] of [["va", 0], ["vb", j.images.length - 1]]) {
      el(id).replaceChildren(...j.images.map((m, i) => new Option(m.name, m.name, i === at, i === at)));
    }
    const n = Math.min(...j.images.map(m => m.slices));
    el("vslice").max = String(n);
    el("vslice").value = String(Math.ceil(n / 2));
    el("vlevel").value = "40"; el("vwidth").value = "400"; el("vsplit").value = "50";
    draw();
    el("viewer").showModal();
    el("vslice").focus();
  }
  setup();
  return { open };
})();
