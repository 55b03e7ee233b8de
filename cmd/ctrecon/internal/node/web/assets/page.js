"use strict";
// The page of the node: it asks /api/state now and then, and draws what has changed.
(() => {
  const el = id => document.getElementById(id);
  const every = 3000, away = 30000;
  const groups = [["", "All"], ["work", "In work"], ["attention", "Needs attention"], ["done", "Done"], ["other", "Other"]];
  const looks = { receiving: "busy", queued: "busy", running: "busy", delivering: "busy", done: "good", failed: "bad", "delivery failed": "bad", kept: "idle", cancelled: "idle", superseded: "idle" };
  const page = 50;
  const ask = { group: "", q: "", offset: 0 };
  const open = new Map(); // detail rows by key
  let tag = "", seen = null, timer = 0, asked = 0;

  // make builds an element: text is always text.
  function make(name, attrs, ...children) {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attrs || {})) {
      if (v === null || v === undefined || v === false) continue;
      if (k === "on") e.addEventListener("click", v); else e.setAttribute(k, v === true ? "" : String(v));
    }
    e.append(...children.filter(c => c !== null && c !== undefined && c !== ""));
    return e;
  }
  const size = n => n < 0 ? "?" : n >= 2 ** 40 ? (n / 2 ** 40).toFixed(1) + " TiB" : n >= 2 ** 30 ? (n / 2 ** 30).toFixed(1) + " GiB" : n >= 2 ** 20 ? (n / 2 ** 20).toFixed(0) + " MiB" : Math.ceil(n / 1024) + " KiB";
  const short = uid => uid.length > 22 ? "…" + uid.slice(-18) : uid;
  function time(t) {
    const d = new Date(t), now = new Date();
    const clock = d.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
    return make("time", { datetime: t, title: d.toString() }, d.toDateString() === now.toDateString() ? clock : d.toISOString().slice(0, 10) + " " + clock.slice(0, 5));
  }
  function took(a, b) {
    const s = Math.max(0, Math.round((new Date(b) - new Date(a)) / 1000));
    return s < 60 ? s + " s" : s < 3600 ? Math.floor(s / 60) + " min " + s % 60 + " s" : Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  }
  function say(text, wrong) {
    el("said").textContent = text;
    el("said").className = wrong ? "wrong" : "";
  }

  async function call(method, url, body) {
    const r = await fetch(url, { method, body, headers: method === "POST" ? { "X-Ctrecon": "1" } : {} });
    if (r.status === 401) { location.assign("/login"); throw new Error("log in again"); }
    if (r.status === 204) return null;
    const text = await r.text();
    let v = {};
    try { v = JSON.parse(text); } catch { v = { error: text.slice(0, 200) }; }
    if (!r.ok) throw new Error(v.error || "status " + r.status);
    return v;
  }
  async function act(what, url, button) {
    button.disabled = true;
    try {
      await call("POST", url);
      say(what);
    } catch (e) {
      say(e.message, true);
      button.disabled = false;
    }
    poll();
  }

  async function poll() {
    clearTimeout(timer);
    const mine = ++asked;
    let fresh = false;
    try {
      const q = new URLSearchParams({ offset: ask.offset, limit: page, group: ask.group, q: ask.q });
      const r = await fetch("/api/state?" + q, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (r.status === 401) { location.assign("/login"); return; }
      if (mine !== asked) return;
      if (r.status === 200) {
        tag = r.headers.get("ETag") || "";
        seen = await r.json();
        fresh = true;
      } else if (r.status !== 304) throw new Error();
      if (lost) { lost = false; health(); }
    } catch {
      lost = true;
      health();
    }
    timer = setTimeout(poll, document.hidden ? away : every);
    if (fresh) draw(); // a fault in drawing is none of the node's
  }
  let lost = false;

  function health() {
    const h = el("health");
    if (lost) { h.className = "bad"; h.textContent = "the node does not answer"; return; }
    h.className = seen.ready ? "good" : "bad";
    h.textContent = seen.ready ? "takes objects" : "takes no objects";
  }

  function draw() {
    health();
    el("version").textContent = seen.version;
    el("disk").textContent = size(seen.kept) + " received, " + size(seen.diskFree) + " of disk free";
    el("logout").hidden = !seen.token;
    el("problems").hidden = seen.problems.length === 0;
    el("problems").replaceChildren(...seen.problems.map(p => make("li", {}, p)));
    drawGroups(); drawRows(); drawDestinations(); drawQuarantine();
    el("rulesfile").textContent = seen.rules || "No file: every CT series of 3 slices or more gets 25 views and the default method; results stay here.";
    el("rulesbox").hidden = !seen.rules;
  }
  function drawGroups() {
    const all = Object.values(seen.groups).reduce((a, b) => a + b, 0);
    groups.forEach(([id, name], i) => {
      const b = el("groups").children[i], n = id ? seen.groups[id] || 0 : all;
      b.textContent = name + " " + n;
      b.setAttribute("aria-pressed", String(ask.group === id));
      b.classList.toggle("bad", id === "attention" && n > 0 && ask.group !== id);
    });
  }

  function drawRows() {
    const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.id : "";
    const out = [];
    for (const r of seen.rows) {
      out.push(row(r));
      const d = open.get(r.key);
      if (d) { out.push(d.tr); refresh(r, d); }
    }
    el("rows").replaceChildren(...out);
    if (focus) { const again = el("rows").querySelector('[data-id="' + CSS.escape(focus) + '"]'); if (again) again.focus({ preventScroll: true }); }
    el("empty").hidden = seen.rows.length > 0;
    el("empty").textContent = ask.q || ask.group ? "Nothing fits." : "Nothing has arrived yet.\nSend a series to this node by DICOM (C-STORE) or DICOMweb, or drop files here.";
    el("series").hidden = seen.rows.length === 0;
    el("pages").hidden = seen.total <= page;
    el("where").textContent = (seen.offset + 1) + " to " + (seen.offset + seen.rows.length) + " of " + seen.total;
    el("newer").disabled = seen.offset === 0;
    el("older").disabled = seen.offset + seen.rows.length >= seen.total;
  }
  function row(r) {
    const title = r.description || (r.modality ? r.modality + " series" : "series");
    return make("tr", { class: "row" + (open.has(r.key) ? " open" : "") },
      make("td", { class: "state" }, make("span", { class: "dot " + (looks[r.state] || "idle") }, r.state)),
      make("td", { class: "series" },
        make("button", { class: "name", type: "button", "data-id": "name " + r.key, "aria-expanded": String(open.has(r.key)), on: () => toggle(r) }, title), " ",
        r.modality ? make("span", { class: "mod" }, r.modality) : "",
        make("small", {}, r.uid ? make("code", { title: r.uid }, short(r.uid)) : r.key)),
      make("td", {}, r.calling || "upload"),
      make("td", { class: "n" }, String(r.uid ? r.images : (r.job && r.job.slices) || ""), extra(r)),
      make("td", { class: "job" }, ...jobCell(r)),
      make("td", { class: "to" }, ...delivery(r.job)),
      make("td", { class: "when" }, time(r.active)),
      make("td", { class: "acts" }, ...actions(r)));
  }
  function extra(r) {
    const parts = [];
    if (r.objects > r.images) parts.push((r.objects - r.images) + " other");
    if (r.duplicates) parts.push(r.duplicates + " again");
    if (r.conflicts) parts.push(r.conflicts + " in conflict");
    return parts.length ? make("small", { class: r.conflicts ? "bad" : "" }, parts.join(", ")) : "";
  }
  function jobCell(r) {
    const j = r.job;
    if (r.state === "receiving") return [r.new + " new object" + (r.new === 1 ? "" : "s"), make("small", {}, r.check || "waits until nothing more comes")];
    if (!j) return [make("small", {}, r.note || "no job")];
    const out = ["rule " + j.rule, j.revision > 1 ? ", revision " + j.revision : ""];
    if (j.state === "running") {
      const m = /(\d+)\s*(?:\/|of)\s*(\d+)/.exec(j.progress || "");
      out.push(make("small", {}, j.progress || "starting"));
      if (m && Number(m[2]) > 0) out.push(make("progress", { max: m[2], value: m[1], "aria-label": "progress" }));
    } else if (j.state === "queued" && j.tries) {
      out.push(make("small", { class: "why" }, "try " + j.tries + ": " + j.reason));
    } else if (j.state === "done") {
      out.push(make("small", {}, j.objects + " objects in " + took(j.started, j.ended)));
    } else if (j.reason) {
      out.push(make("small", { class: j.state === "failed" ? "why" : "" }, j.reason));
    }
    return out;
  }
  function delivery(j) {
    if (!j || !j.deliveries) return [];
    return j.deliveries.map(d => make("div", {},
      make("span", { class: d.failed ? "bad" : d.waiting ? "busy" : "good" }, d.destination + " "),
      d.sent + "/" + (d.sent + (d.waiting || 0) + (d.failed || 0)),
      d.failed ? make("small", { class: "why" }, d.failed + " failed: " + d.status) : d.waiting ? make("small", { title: d.status }, d.waiting + " waiting") : ""));
  }
  function actions(r) {
    const j = r.job, out = [];
    const button = (id, text, what, url, cls) => out.push(make("button", { type: "button", class: cls || "", "data-id": id + " " + r.key, on: e => act(what, url, e.currentTarget) }, text));
    if (r.state === "receiving") button("start", "Start now", "The series starts as it is.", "/api/series/" + encodeURIComponent(r.uid) + "/start");
    if (r.state === "kept") button("look", "Look again", "The rules are asked again.", "/api/series/" + encodeURIComponent(r.uid) + "/start");
    if (!j) return out;
    const base = "/api/jobs/" + encodeURIComponent(j.id);
    if (j.state === "failed" || j.state === "cancelled") button("retry", "Try again", "The job is tried again.", base + "/retry", "main");
    if (j.state === "queued" || j.state === "running") button("cancel", "Cancel", "The job is cancelled.", base + "/cancel");
    if (r.state === "delivery failed") button("again", "Deliver again", "What was refused is sent again.", base + "/deliveries/retry", "main");
    if (j.state === "done") out.push(make("a", { class: "button", href: "/results/" + encodeURIComponent(j.id) + "/files/report.html", target: "_blank", rel: "noopener", "data-id": "report " + r.key }, "Report"));
    return out;
  }

  function toggle(r) {
    if (open.has(r.key)) open.delete(r.key);
    else open.set(r.key, { tr: make("tr", { class: "detail" }, make("td", { colspan: 8 }, "…")), sign: "" });
    drawRows();
  }
  async function refresh(r, d) {
    const sign = JSON.stringify(r);
    if (d.sign === sign) return;
    d.sign = sign;
    let j = null;
    try { if (r.job) j = await call("GET", "/api/jobs/" + encodeURIComponent(r.job.id)); } catch (e) { say(e.message, true); }
    d.tr.firstChild.replaceChildren(make("div", { class: "cols" }, facts("Series", seriesFacts(r)), j ? facts("Job", jobFacts(j)) : ""), links(r, j));
  }
  function facts(title, list) {
    const dl = make("dl");
    for (const [k, v] of list) if (v !== "" && v !== undefined && v !== null) dl.append(make("dt", {}, k), make("dd", {}, v));
    return make("div", {}, make("h3", {}, title), dl);
  }
  function seriesFacts(r) {
    if (!r.uid) return [["Kind", "uploaded sinogram"]];
    return [["Series", make("code", {}, r.uid)], ["Study", make("code", {}, r.study)], ["From", r.calling + " to " + r.called], ["Objects", r.objects + ", of them " + r.images + " CT images"],
      ["Last object", time(r.last)], ["Geometry", r.check], ["Note", r.note]];
  }
  function jobFacts(j) {
    const list = [["Job", make("code", {}, j.id)], ["State", j.state + (j.tries > 1 ? ", " + j.tries + " tries" : "")], ["Reason", j.reason ? make("span", { class: j.state === "failed" ? "why" : "" }, j.reason) : ""],
      ["Complete because", j.why], ["Runs", make("code", {}, "ctrecon " + (j.args || []).join(" "))], ["Made", time(j.created)],
      ["Time", j.ended && j.started ? took(j.started, j.ended) : ""], ["Next try", j.state === "queued" && j.next ? time(j.next) : ""]];
    for (const d of j.deliveries || []) list.push(["To " + d.destination, (d.sent || 0) + " sent" + (d.committed ? ", " + d.committed + " committed" : "") + (d.waiting ? ", " + d.waiting + " waiting" : "") + (d.failed ? ", " + d.failed + " failed" : "") + (d.status && (d.waiting || d.failed) ? ": " + d.status : "")]);
    for (const o of j.others) list.push(["Revision " + o.revision, o.state + (o.reason ? ": " + o.reason : "")]);
    return list;
  }
  function links(r, j) {
    const box = make("p", { class: "links" });
    if (!j || j.state !== "done") return box;
    const base = "/results/" + encodeURIComponent(j.id);
    if (j.images.length > 0) box.append(make("button", { type: "button", class: "main", "data-id": "view " + r.key, on: () => viewer.open(j, r.description || "Result") }, j.images.length > 1 ? "Compare images" : "Images"));
    for (const f of j.files) box.append(make("a", { class: "button", href: base + "/files/" + encodeURIComponent(f), target: "_blank", rel: "noopener" }, f));
    box.append(make("a", { class: "button", href: base + "/dicom.zip", download: true }, "DICOM as ZIP"));
    return box;
  }

  function drawDestinations() {
    const list = seen.destinations.map(p => make("li", {},
      make("span", { class: "right dot " + (p.failed ? "bad" : p.waiting ? "busy" : "good") }, p.failed ? p.failed + " failed" : p.waiting ? p.waiting + " waiting" : p.sent ? "all sent" : "nothing to send"),
      make("b", {}, p.name),
      make("small", {}, p.address || "not in the rules any more", p.commit ? ", storage commitment" : ""),
      make("small", {}, p.sent + " sent"),
      p.status && (p.failed || p.waiting) ? make("small", { class: "why" }, p.status) : "",
      p.waiting && p.next ? make("small", {}, "next try ", time(p.next)) : ""));
    el("destinations").replaceChildren(...(list.length ? list : [make("li", { class: "none" }, "None: results stay on this node.")]));
  }
  function drawQuarantine() {
    el("quarantined").textContent = seen.quarantined ? String(seen.quarantined) : "";
    el("quarantined").className = "count" + (seen.quarantined ? " bad" : "");
    const list = seen.quarantine.map(q => make("li", {}, make("span", { class: "right" }, time(q.time)), make("b", {}, q.from || "?"), " " + size(q.bytes),
      make("small", { class: "why" }, q.reason), q.uid ? make("small", {}, make("code", { title: q.uid }, short(q.uid))) : ""));
    if (seen.quarantined > seen.quarantine.length) list.push(make("li", { class: "none" }, "and " + (seen.quarantined - seen.quarantine.length) + " older ones in the data folder"));
    el("quarantine").replaceChildren(...(list.length ? list : [make("li", { class: "none" }, "Empty: every object was understood.")]));
  }

  async function upload(files) {
    let objects = 0, again = 0, jobs = 0, wrong = [];
    for (let i = 0; i < files.length; i++) {
      say("Uploading " + (i + 1) + " of " + files.length + " …");
      try {
        const u = await call("POST", "/api/upload?" + new URLSearchParams({ name: files[i].name }), files[i]);
        objects += u.objects || 0; again += u.duplicates || 0; jobs += u.job ? 1 : 0;
        if (u.refused) wrong.push(u.reason);
      } catch (e) { wrong.push(e.message); }
    }
    const parts = [];
    if (objects) parts.push(objects + " object" + (objects === 1 ? "" : "s") + " taken");
    if (again) parts.push(again + " were here already");
    if (jobs) parts.push(jobs + " sinogram" + (jobs === 1 ? "" : "s") + " in the queue");
    if (wrong.length) parts.push(wrong.length + " refused: " + wrong[0]);
    say("Upload: " + parts.join(", ") + ".", wrong.length > 0);
    poll();
  }
  function drops() {
    let depth = 0;
    const files = e => e.dataTransfer && [...e.dataTransfer.types].includes("Files");
    addEventListener("dragenter", e => { if (files(e)) { depth++; el("drop").hidden = false; } });
    addEventListener("dragleave", e => { if (files(e) && --depth <= 0) { depth = 0; el("drop").hidden = true; } });
    addEventListener("dragover", e => { if (files(e)) e.preventDefault(); });
    addEventListener("drop", e => { if (!files(e)) return; e.preventDefault(); depth = 0; el("drop").hidden = true; upload([...e.dataTransfer.files]); });
    el("choose").addEventListener("click", () => el("file").click());
    el("file").addEventListener("change", () => { upload([...el("file").files]); el("file").value = ""; });
  }
  function change(part) { Object.assign(ask, { offset: 0 }, part); tag = ""; poll(); }

  for (const [id, name] of groups) el("groups").append(make("button", { type: "button", "aria-pressed": "false", on: () => change({ group: id }) }, name));
  let typing = 0;
  el("find").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => change({ q: el("find").value }), 250); });
  el("newer").addEventListener("click", () => change({ offset: Math.max(0, ask.offset - page) }));
  el("older").addEventListener("click", () => change({ offset: ask.offset + page }));
  el("rulesbox").addEventListener("toggle", async () => { if (el("rulesbox").open) el("rules").textContent = (await call("GET", "/api/rules")).text; });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  addEventListener("keydown", e => { if (e.key === "/" && !e.ctrlKey && !["INPUT", "SELECT"].includes(document.activeElement.tagName)) { e.preventDefault(); el("find").focus(); } });
  drops();
  poll();
})();
