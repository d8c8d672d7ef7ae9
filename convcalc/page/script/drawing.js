// The drawings: one SVG per depth, zoomed and moved by its viewBox; over each box lies a rectangle that can be selected.

const LEAST_SCALE = 0.42, READ_SCALE = 0.8; // of a drawing: below the one its text cannot be read, at the other it can
const stages = networks.map((network) => ({ network, depth: network.shown, views: [], stage: null }));

function buildDrawings() {
  if (!networks.some((network) => network.drawings.length)) { byId("drawing").hidden = true; return; }
  replace(byId("depths"), ...(Math.max(...networks.map((network) => network.drawings.length)) > 1
    ? longest().map((drawing, place) => element("button", {
      type: "button", text: drawing.label, "aria-label": drawing.label === "all" ? "every layer" : `folded to ${drawing.label} path segments`,
      "aria-pressed": String(place === networks[0].shown), onclick: () => showDepth(place),
    })) : []));
  byId("fold").hidden = !byId("depths").children.length;
  stages.forEach(buildStage);
  byId("zoom-in").addEventListener("click", () => stages.forEach((stage) => zoom(stage, 1 / 1.3)));
  byId("zoom-out").addEventListener("click", () => stages.forEach((stage) => zoom(stage, 1.3)));
  byId("zoom-fit").addEventListener("click", () => stages.forEach(fit));
  byId("find").addEventListener("input", () => find(false));
  byId("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); find(true); }
    if (event.key === "Escape") { byId("find").value = ""; find(false); }
  });
  window.addEventListener("resize", measureStages);
  window.addEventListener("beforeprint", () => stages.forEach(fit));
}

const longest = () => networks.map((network) => network.drawings).reduce((a, b) => (b.length > a.length ? b : a));
const current = (stage) => stage.views[stage.depth];

function buildStage(stage, place) {
  stage.stage = byId(`stage-${place}`);
  stage.views = stage.network.drawings.map((drawing, depth) => {
    const svg = stage.stage.querySelectorAll("svg")[depth];
    const whole = svg.getAttribute("viewBox").split(/\s+/).map(Number);
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    const texts = [...svg.querySelectorAll("text")];
    const sized = drawing.texts.map(([number, layer, before, after, main]) => ({ text: texts[number], layer, before, after, main, first: texts[number].textContent, fit: texts[number].getAttribute("textLength") }));
    const boxes = [...svg.querySelectorAll("rect.box")].map((hit, number) => {
      const [left, top, width, height] = ["x", "y", "width", "height"].map((name) => Number(hit.getAttribute(name)));
      const label = hit.getAttribute("aria-label");
      const layers = (hit.dataset.layers || "").split(" ").filter(Boolean).map(Number);
      hit.append(element("svg:title", { text: label }));
      return { left, top, right: left + width, bottom: top + height, label, layers, copies: drawing.copies[number] ?? [], hit, number };
    });
    for (const box of boxes) {
      box.hit.setAttribute("tabindex", box.number ? "-1" : "0");
      box.hit.addEventListener("focus", () => { for (const other of boxes) other.hit.setAttribute("tabindex", other === box ? "0" : "-1"); });
    }
    const ring = element("svg:g", { class: "rings", "aria-hidden": "true" });
    svg.insertBefore(ring, boxes[0].hit.parentNode);
    return { svg, whole, view: [...whole], boxes, ring, sized };
  });
  stage.stage.addEventListener("wheel", (event) => wheel(stage, event), { passive: false });
  stage.stage.addEventListener("keydown", (event) => keys(stage, event));
  drags(stage);
  showView(stage);
  begin(stage);
}

function showDepth(depth) {
  for (const stage of stages) {
    stage.depth = Math.min(depth, stage.views.length - 1);
    showView(stage);
    begin(stage);
    ringSelected(stage);
  }
  pressed(byId("depths"), depth);
  find(false);
}

function showView(stage) {
  stage.views.forEach((view, depth) => { view.svg.toggleAttribute("hidden", depth !== stage.depth); view.svg.classList.toggle("shown", depth === stage.depth); });
  ringSelected(stage);
  measureStages();
}

