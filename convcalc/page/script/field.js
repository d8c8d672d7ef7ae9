// The receptive field of a unit of the selected layer, drawn over a picture of the input's size; the unit is dragged.

const FIELD_SIDE = 270, MAP_SIDE = 92; // longest sides in pixels
const unit = { network: 0, layer: null, at: [] };

// The pixels that a unit sees on one axis of the input, before the picture's border cuts them: [first, last].
function seen(axis, at) {
  let first = Infinity, last = -Infinity;
  for (const [lows, highs, step, dimension] of axis) {
    const place = dimension === null ? 0 : at[dimension];
    const turn = Math.floor(place / lows.length), phase = place - turn * lows.length;
    first = Math.min(first, lows[phase] + turn * step);
    last = Math.max(last, highs[phase] + turn * step);
  }
  return [first, last];
}

function fieldOf(network, layer) {
  return layer === null || layer.field === null ? null : network.fields[layer.field];
}

function buildField() {
  on("select", showField);
  on("figures", showField);
  showField();
}

// The last of the selected layers that has a field on a picture.
function layerWithField() {
  const network = networks[state.network];
  const shape = network.inputs[0][1];
  if (shape.length < 2 || shape.length > 3) return null;
  const layers = state.layers.map((index) => network.layers[index]);
  return layers.reverse().find((layer) => fieldOf(network, layer)) ?? null;
}

function showField() {
  const network = networks[state.network], layer = layerWithField();
  byId("field").hidden = layer === null;
  if (layer === null) { unit.layer = null; return; }
  if (network.changed) {
    unit.layer = null;
    replace(byId("field-body"), element("p", { class: "note", text: `Drawn for ${network.described}: reset the sliders to see it.` }));
    return;
  }
  if (unit.layer !== layer) Object.assign(unit, { network: network.place, layer, at: layer.given.shape.map((size, axis) => (axis ? Math.floor(size / 2) : 0)) });
  drawField(network, layer);
}

// The dimensions of the layer's output that move its field: down and across.
function moving(network, layer) {
  return fieldOf(network, layer).map((axis) => axis.find((part) => part[3] !== null)?.[3] ?? null);
}

