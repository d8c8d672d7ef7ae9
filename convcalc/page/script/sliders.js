// Sliders of the inputs' sizes, the batch and the spec's variables. They write other figures and words into the page by
// applyFigures; the layout stays.

function buildSliders() {
  const groups = networks.filter((network) => network.formulas).map(sliderGroup);
  if (!groups.length) return;
  byId("settings").hidden = false;
  byId("settings-fold").open = groups.length === 1 && window.innerWidth > 1100; // where they leave room for the drawing
  replace(byId("controls"), ...groups);
}

const WITHOUT_FIELD = new Set(["batch", "channels"]); // sliders that no receptive field depends on

// The sliders of one network, what they say, and the button that takes them back.
function sliderGroup(network) {
  const { formulas, place } = network;
  const own = { unit: network.unit, positions: formulas.sliders.map((slider) => slider.value) };
  const positions = [...own.positions];
  const said = element("p", { class: "said", role: "status" });
  const back = element("button", { type: "button", class: "reset", text: "reset", disabled: true, onclick: () => move(own.positions) });
  const sliders = formulas.sliders.map((slider, at) => sliderControl(slider, (value) => {
    const moved = [...positions];
    moved[at] = value;
    if (square?.input.checked && square.axes.includes(at)) for (const axis of square.axes) moved[axis] = value;
    move(moved);
  }));
  const square = squareOf(formulas, (checked) => {
    if (!checked) return;
    const moved = [...positions];
    for (const axis of square.axes) moved[axis] = moved[square.axes[0]];
    move(moved);
  });
  let waiting = false;

  function move(moved) {
    positions.splice(0, positions.length, ...moved);
    sliders.forEach((slider, at) => slider.show(positions[at]));
    if (waiting) return; // one change of the page for all moves since it was last drawn
    waiting = true;
    requestAnimationFrame(() => { waiting = false; show(); });
  }

  function show() {
    const isOwn = positions.every((value, at) => value === own.positions[at]);
    back.disabled = isOwn;
    const found = isOwn ? null : figuresAt(formulas, positions);
    const layers = found?.layers ?? null;
    if (layers && positions.every((value, at) => value === own.positions[at] || WITHOUT_FIELD.has(formulas.sliders[at].kind))) {
      layers.forEach((layer, index) => { layer.fieldText = network.layers[index].given.fieldText; });
    }
    network.inputShapes = layers ? found.inputs : undefined;
    network.unit = layers ? (own.unit / network.batch) * positions[formulas.sliders.findIndex(({ kind }) => kind === "batch")] : own.unit;
    applyFigures(place, layers);
    replace(said, ...(isOwn ? [] : remark(network, found, commandOf(formulas, positions))));
    said.classList.toggle("warning", !isOwn && !layers);
  }

  const fixed = formulas.structural.length
    ? element("p", { class: "note", text: `Not here: ${formulas.structural.join(", ")}, on which the layers themselves depend.` })
    : null;
  const label = networks.length > 1 ? `Sliders of ${"AB"[place]}: ${network.title}` : "Sliders";
  return element("div", { class: "sliders", role: "group", "aria-label": label },
    networks.length > 1 ? element("p", { class: "which", text: `${"AB"[place]}: ${network.title}` }) : null,
    element("div", { class: "row" }, ...sliders.map((slider) => slider.box)),
    element("div", { class: "tail" }, square?.box, back, said), fixed);
}

// A slider with the number beside it, which can be typed.
function sliderControl(slider, change) {
  const attributes = { min: slider.low, max: slider.high, step: slider.step, value: slider.value };
  const range = element("input", { type: "range", "aria-label": slider.label, ...attributes });
  const number = element("input", { type: "number", "aria-label": `${slider.label}, as a number`, ...attributes });
  range.addEventListener("input", () => change(Number(range.value)));
  number.addEventListener("change", () => {
    const steps = Math.round((Number(number.value) - slider.low) / slider.step);
    const most = Math.round((slider.high - slider.low) / slider.step);
    if (number.value === "" || Number.isNaN(steps)) number.value = range.value;
    else range.value = slider.low + Math.max(0, Math.min(most, steps)) * slider.step;
    change(Number(range.value));
  });
  const name = element("span", { class: "name", "aria-hidden": "true", text: slider.label });
  const show = (value) => { range.value = value; number.value = value; };
  return { box: element("span", { class: "slider" }, name, range, number), show };
}

// The box that keeps height and width equal; null where they are not equal to begin with.
function squareOf(formulas, change) {
  const axes = formulas.sliders.flatMap(({ kind }, at) => (kind === "size" ? [at] : []));
  if (axes.length < 2 || axes.some((at) => formulas.sliders[at].value !== formulas.sliders[axes[0]].value)) return null;
  const input = element("input", { type: "checkbox", checked: true, onchange: () => change(input.checked) });
  return { axes, input, box: element("label", { class: "square" }, input, axes.length > 2 ? " all equal" : " square") };
}

// What is said below the sliders. found: what figuresAt gave.
function remark(network, found, command) {
  const same = element("code", { text: command });
  const kept = ` The figures below are those of ${network.described}.`;
  const fields = network.layers.some(({ now }) => now.fieldText === NOT_COMPUTED) ? [". Receptive fields (field ?) are not computed here for these values."] : [];
  if (found?.layers) return ["The same: ", same, ...fields];
  if (found?.error) return [`It does not fit: ${found.error}.`, kept];
  if (found) return ["With these values there are other layers than this page has: ", same, ".", kept];
  return ["Not computed here for these values: ", same, ".", kept];
}

// The command that shows the network with these values of the sliders.
function commandOf(formulas, positions) {
  const values = formulas.sliders.map((slider, at) => ({ ...slider, value: positions[at], moved: slider.always || positions[at] !== slider.value }));
  const options = values.filter(({ option, moved }) => option && moved)
    .map(({ option, value }) => `${option}${option.startsWith("--set") ? "=" : " "}${value}`);
  const sized = values.some(({ option, moved }) => option === null && moved);
  const inputs = sized ? formulas.inputs.map(([name, axes]) => {
    const shape = axes.map((at) => (at < 0 ? -1 - at : positions[at])).join("x");
    return `--input ${formulas.inputs.length > 1 ? `${name}=` : ""}${shape}`;
  }) : [];
  return [formulas.command, ...inputs, ...options].join(" ");
}