// No stage is higher than its drawing needs.
function measureStages() {
  const built = stages.filter(current);
  const needed = built.map((stage) => {
    const { whole } = current(stage);
    return (stage.stage.clientWidth * whole[3]) / whole[2];
  });
  for (const stage of built) stage.stage.style.maxHeight = `${Math.max(360, Math.ceil(Math.max(...needed)) + 2)}px`;
}

function setView(view, box) {
  view.view = box;
  view.svg.setAttribute("viewBox", box.map((value) => value.toFixed(2)).join(" "));
}

// The whole drawing, or where that could not be read, its beginning.
function begin(stage) {
  const view = current(stage);
  if (!view) return;
  fit(stage);
  const [left, top, width] = view.whole, { clientWidth, clientHeight } = stage.stage;
  const scale = Math.min(clientWidth / width, clientHeight / view.whole[3]);
  if (!clientWidth || scale >= LEAST_SCALE) return;
  const box = [clientWidth / READ_SCALE, clientHeight / READ_SCALE];
  const first = view.boxes[0], x = Math.max(left, Math.min((first.left + first.right) / 2 - box[0] / 2, left + width - box[0]));
  setView(view, [width < box[0] ? left + (width - box[0]) / 2 : x, top, ...box]);
}

function fit(stage) {
  const view = current(stage);
  if (view) setView(view, [...view.whole]);
}

// about: a point of the drawing that stays where it is.
function zoom(stage, factor, about = null) {
  const view = current(stage);
  if (!view) return;
  const [left, top, width, height] = view.view;
  const least = view.whole[2] / 40, most = view.whole[2] * 1.2;
  const by = Math.min(most, Math.max(least, width * factor)) / width;
  const [x, y] = about ?? [left + width / 2, top + height / 2];
  setView(view, [x - (x - left) * by, y - (y - top) * by, width * by, height * by]);
}

function pointIn(svg, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [point.x, point.y];
}

function wheel(stage, event) {
  const view = current(stage);
  if (!view) return;
  const out = event.deltaY > 0;
  if (out && view.view[2] >= view.whole[2] * 0.999 && !event.ctrlKey) return; // all of it is seen: the page scrolls
  event.preventDefault();
  zoom(stage, Math.exp(Math.min(100, Math.max(-100, event.deltaY)) * 0.003), pointIn(view.svg, event));
  if (view.view[2] >= view.whole[2]) fit(stage);
}

function drags(stage) {
  let from = null, moved = false;
  stage.stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const view = current(stage);
    from = { x: event.clientX, y: event.clientY, view: [...view.view], scale: view.svg.getScreenCTM().a };
    moved = false;
  });
  stage.stage.addEventListener("pointermove", (event) => {
    if (!from || !(event.buttons & 1)) { from = null; return; }
    const across = event.clientX - from.x, down = event.clientY - from.y;
    if (!moved && Math.hypot(across, down) < 4) return;
    if (!moved) { moved = true; stage.stage.setPointerCapture(event.pointerId); stage.stage.classList.add("moving"); }
    const [left, top, width, height] = from.view;
    setView(current(stage), [left - across / from.scale, top - down / from.scale, width, height]);
  });
  const end = () => { from = null; stage.stage.classList.remove("moving"); };
  stage.stage.addEventListener("pointerup", end);
  stage.stage.addEventListener("pointercancel", end);
  stage.stage.addEventListener("click", (event) => {
    if (moved) { moved = false; return; }
    const box = current(stage)?.boxes.find(({ hit }) => hit === event.target);
    if (box) choose(stage, box);
  });
}

function choose(stage, box, focus = true) {
  select(stage.network.place, box.layers, { label: box.label, copies: box.copies, from: "drawing" });
  if (focus) box.hit.focus({ preventScroll: true });
}

function keys(stage, event) {
  const view = current(stage);
  if (!view) return;
  const at = view.boxes.findIndex(({ hit }) => hit === document.activeElement);
  const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: view.boxes.length - 1 }[event.key];
  if (at >= 0 && to !== undefined) {
    event.preventDefault();
    const next = view.boxes[Math.max(0, Math.min(view.boxes.length - 1, to))];
    next.hit.focus({ preventScroll: true });
    bringIntoView(view, next);
  } else if (at >= 0 && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    choose(stage, view.boxes[at]);
  } else if (event.key === "+" || event.key === "=") zoom(stage, 1 / 1.3);
  else if (event.key === "-") zoom(stage, 1.3);
  else if (event.key === "0") fit(stage);
}