function drawField(network, layer) {
  const shape = network.inputs[0][1], flat = shape.length === 2;
  const [rows, columns] = flat ? [Math.max(1, Math.round(shape[1] / 4)), shape[1]] : shape.slice(1);
  const scale = FIELD_SIDE / Math.max(rows, columns);
  const axes = fieldOf(network, layer), dimensions = moving(network, layer);
  const down = flat ? null : dimensions[0], across = flat ? dimensions[0] : dimensions[1];
  const svg = element("svg:svg", { viewBox: `0 0 ${columns} ${rows}`, class: columns < 100 ? "picture sharp" : "picture", "aria-hidden": "true" });
  if (flat) svg.setAttribute("preserveAspectRatio", "none");
  svg.style.aspectRatio = `${columns} / ${rows}`;
  svg.style.width = `${Math.max(60, columns * scale)}px`;
  svg.append(element("svg:image", { href: pictureOf(network, columns, rows), width: columns, height: rows, preserveAspectRatio: "none" }));
  const thin = 1 / scale;
  const shade = element("svg:path", { class: "shade", "fill-rule": "evenodd" });
  const outer = element("svg:rect", { class: "field-outer", "stroke-width": 4 * thin });
  const inner = element("svg:rect", { class: "field-inner", "stroke-width": 2 * thin });
  svg.append(shade, outer, inner);

  const sizesOf = [down, across].map((dimension) => (dimension === null ? 1 : layer.given.shape[dimension]));
  const map = element("svg:svg", { viewBox: `0 0 ${sizesOf[1]} ${sizesOf[0]}`, class: "map", "aria-hidden": "true" });
  const mapScale = MAP_SIDE / Math.max(...sizesOf);
  map.style.width = `${Math.max(6, sizesOf[1] * mapScale)}px`;
  map.style.aspectRatio = `${sizesOf[1]} / ${sizesOf[0]}`;
  map.append(element("svg:rect", { class: "map-back", width: sizesOf[1], height: sizesOf[0] }));
  const least = 5 / mapScale; // a unit is drawn at least 5 pixels wide
  const dot = element("svg:rect", { class: "map-unit", width: Math.max(1, least), height: Math.max(1, least) });
  map.append(dot);

  const text = element("p", { class: "reading", "aria-live": "polite" });
  const sliders = [];
  const set = (dimension, place) => {
    if (dimension !== null) unit.at[dimension] = Math.max(0, Math.min(layer.given.shape[dimension] - 1, Math.round(place)));
  };
  const paint = () => {
    const [top, bottom] = flat ? [0, rows - 1] : seen(axes[0], unit.at);
    const [left, right] = seen(axes[flat ? 0 : 1], unit.at);
    const cut = [Math.max(0, left), Math.max(0, top), Math.min(columns, right + 1), Math.min(rows, bottom + 1)];
    const wide = Math.max(0, cut[2] - cut[0]), high = Math.max(0, cut[3] - cut[1]);
    shade.setAttribute("d", `M0 0H${columns}V${rows}H0ZM${cut[0]} ${cut[1]}h${wide}v${high}h${-wide}Z`);
    for (const rectangle of [outer, inner]) {
      Object.entries({ x: cut[0], y: cut[1], width: wide, height: high }).forEach(([key, value]) => rectangle.setAttribute(key, value));
    }
    const at = [down, across].map((dimension) => (dimension === null ? 0 : unit.at[dimension]));
    dot.setAttribute("x", at[1] + 0.5 - Math.max(1, least) / 2);
    dot.setAttribute("y", at[0] + 0.5 - Math.max(1, least) / 2);
    const range = (first, last) => `${count(first)} … ${count(last)}`;
    const where = [down, across].filter((dimension) => dimension !== null).map((dimension) => unit.at[dimension]);
    const pixels = flat ? `pixels ${range(left, right)}` : `rows ${range(top, bottom)}, columns ${range(left, right)}`;
    const beyond = left < 0 || right >= columns || (!flat && (top < 0 || bottom >= rows)) ? "; what lies outside is padding" : "";
    text.textContent = `${where.length ? `Unit (${where.join(", ")})` : "Every unit"} sees ${pixels}${beyond}.`;
    sliders.forEach(({ input, dimension, output }) => { input.value = unit.at[dimension]; output.textContent = unit.at[dimension]; });
  };
  // Of the units along one dimension the one whose field has its middle nearest to a pixel: fields grow evenly.
  const nearest = (axis, dimension, pixel) => {
    let best = 0, distance = Infinity;
    for (let place = 0; place < layer.given.shape[dimension]; place += 1) {
      const trial = [...unit.at];
      trial[dimension] = place;
      const [first, last] = seen(axis, trial);
      const away = Math.abs((first + last + 1) / 2 - pixel);
      if (away < distance) [best, distance] = [place, away];
    }
    return best;
  };
  dragged(svg, ([x, y]) => {
    if (across !== null) set(across, nearest(axes[flat ? 0 : 1], across, x));
    if (down !== null) set(down, nearest(axes[0], down, y));
    paint();
  });
  dragged(map, ([x, y]) => { set(across, x - 0.5); set(down, y - 0.5); paint(); });
  const controls = [[down, "row"], [across, flat ? "place" : "column"]].filter(([dimension]) => dimension !== null && layer.given.shape[dimension] > 1)
    .map(([dimension, label]) => {
      const input = element("input", { type: "range", min: 0, max: layer.given.shape[dimension] - 1, step: 1,
        oninput: (event) => { set(dimension, Number(event.target.value)); paint(); } });
      const output = element("output", {});
      sliders.push({ input, dimension, output });
      return element("label", {}, element("span", { text: label }), input, output);
    });
  const mapped = [down, across].filter((dimension) => dimension !== null);
  replace(byId("field-body"),
    element("p", { class: "muted" }, "What one unit of ", element("strong", {}, ...breakable(layer.name)),
      ` sees of the input${network.inputs.length > 1 ? ` ${network.inputs[0][0]}` : ""}, ${sizes(shape)}.`,
      mapped.length ? element("span", { class: "hint", text: " Drag it." }) : null),
    element("div", { class: "views" }, svg,
      mapped.length ? element("div", { class: "map-box" }, map, element("p", { class: "note", text: `its map, ${mapped.map((dimension) => layer.given.shape[dimension]).join("×")}` })) : null),
    ...controls, text);
  paint();
}

