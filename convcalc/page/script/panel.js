// The panel: the network, or the selected layers with their working.

const MANY = 8; // layers from which a box is summed up rather than worked out

function figureList(pairs) {
  return element("dl", { class: "figures" }, ...pairs.flatMap(([label, value, note]) => [
    element("dt", { text: label }),
    element("dd", {}, value, note ? element("span", { class: "note", text: ` ${note}` }) : null),
  ]));
}

function inputShape(network, index) {
  if (index >= 0) return network.layers[index].now.shape;
  return network.inputShapes?.[-1 - index] ?? network.inputs[-1 - index][1];
}

function flow(network, layer) {
  const given = layer.inputs.map((source) => sizes(inputShape(network, source))).join(" and ");
  return `${given}${given ? " → " : ""}${sizes(layer.now.shape)}`;
}

function networkPanel(network) {
  const sums = totals(network);
  return [
    element("h2", {}, ...breakable(network.title)),
    element("p", { class: "muted", text: network.changed ? "As the sliders stand." : network.described }),
    figureList([
      ["layers", count(network.layers.length)],
      ["weights", count(sums.weights)],
      ["biases", count(sums.biases)],
      ["params", count(sums.params)],
      ["MACs", count(sums.macs)],
      ["activations", bytes(sums.bytes)],
      ["at the peak", bytes(sums.peak)],
    ]),
    network.source ? element("p", { text: network.source }) : null,
    ...network.warnings.map((text) => element("p", { class: "warning", text: `Warning: ${text}` })),
    ...(network.changed ? [] : network.notes).map((text) => element("p", { class: "muted", text })),
    element("p", { class: "hint", text: "Select a box of the drawing or a row of the table to see its working." }),
  ];
}

function readers(network, index) {
  return network.layers.filter((layer) => layer.inputs.includes(index));
}

function links(network, label, layers) {
  if (!layers.length) return null;
  const shown = layers.slice(0, 6);
  return element("p", { class: "links" }, element("span", { class: "muted", text: `${label} ` }),
    ...shown.map((layer) => element("button", {
      type: "button", class: "link", onclick: () => select(network.place, [layer.index], { from: "panel" }),
    }, ...breakable(layer.name))),
    layers.length > 6 ? ` and ${layers.length - 6} more` : null);
}

// The working of a layer. Where sliders have moved, that of its figures; the rest stays that of the network as it was.
const OF_FIELDS = /^(receptive field|saves|reduction)/;

function working(network, layer) {
  const moved = layer.now.working ?? null;
  const still = moved ? layer.working.filter(([what]) => OF_FIELDS.test(what)) : layer.working;
  if (!still.length && !moved?.length) return null;
  return element("div", { class: "working" },
    moved?.length ? workingList(moved) : null,
    network.changed && still.length ? element("p", { class: "note", text: `Worked out for ${network.described}:` }) : null,
    still.length ? workingList(still) : null);
}

const workingList = (lines) => element("dl", {}, ...lines.flatMap(([what, text]) => [
  element("dt", { text: what }), element("dd", { text }),
]));

function layerPanel(network, layer, heading) {
  const now = layer.now, sums = totals(network);
  const sources = layer.inputs.filter((index) => index >= 0).map((index) => network.layers[index]);
  return element("section", { class: "layer" },
    element(heading, {}, chip(layer.fill), ...breakable(layer.name)),
    element("p", { class: "operator" }, element("strong", { text: layer.now.operator }),
      element("span", { class: "flow", text: flow(network, layer) })),
    pairPanel(network, layer),
    heading === "h2" || now.weights || now.macs ? figureList([
      ["output", sizes(now.shape), `${count(elements(now.shape))} numbers, ${bytes(now.bytes)}`],
      ["weights", count(now.weights), now.weights ? `${percent(now.weights, sums.weights)} of all` : ""],
      ["biases", count(now.biases)],
      ...(now.buffers ? [["buffers", count(now.buffers)]] : []),
      ["MACs", count(now.macs), now.macs ? `${percent(now.macs, sums.macs)} of all` : ""],
      ...(layer.now.fieldText !== "–" ? [["field", layer.now.fieldText, layer.now.fieldText === NOT_COMPUTED ? "not computed for these values" : "pixels of the input"]] : []),
      ...(layer.shares === null ? [] : [["weights of", network.layers[layer.shares].name]]),
    ]) : null,
    working(network, layer),
    heading === "h2" ? links(network, "reads", sources) : null,
    heading === "h2" ? links(network, "read by", readers(network, layer.index)) : null);
}

function blockPanel(network, layers) {
  const sums = { weights: 0, biases: 0, macs: 0, bytes: 0 };
  for (const layer of layers) for (const key of Object.keys(sums)) sums[key] += layer.now[key];
  const all = totals(network);
  return [
    element("h2", {}, ...breakable(state.label.split(", ")[0] || `${layers[0].name} – ${layers.at(-1).name}`)),
    figureList([
      ["layers", count(layers.length)],
      ["output", sizes(layers.at(-1).now.shape)],
      ["weights", count(sums.weights), `${percent(sums.weights, all.weights)} of all`],
      ["biases", count(sums.biases)],
      ["MACs", count(sums.macs), `${percent(sums.macs, all.macs)} of all`],
      ["activations", bytes(sums.bytes)],
    ]),
    element("ol", { class: "members" }, ...layers.map((layer) => element("li", {},
      element("button", {
        type: "button", class: "link",
        onclick: () => select(network.place, [layer.index], { from: "panel" }),
      }, chip(layer.fill), ...breakable(layer.name)),
      element("span", { class: "muted", text: ` ${layer.now.operator} → ${sizes(layer.now.shape)}` })))),
  ];
}

// Of two networks: what became of a layer in the other one.
function pairPanel(network, layer) {
  const row = data.diff?.rows.find((pair) => pair[network.place] === layer.index);
  if (!row) return null;
  const [, , status, change, , , , working] = row, other = row[1 - network.place];
  return element("p", { class: "pair" }, element("span", { class: `status ${status}`, text: WORDS[status] }), " ",
    other === null ? `only in ${"AB"[network.place]}` : `${"AB"[1 - network.place]}: `,
    other === null ? null : element("button", { type: "button", class: "link", onclick: () => select(1 - network.place, [other], { from: "panel" }) },
      ...breakable(networks[1 - network.place].layers[other].name)),
    status === "changed" ? element("span", { class: "sum", text: working ? `${change}; weights ${working}` : change }) : null);
}

function showPanel() {
  const network = networks[state.network];
  const layers = state.layers.map((index) => network.layers[index]);
  const place = networks.length > 1 ? element("p", { class: "which", text: `${"AB"[network.place]}: ${network.title}` }) : null;
  const back = layers.length
    ? element("button", { type: "button", class: "quiet back", text: "the whole network",
        onclick: () => select(network.place, [], { from: "panel" }) })
    : null;
  let parts;
  if (!layers.length) parts = networkPanel(network);
  else if (layers.length >= MANY) parts = blockPanel(network, layers);
  else parts = layers.map((layer, number) => layerPanel(network, layer, number ? "h3" : "h2"));
  const copies = state.copies.length
    ? element("p", { class: "note", text: `Drawn once for ${state.copies.length + 1} equal ones, up to ${network.layers[state.copies.at(-1)[0]].name}.` })
    : null;
  replace(byId("details"), place, ...parts, copies, back);
  byId("panel").scrollTop = 0;
}

on("select", showPanel);
on("figures", showPanel);