function bringIntoView(view, box) {
  const [left, top, width, height] = view.view;
  const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
  if (x < left || x > left + width || y < top || y > top + height) setView(view, [x - width / 2, y - height / 2, width, height]);
}

// The box that stands for a layer, or for a copy of it.
function boxOf(view, layer) {
  return view.boxes.find((box) => box.layers.includes(layer)) ?? view.boxes.find((box) => box.copies.some((copy) => copy.includes(layer)));
}

function ringSelected(stage) {
  const view = current(stage);
  if (!view) return;
  view.boxes.forEach(({ hit }) => hit.removeAttribute("aria-pressed"));
  view.ring.replaceChildren();
  if (state.network !== stage.network.place || !state.layers.length) return;
  const chosen = [...new Set(state.layers.map((layer) => boxOf(view, layer)).filter(Boolean))];
  for (const box of chosen) {
    box.hit.setAttribute("aria-pressed", "true");
    for (const name of ["outer", "inner"]) {
      view.ring.append(element("svg:rect", {
        class: `ring ${name}`, x: box.left - 3, y: box.top - 3, width: box.right - box.left + 6, height: box.bottom - box.top + 6, rx: 7,
      }));
    }
  }
  if (chosen.length) bringIntoView(view, chosen[0]);
}

function matches(stage) {
  const wanted = byId("find").value.trim().toLowerCase();
  const view = current(stage);
  if (!view || !wanted) return [];
  const names = stage.network.layers;
  return view.boxes.filter((box) => box.label.toLowerCase().includes(wanted)
    || [box.layers, ...box.copies].some((layers) => layers.some((layer) => names[layer].name.toLowerCase().includes(wanted))));
}

function find(next) {
  let shown = 0, all = 0;
  for (const stage of stages) {
    const view = current(stage);
    if (!view) continue;
    const hits = matches(stage);
    view.boxes.forEach((box) => box.hit.classList.toggle("found", hits.includes(box)));
    shown += hits.length;
    all += view.boxes.length;
  }
  byId("find-count").textContent = byId("find").value.trim() ? `${count(shown)} of ${plural(all, "box").replace("boxs", "boxes")}` : "";
  if (!next || !shown) return;
  const every = stages.flatMap((stage) => matches(stage).map((box) => ({ stage, box })));
  const at = every.findIndex(({ stage, box }) => stage.network.place === state.network && box.layers === state.layers);
  const { stage, box } = every[(at + 1) % every.length];
  choose(stage, box, false);
  bringIntoView(current(stage), box);
}

on("select", () => stages.forEach(ringSelected));
on("figures", (place) => {
  const { network, views } = stages[place];
  for (const { sized, boxes } of views) {
    const named = new Map();
    for (const { text, layer, before, after, main, first, fit: wide } of sized) {
      text.textContent = network.changed ? movedText(network, layer, before, after, main) : first;
      if (main !== null) named.set(main, [first, text.textContent]);
      const box = main === null ? null : boxes.find(({ layers }) => layers[0] === main);
      const room = box ? box.right - box.left - 6 : Infinity;
      if (wide && text.textContent === first) text.setAttribute("textLength", wide); // it was set to this width
      else if (wide && (wide * text.textContent.length) / first.length > room) text.setAttribute("textLength", room);
      else text.removeAttribute("textLength");
    }
    for (const { hit, label, layers } of boxes) {
      const [first, now] = named.get(layers[0]) ?? ["", ""];
      const words = label.startsWith(first) ? now + label.slice(first.length) : label;
      const last = layers.length ? network.layers[layers.at(-1)] : null;
      const moved = network.changed && last ? words.replace(/output [0-9×]+$/, `output ${sizes(last.now.shape)}`) : label;
      hit.setAttribute("aria-label", moved);
      hit.querySelector("title").textContent = moved;
    }
  }
});

// What a text of the drawing says where sliders have moved; nothing for what a frame says of its copies.
function movedText(network, layer, before, after, main) {
  if (layer === null) return "";
  const drawn = main === null ? null : network.layers[main].now.drawn;
  if (drawn) return drawn;
  const shape = layer < 0 ? inputShape(network, layer) : network.layers[layer].now.shape;
  if (before === null) return (after ?? "") + sizes(shape);
  return after === null ? before : `${before}${shape[0]}${after}`;
}