function dragged(svg, act) {
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); event.preventDefault(); act(pointIn(svg, event)); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons & 1 && svg.hasPointerCapture(event.pointerId)) act(pointIn(svg, event)); });
}

const pictures = new Map();

// The image given, else a drawn one: hills, a house and the sun, so that a window on it can be told from another.
function pictureOf(network, columns, rows) {
  if (network.picture) return network.picture;
  const key = `${columns} ${rows} ${network.inputs[0][1][0] === 1}`;
  if (!pictures.has(key)) pictures.set(key, network.inputs[0][1].length === 2 ? drawnSignal(columns, rows) : drawnPicture(columns, rows, network.inputs[0][1][0] === 1));
  return pictures.get(key);
}

function surface(columns, rows) {
  const canvas = document.createElement("canvas");
  const scale = Math.max(1, Math.min(2, 448 / Math.max(columns, rows)), 448 / Math.max(columns, rows));
  canvas.width = Math.max(1, Math.round(columns * scale));
  canvas.height = Math.max(1, Math.round(rows * scale));
  const pen = canvas.getContext("2d");
  pen.scale(canvas.width / 100, canvas.height / 100);
  return [canvas, pen];
}

function drawnPicture(columns, rows, grey) {
  const [canvas, pen] = surface(columns, rows);
  if (grey) pen.filter = "grayscale(1)";
  const fill = (colour, ...points) => {
    pen.fillStyle = colour;
    pen.beginPath();
    points.forEach(([x, y], place) => (place ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.fill();
  };
  const disc = (colour, x, y, radius) => { pen.fillStyle = colour; pen.beginPath(); pen.arc(x, y, radius, 0, 7); pen.fill(); };
  const sky = pen.createLinearGradient(0, 0, 0, 70);
  sky.addColorStop(0, "#7fb2dd");
  sky.addColorStop(1, "#e9f1f7");
  pen.fillStyle = sky;
  pen.fillRect(0, 0, 100, 100);
  disc("#f7c948", 80, 18, 8);
  for (const [x, y, radius] of [[20, 20, 6], [27, 17, 8], [35, 20, 6], [55, 12, 4], [61, 12, 5]]) disc("#ffffff", x, y, radius);
  fill("#8ba7a0", [0, 60], [18, 38], [34, 56], [50, 34], [72, 60], [84, 48], [100, 62], [100, 100], [0, 100]);
  fill("#ffffff", [50, 34], [44, 42], [48, 41], [51, 44], [57, 42]);
  fill("#6f9d57", [0, 66], [30, 60], [62, 66], [100, 58], [100, 100], [0, 100]);
  fill("#587f45", [0, 84], [40, 74], [100, 82], [100, 100], [0, 100]);
  fill("#d9c7a0", [58, 100], [72, 100], [68, 78], [65, 78]);
  fill("#c8553d", [52, 58], [66, 46], [80, 58]);
  fill("#f2e3c9", [55, 58], [77, 58], [77, 78], [55, 78]);
  fill("#5b4636", [63, 66], [69, 66], [69, 78], [63, 78]);
  for (const x of [57, 71]) fill("#3f6ea5", [x, 62], [x + 4, 62], [x + 4, 67], [x, 67]);
  for (const [x, y, size] of [[14, 82, 1.2], [28, 76, 0.9], [90, 80, 1.1]]) {
    fill("#5b4636", [x - 1.2, y], [x + 1.2, y], [x + 1.2, y - 10 * size], [x - 1.2, y - 10 * size]);
    fill("#2f5d3a", [x - 8 * size, y - 8 * size], [x, y - 30 * size], [x + 8 * size, y - 8 * size]);
  }
  return canvas.toDataURL("image/png");
}

function drawnSignal(columns, rows) {
  const [canvas, pen] = surface(columns, rows);
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, 100, 100);
  pen.lineWidth = 0.5;
  pen.strokeStyle = "#2166ac";
  pen.beginPath();
  for (let x = 0; x <= 100; x += 0.2) pen.lineTo(x, 50 - 40 * Math.sin(x * 0.9) * Math.exp(-(((x - 40) / 30) ** 2)) - 6 * Math.sin(x * 5));
  pen.stroke();
  return canvas.toDataURL("image/png");
}
