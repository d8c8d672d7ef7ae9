// A canvas to write a digit on, and the network that reads it, run here: LeNet-5's operators and no others.

const FIELD = 28, BOX = 20, PAD = 280, PEN = 22;

function floats(text) {
  if (text === null) return null;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// The layers' outputs for an input, each {shape, values}. Shapes are [C, H, W] or [N].
const OPERATORS = {
  conv({ shape: [depth, height, width], values }, [[kh, kw], [sh, sw], weights, bias]) {
    const filters = weights.length / (depth * kh * kw);
    const rows = Math.floor((height - kh) / sh) + 1, columns = Math.floor((width - kw) / sw) + 1;
    const out = new Float64Array(filters * rows * columns);
    let place = 0;
    for (let k = 0; k < filters; k += 1) {
      for (let i = 0; i < rows; i += 1) {
        for (let j = 0; j < columns; j += 1) {
          let sum = bias ? bias[k] : 0;
          for (let c = 0; c < depth; c += 1) {
            for (let a = 0; a < kh; a += 1) {
              const from = (c * height + i * sh + a) * width + j * sw, weight = ((k * depth + c) * kh + a) * kw;
              for (let b = 0; b < kw; b += 1) sum += values[from + b] * weights[weight + b];
            }
          }
          out[place] = sum;
          place += 1;
        }
      }
    }
    return { shape: [filters, rows, columns], values: out };
  },
  maxpool({ shape: [depth, height, width], values }, [[kh, kw], [sh, sw]]) {
    const rows = Math.floor((height - kh) / sh) + 1, columns = Math.floor((width - kw) / sw) + 1;
    const out = new Float64Array(depth * rows * columns);
    let place = 0;
    for (let c = 0; c < depth; c += 1) {
      for (let i = 0; i < rows; i += 1) {
        for (let j = 0; j < columns; j += 1) {
          let largest = -Infinity;
          for (let a = 0; a < kh; a += 1) for (let b = 0; b < kw; b += 1) largest = Math.max(largest, values[(c * height + i * sh + a) * width + j * sw + b]);
          out[place] = largest;
          place += 1;
        }
      }
    }
    return { shape: [depth, rows, columns], values: out };
  },
  dense({ values }, [weights, bias]) {
    const units = weights.length / values.length;
    const out = new Float64Array(units);
    for (let unit_ = 0; unit_ < units; unit_ += 1) {
      let sum = bias ? bias[unit_] : 0;
      for (let place = 0; place < values.length; place += 1) sum += weights[unit_ * values.length + place] * values[place];
      out[unit_] = sum;
    }
    return { shape: [units], values: out };
  },
  tanh: ({ shape, values }) => ({ shape, values: values.map(Math.tanh) }),
  relu: ({ shape, values }) => ({ shape, values: values.map((value) => Math.max(0, value)) }),
  flatten: ({ values }) => ({ shape: [values.length], values }),
  identity: (given) => given,
  dropout: (given) => given,
  softmax({ shape, values }) {
    const largest = Math.max(...values), powers = values.map((value) => Math.exp(value - largest));
    const sum = powers.reduce((total, power) => total + power, 0);
    return { shape, values: powers.map((power) => power / sum) };
  },
};

function run(steps, given) {
  const outputs = [];
  let now = given;
  for (const [kind, ...fields] of steps) {
    now = OPERATORS[kind](now, fields);
    outputs.push(now);
  }
  return outputs;
}

// One axis of a resize by means over the pixels whose centres fall into each new one, rounded to levels.
function shrunk(levels, width, height, wanted) {
  const scale = width / wanted, out = new Float64Array(wanted * height);
  for (let column = 0; column < wanted; column += 1) {
    const middle = (column + 0.5) * scale;
    const first = Math.max(0, Math.floor(middle - scale / 2 + 0.5)), last = Math.min(width, Math.floor(middle + scale / 2 + 0.5));
    for (let row = 0; row < height; row += 1) {
      let sum = 0;
      for (let x = first; x < last; x += 1) sum += levels[row * width + x];
      out[row * wanted + column] = Math.round(sum / Math.max(1, last - first));
    }
  }
  return out;
}

function turned(levels, width, height) {
  const out = new Float64Array(levels.length);
  for (let row = 0; row < height; row += 1) for (let column = 0; column < width; column += 1) out[column * height + row] = levels[row * width + column];
  return out;
}

// What is written, as MNIST prepared its digits: bright on 0, in a box of 20×20, its centre of mass in the middle of
// 28×28. ink: levels 0 to 255 of the canvas. Returns null if nothing is written.
function prepared(ink, side) {
  let left = side, top = side, right = -1, bottom = -1;
  ink.forEach((level, place) => {
    if (level < 1) return;
    const x = place % side, y = Math.floor(place / side);
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  if (right < 0) return null;
  const wide = right - left + 1, high = bottom - top + 1, factor = BOX / Math.max(wide, high);
  const columns = Math.max(1, Math.round(wide * factor)), rows = Math.max(1, Math.round(high * factor));
  const cut = new Float64Array(wide * high);
  for (let y = 0; y < high; y += 1) for (let x = 0; x < wide; x += 1) cut[y * wide + x] = ink[(top + y) * side + left + x];
  let digit = shrunk(cut, wide, high, columns);
  digit = turned(shrunk(turned(digit, columns, high), high, columns, rows), rows, columns);
  const inked = [...digit].filter((level) => level > 0).sort((a, b) => a - b);
  const peak = inked[Math.min(inked.length - 1, Math.ceil(0.9 * inked.length) - 1)] ?? 0;
  if (peak > 0 && peak < 240) digit = digit.map((level) => Math.min(255, Math.round((level * 250) / peak)));
  let mass = 0, across = 0, down = 0;
  digit.forEach((level, place) => {
    mass += level;
    across += level * ((place % columns) + 0.5);
    down += level * (Math.floor(place / columns) + 0.5);
  });
  const at = (middle, size) => Math.min(Math.max(0, Math.round(FIELD / 2 + 0.5 - middle)), FIELD - size);
  const x = at(across / mass, columns), y = at(down / mass, rows);
  const field = new Float64Array(FIELD * FIELD);
  for (let row = 0; row < rows; row += 1) for (let column = 0; column < columns; column += 1) field[(y + row) * FIELD + x + column] = digit[row * columns + column];
  return field;
}

function inputOf(field, { input: [, height, width], mean, std }) {
  const values = new Float64Array(height * width).fill(-mean / std);
  const top = Math.floor((height - FIELD) / 2), left = Math.floor((width - FIELD) / 2);
  for (let row = 0; row < FIELD; row += 1) {
    for (let column = 0; column < FIELD; column += 1) values[(top + row) * width + left + column] = (field[row * FIELD + column] / 255 - mean) / std;
  }
  return { shape: [1, height, width], values };
}

function buildDigits() {
  if (!data.digits) return;
  const network = { ...data.digits, steps: data.digits.steps.map(([kind, ...fields]) => [kind, ...(
    kind === "conv" ? [fields[0], fields[1], floats(fields[2]), floats(fields[3])] : kind === "dense" ? fields.map(floats) : fields)]) };
  byId("digits").hidden = false;
  const canvas = element("canvas", { id: "pad", width: PAD, height: PAD, tabindex: "0", role: "application",
    "aria-label": "Write a digit here with the mouse or a finger. With the keys: arrows move the pen, the space bar lowers and lifts it, Delete wipes.",
    "aria-describedby": "digit-said" });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const small = element("canvas", { class: "seen", width: network.input[2], height: network.input[1], role: "img", "aria-label": "what the network reads" });
  const digit = element("p", { id: "digit", "aria-hidden": "true" });
  const said = element("p", { id: "digit-said", class: "muted", "aria-live": "polite" });
  const bars = element("table", { class: "shares ten", "aria-label": "Probability of each digit" });
  const maps = element("div", { class: "live-maps", id: "live-maps" });
  replace(byId("digits-body"),
    element("div", {}, canvas, element("p", {}, element("button", { type: "button", id: "wipe", text: "Wipe", onclick: wipe }),
      element("span", { class: "note", text: "  or draw with the arrow keys and the space bar" }))),
    element("div", { class: "read-as" }, element("p", { class: "muted", text: "The network reads" }), small, digit, said),
    bars, maps);

  function wipe() {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, PAD, PAD);
    read();
  }

  function read() {
    const pixels = pen.getImageData(0, 0, PAD, PAD).data;
    const ink = new Float64Array(PAD * PAD);
    for (let place = 0; place < ink.length; place += 1) ink[place] = 255 - pixels[4 * place];
    const field = prepared(ink, PAD);
    byId("digits").classList.toggle("empty", !field);
    const given = inputOf(field ?? new Float64Array(FIELD * FIELD), network);
    showLevels(small, given.values);
    const outputs = run(network.steps, given);
    const probabilities = [...outputs.at(-1).values];
    const best = probabilities.indexOf(Math.max(...probabilities));
    digit.textContent = field ? network.labels[best] : "";
    said.textContent = field ? `It is a ${network.labels[best]}, says the network: ${(100 * probabilities[best]).toFixed(1)} %.` : "Nothing is written yet.";
    replace(bars, element("tbody", {}, ...probabilities.map((probability, place) => {
      const bar = element("span", { class: "bar macs" });
      bar.style.width = `${100 * probability}%`;
      bar.hidden = !field;
      return element("tr", { class: field && place === best ? "selected" : "" }, element("th", { scope: "row", text: network.labels[place] }),
        element("td", {}, element("span", { class: "track" }, bar), element("span", { class: "amount", text: field ? `${(100 * probability).toFixed(1)} %` : "–" })));
    })));
    showLive(maps, outputs, field);
  }

  // A layer's maps in rows of eight, light where a unit is high.
  function showLive(into, outputs, field) {
    if (!into.children.length) {
      replace(into, element("p", { class: "muted", text: "Its maps, light where a unit is high" }), ...outputs.flatMap(({ shape: [depth, height, width], shape }, index) => {
        if (shape.length !== 3) return [];
        const across = Math.min(8, depth), name = networks[0].layers[index].name;
        const sheet = element("canvas", { width: across * (width + 1) - 1, height: Math.ceil(depth / across) * (height + 1) - 1, role: "img",
          "aria-label": `the ${depth} maps of ${name}`, "data-step": index });
        sheet.style.width = `${across * 44}px`;
        return [element("figure", {}, sheet, element("figcaption", { class: "note", text: `${name}, ${sizes(shape)}` }))];
      }));
    }
    for (const sheet of into.querySelectorAll("canvas")) {
      const { shape: [depth, height, width], values } = outputs[sheet.dataset.step], across = Math.min(8, depth);
      const low = Math.min(...values), high = Math.max(...values);
      const context = sheet.getContext("2d"), image = context.createImageData(sheet.width, sheet.height);
      values.forEach((value, place) => {
        const map = Math.floor(place / (height * width)), x = place % width, y = Math.floor(place / width) % height;
        const level = field ? (255 * (value - low)) / (high - low || 1) : 128;
        const column = (map % across) * (width + 1) + x, row = Math.floor(map / across) * (height + 1) + y;
        image.data.set([level, level, level, 255], 4 * (row * sheet.width + column));
      });
      context.putImageData(image, 0, 0);
    }
  }

  function showLevels(onto, values) {
    const low = Math.min(...values), high = Math.max(...values), context = onto.getContext("2d");
    const image = context.createImageData(onto.width, onto.height);
    values.forEach((value, place) => { const level = (255 * (value - low)) / (high - low || 1); image.data.set([level, level, level, 255], 4 * place); });
    context.putImageData(image, 0, 0);
  }

  let last = null;
  function stroke(to, from = to) {
    pen.strokeStyle = "#000";
    pen.lineWidth = PEN;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(to[0] + (from === to ? 0.01 : 0), to[1]);
    pen.stroke();
    read();
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left - canvas.clientLeft) * PAD) / canvas.clientWidth, ((event.clientY - box.top - canvas.clientTop) * PAD) / canvas.clientHeight];
  };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); last = at(event); stroke(last); });
  canvas.addEventListener("pointermove", (event) => { if (last && event.buttons & 1) { const to = at(event); stroke(to, last); last = to; } });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });

  const key = { at: [PAD / 2, PAD / 4], down: false };
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
    if (step) {
      const to = key.at.map((place, axis) => Math.max(PEN, Math.min(PAD - PEN, place + step[axis])));
      if (key.down) stroke(to, key.at);
      key.at = to;
    } else if (event.key === " ") {
      key.down = !key.down;
      if (key.down) stroke(key.at);
    } else if (event.key === "Delete" || event.key === "Backspace") wipe();
    else return;
    event.preventDefault();
    said.textContent += "";
    canvas.dataset.pen = `${key.down ? "down" : "up"} at ${key.at.join(", ")}`;
  });

  // For a picture that is already drawn: dark on white, as large as the canvas.
  canvas.addEventListener("drawn", read);
  wipe();
}
