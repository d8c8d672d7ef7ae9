// The data, what is selected, and the notation of figures. All files here are one script, in one scope.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// An element with attributes, properties (text, hidden, on…) and children. Text is never read as markup.
function element(name, attributes = {}, ...children) {
  const made = name.startsWith("svg:")
    ? document.createElementNS(SVG, name.slice(4))
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function replace(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

const networks = data.networks.map((network, place) => {
  const layers = network.layers.map(
    ([name, kind, operator, fill, shape, weights, biases, buffers, macs, bytes, inputs, working, field, shares,
      fieldText], index) => ({
      index, name, kind, fill, inputs, working, field, shares,
      given: { shape, weights, biases, buffers, macs, bytes, operator, fieldText },
      now: { shape, weights, biases, buffers, macs, bytes, operator, fieldText },
    }));
  return { ...network, place, layers, changed: false };
});

// What is selected: layers of a network, by their places; without any, the network itself.
const state = { network: 0, layers: [], label: "", copies: [] };
const listeners = { select: [], figures: [] };
const on = (event, act) => listeners[event].push(act);
const emit = (event, ...values) => listeners[event].forEach((act) => act(...values));

function select(network, layers, { label = "", copies = [], from = "" } = {}) {
  Object.assign(state, { network, layers, label, copies });
  emit("select", from);
}

const NOT_COMPUTED = "?"; // a receptive field for which there is no formula; a layer without one has –

// Writes other figures into the table, the panel, the totals, the charts and the drawing. figures: per layer an object
// with any of shape, weights, biases, buffers, macs, bytes, and with the words operator, fieldText and working, null
// where there are none; null instead of figures restores those the page was made with.
function applyFigures(place, figures) {
  const network = networks[place];
  network.changed = figures !== null;
  const hasFields = network.layers.some(({ given }) => given.fieldText !== "–");
  network.layers.forEach((layer, index) => {
    layer.now = figures === null ? layer.given : { ...layer.given, ...figures[index] };
    if (figures !== null && !("bytes" in figures[index])) {
      layer.now.bytes = elements(layer.now.shape) * network.unit;
    }
    layer.now.operator ??= layer.kind;
    layer.now.fieldText ??= hasFields ? NOT_COMPUTED : "–";
  });
  emit("figures", place);
}

const elements = (shape) => shape.reduce((product, size) => product * size, 1);
const MINUS = /-/g;
const count = (value) => value.toLocaleString("en-US").replace(MINUS, "−");
const signed = (value) => (value === 0 ? "0" : (value > 0 ? "+" : "") + count(value));
const sizes = (shape) => shape.join("×");
const plural = (amount, word) => `${count(amount)} ${word}${amount === 1 ? "" : "s"}`;

function bytes(value) {
  let number = value;
  for (const unit of ["bytes", "KB", "MB", "GB", "TB"]) {
    if (number < 1000 || unit === "TB") return unit === "bytes" ? `${value} bytes` : `${number.toFixed(1)} ${unit}`;
    number /= 1000;
  }
  return "";
}

// 1.85G, 34.8K, 9,999: longer counts with three digits.
function rounded(value) {
  if (Math.abs(value) < 10000) return count(value);
  let number = value;
  for (const unit of ["K", "M", "G", "T", "P"]) {
    number /= 1000;
    if (Math.abs(number) < 999.5) return number.toPrecision(3) + unit;
  }
  return value.toExponential(2);
}

function percent(part, whole) {
  if (!whole || !part) return part ? "–" : "0 %";
  const share = (100 * part) / whole;
  return share < 0.1 ? "<0.1 %" : `${share < 10 ? share.toFixed(1) : Math.round(share)} %`;
}

function totals(network) {
  const sums = { weights: 0, biases: 0, buffers: 0, macs: 0, bytes: 0 };
  for (const layer of network.layers) for (const key of Object.keys(sums)) sums[key] += layer.now[key];
  return { ...sums, params: sums.weights + sums.biases, peak: memory(network).peak };
}

// Bytes that are alive while each layer runs: what it reads, what it writes, and what later layers read. An output is
// freed after its last reader, the network's outputs never.
function memory(network) {
  const { layers, inputs, outputs, unit } = network;
  const last = new Map();
  const size = new Map();
  inputs.forEach(([, shape], place) => {
    size.set(-1 - place, elements(network.inputShapes?.[place] ?? shape) * unit);
    last.set(-1 - place, Infinity);
  });
  for (const layer of layers) {
    last.set(layer.index, layer.index);
    size.set(layer.index, layer.now.bytes);
    for (const source of layer.inputs) last.set(source, layer.index);
  }
  for (const [, layer] of outputs) if (layer >= 0) last.set(layer, Infinity);
  const freed = layers.map(() => []);
  for (const [index, reader] of last) if (reader !== Infinity) freed[reader].push(index);
  let alive = 0;
  for (const [index, value] of size) if (index < 0) alive += value;
  let peak = alive, at = null;
  const curve = layers.map((layer) => {
    alive += layer.now.bytes;
    const during = alive;
    if (during > peak) [peak, at] = [during, layer.index];
    for (const index of freed[layer.index]) alive -= size.get(index);
    return during;
  });
  return { curve, peak, at };
}

// Allows a long dotted name to break after its dots.
function breakable(name) {
  const parts = name.split(/(?<=[._])/);
  return parts.flatMap((part, place) => (place ? [element("wbr"), part] : [part]));
}

const chip = (fill) => element("span", { class: `chip ${fill}`, "aria-hidden": "true" });
