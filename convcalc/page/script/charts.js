// Memory over time, and where weights, MACs and memory lie.

const CHART = { width: 900, height: 250, left: 62, right: 14, top: 26, bottom: 34 };

function buildCharts() {
  replace(byId("memory-charts"), ...networks.map((_, place) => element("figure", { id: `memory-${place}`, class: "chart" })));
  replace(byId("share-by"), ...["block", "kind", "layer"].map((by) => element("button", {
    type: "button", text: by, "aria-pressed": String(by === shares.by),
    onclick: () => { shares.by = by; pressed(byId("share-by"), ["block", "kind", "layer"].indexOf(by)); drawShares(); },
  })));
  networks.forEach((_, place) => drawMemory(place));
  drawShares();
}

// A step of 1, 2 or 5 times a power of ten, about a fourth of the largest value.
function tick(largest) {
  const power = 10 ** Math.floor(Math.log10(largest / 4 || 1));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => largest / step <= 5) ?? 10 * power;
}

function drawMemory(place) {
  const network = networks[place], { curve, peak, at } = memory(network);
  const { width, height, left, right, top, bottom } = CHART;
  const inner = width - left - right, base = height - bottom, step = tick(peak), most = Math.ceil(peak / step) * step || 1;
  const x = (index) => left + (inner * index) / curve.length;
  const y = (value) => base - ((base - top) * value) / most;
  const title = `Memory over time${networks.length > 1 ? `, ${"AB"[place]}: ${network.title}` : ""}`;
  const peakText = at === null ? `the inputs take the most: ${bytes(peak)}` : `peak ${bytes(peak)} while ${network.layers[at].name} runs`;
  const svg = element("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${title}: ${peakText}` });
  for (let value = 0; value <= most + step / 2; value += step) {
    svg.append(
      element("svg:line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      element("svg:text", { class: "tick", x: left - 8, y: y(value) + 4, "text-anchor": "end", text: bytes(value).replace(".0 ", " ") }));
  }
  const path = curve.map((value, index) => `V${y(value).toFixed(1)}H${x(index + 1).toFixed(1)}`).join("");
  svg.append(
    element("svg:path", { class: "area", d: `M${left} ${base}${path}V${base}Z` }),
    element("svg:path", { class: "curve", d: `M${left} ${y(curve[0] ?? 0).toFixed(1)}${path}` }),
    element("svg:line", { class: "axis", x1: left, x2: width - right, y1: base, y2: base }));
  const every = tick(curve.length);
  for (let index = 0; index <= curve.length; index += Math.max(1, every)) {
    svg.append(element("svg:text", { class: "tick", x: x(index), y: base + 17, "text-anchor": "middle", text: count(index) }));
  }
  svg.append(element("svg:text", { class: "tick", x: width - right, y: height - 3, "text-anchor": "end", text: "layers that have run" }));
  if (at !== null) {
    const middle = (x(at) + x(at + 1)) / 2, side = middle > width * 0.6 ? "end" : "start";
    svg.append(
      element("svg:line", { class: "peak", x1: middle, x2: middle, y1: y(peak), y2: base }),
      element("svg:circle", { class: "peak", cx: middle, cy: y(peak), r: 4.5 }),
      element("svg:text", { class: "peak-text", x: middle + (side === "end" ? -9 : 9), y: y(peak) - 8, "text-anchor": side, text: peakText }));
  }
  const cursor = element("svg:line", { class: "cursor", y1: top, y2: base, x1: -10, x2: -10 });
  const reading = element("p", { class: "reading muted", text: "Point at the curve, or use the arrow keys, to read it; Enter selects the layer." });
  const hit = element("svg:rect", { class: "chart-hit", x: left, y: top, width: inner, height: base - top, role: "slider", tabindex: "0",
    "aria-label": `${title}: layer`, "aria-valuemin": "0", "aria-valuemax": String(Math.max(0, curve.length - 1)) });
  let now = at ?? 0;
  const show = (index, moved = true) => {
    now = Math.max(0, Math.min(curve.length - 1, index));
    const layer = network.layers[now];
    if (!layer) return;
    const text = `${layer.name}: ${bytes(curve[now])} alive while it runs, ${percent(curve[now], peak)} of the peak`;
    hit.setAttribute("aria-valuenow", String(now));
    hit.setAttribute("aria-valuetext", text);
    if (!moved) return;
    cursor.setAttribute("x1", (x(now) + x(now + 1)) / 2);
    cursor.setAttribute("x2", (x(now) + x(now + 1)) / 2);
    reading.textContent = text;
  };
  show(now, false);
  hit.addEventListener("pointermove", (event) => show(Math.floor(((pointIn(svg, event)[0] - left) / inner) * curve.length)));
  hit.addEventListener("click", () => select(place, [now], { from: "memory" }));
  hit.addEventListener("keydown", (event) => {
    const to = { ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1, Home: 0, End: curve.length - 1, PageUp: now + 10, PageDown: now - 10 }[event.key];
    if (to !== undefined) { event.preventDefault(); show(to); }
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(place, [now], { from: "memory" }); }
  });
  svg.append(cursor, hit);
  replace(byId(`memory-${place}`), networks.length > 1 ? element("figcaption", { text: `${"AB"[place]}: ${network.title}` }) : null, svg, reading);
}

const shares = { by: "block" };
const MEASURES = [["weights", "weights"], ["MACs", "macs"], ["memory of outputs", "bytes"]];
const MOST_BARS = 24;

// The depth of paths at which there are at least four groups, unless deeper paths give too many.
function blockDepth(network) {
  const groups = (depth) => new Set(network.layers.map((layer) => pathOf(layer, depth))).size;
  let depth = 1;
  while (depth < 6 && groups(depth) < 4 && groups(depth + 1) <= 40) depth += 1;
  return depth;
}

const pathOf = (layer, depth) => layer.name.split(".").slice(0, depth).join(".");

function grouped(network) {
  const depth = blockDepth(network), groups = new Map();
  for (const layer of network.layers) {
    const key = { block: () => pathOf(layer, depth), kind: () => layer.kind, layer: () => layer.name }[shares.by]();
    const group = groups.get(key) ?? { key, layers: [], weights: 0, macs: 0, bytes: 0 };
    group.layers.push(layer.index);
    for (const measure of ["weights", "macs", "bytes"]) group[measure] += layer.now[measure];
    groups.set(key, group);
  }
  let shown = [...groups.values()];
  const all = shown.length;
  if (shares.by !== "kind") {
    const counted = shown.filter((group) => group.weights || group.macs);
    if (counted.length) shown = counted;
  } else shown.sort((a, b) => b.macs - a.macs || b.weights - a.weights || b.bytes - a.bytes);
  if (shown.length > MOST_BARS) {
    const sums = totals(network);
    const share = (group) => group.weights / (sums.weights || 1) + group.macs / (sums.macs || 1);
    const kept = new Set([...shown].sort((a, b) => share(b) - share(a)).slice(0, MOST_BARS));
    shown = shown.filter((group) => kept.has(group));
  }
  return { shown, left: all - shown.length };
}

function drawShares() {
  replace(byId("shares"), ...networks.map((network, place) => {
    const { shown, left } = grouped(network), sums = totals(network);
    const most = Object.fromEntries(MEASURES.map(([, key]) => [key, Math.max(...shown.map((group) => group[key]), 1)]));
    const rows = shown.map((group) => element("tr", {},
      element("th", { scope: "row" }, element("button", {
        type: "button", class: "row-name", onclick: () => select(place, group.layers, { label: group.key, from: "shares" }),
      }, shares.by === "block" ? null : chip(network.layers[group.layers[0]].fill), ...breakable(group.key))),
      ...MEASURES.map(([, key]) => {
        const bar = element("span", { class: `bar ${key}` });
        bar.style.width = `${(100 * group[key]) / most[key]}%`;
        bar.hidden = !group[key];
        return element("td", {}, element("span", { class: "track" }, bar),
          element("span", { class: "amount", text: key === "bytes" ? bytes(group[key]) : rounded(group[key]) }),
          element("span", { class: "share muted", text: group[key] ? percent(group[key], sums[key]) : "" }));
      })));
    return element("table", { class: "shares" },
      element("caption", { text: networks.length > 1 ? `${"AB"[place]}: ${network.title}` : `of ${network.title}`, class: networks.length > 1 ? "" : "unseen" }),
      element("thead", {}, element("tr", {}, element("th", { scope: "col", text: shares.by }), ...MEASURES.map(([label]) => element("th", { scope: "col", text: label })))),
      element("tbody", {}, ...rows),
      left > 0 ? element("tfoot", {}, element("tr", {}, element("td", { colspan: "4", class: "muted", text: `and ${plural(left, shares.by)} with less, or nothing to count` }))) : null);
  }));
}

on("figures", (place) => { drawMemory(place); drawShares(); });
