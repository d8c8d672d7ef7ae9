// Evaluates the formulas of a network's figures. Their data, and what they mean, are described in page/formulas.py;
// no operator of a network is written here.

// Python's a // b and a % b, of integers and of floats; exact for integers up to 2**53.
function remainder(a, b) {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

function quotient(a, b) {
  const rest = a % b;
  let whole = (a - rest) / b;
  if (rest !== 0 && rest < 0 !== b < 0) whole -= 1;
  const floor = Math.floor(whole);
  return whole - floor > 0.5 ? floor + 1 : floor;
}

// Python's round: halves to the even neighbour.
function nearest(a) {
  const floor = Math.floor(a), rest = a - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

const OPERATIONS = [
  (a, b) => a + b,
  (a, b) => a - b,
  (a, b) => a * b,
  quotient,
  remainder,
  (a, b) => a / b,
  (a, b) => Number(a < b),
  (a, b) => Number(a <= b),
  (a, b) => Number(a === b),
  (a, b) => Number(a !== b),
  (a, b) => a & b,
  (a, b) => a | b,
  (a, b) => (b > a ? b : a),
  Math.floor,
  Math.ceil,
  Math.trunc,
  nearest,
];

// The value of everything, for the values of the sliders in their order.
function evaluate(formulas, positions) {
  const values = [...positions, ...formulas.constants.map((value) => value ?? NaN)], { operations } = formulas;
  for (let place = 0; place < operations.length; place += 3) {
    const value = OPERATIONS[operations[place]](values[operations[place + 1]], values[operations[place + 2]]);
    values.push(value === 0 ? 0 : value); // there is no −0 among integers
  }
  return values;
}

// The figures for the values of the sliders: {inputs: [shape], layers: [{shape, weights, …}]}; {error: text} where there
// is no network, {error: null} where there is one with other layers, and null where no formula holds.
function figuresAt(formulas, positions) {
  const values = evaluate(formulas, positions);
  const holds = (guard) => values[guard >> 1] === (guard & 1);
  const variant = formulas.variants.find((each) => each.guards.every(holds));
  if (!variant) return null;
  if (variant.layout === null) return { error: variant.error === null ? null : written(formulas, variant.error, values) };
  const [guards, texts] = variant.fields ?? [[], []];
  const fields = texts.length && guards.every(holds) ? texts.map((text) => allAlike(written(formulas, text, values))) : null;
  const shape = (nodes) => nodes.map((node) => values[node]);
  const rows = new Map();
  const layers = formulas.layouts[variant.layout].map((number, place) => {
    if (!rows.has(number)) {
      const [sizes, weights, biases, buffers, macs, bytes, said] = formulas.rows[number];
      rows.set(number, {
        shape: shape(sizes), weights: values[weights], biases: values[biases], buffers: values[buffers],
        macs: values[macs], bytes: values[bytes], ...saidOf(formulas, said, values, holds),
      });
    }
    return { ...rows.get(number), fieldText: fields ? fields[place] : null };
  });
  for (const { weights, macs, bytes } of rows.values()) {
    if (![weights, macs, bytes].every(Number.isSafeInteger)) return null; // beyond what this language counts exactly
  }
  return { inputs: variant.inputs.map(shape), layers };
}

// What is said of a layer: {operator, drawn, working: [[label, text]]}; null where no wording holds.
function saidOf(formulas, said, values, holds) {
  if (said === null) return { operator: null, drawn: null, working: null };
  const [operator, working] = formulas.said[said].map((wordings) => wordings.find(([guards]) => guards.every(holds)));
  return {
    operator: operator ? written(formulas, operator[1], values) : null,
    drawn: operator ? written(formulas, operator[2], values) : null,
    working: working ? linesOf(working[1].map(([label, text, alike]) => [label, written(formulas, text, values), alike])) : null,
  };
}

// Lines with their labels; a size per axis in one line if all are the same.
function linesOf(lines) {
  const isAlike = ([, text, alike]) => alike === null || text === lines.find((line) => line[2] === alike)[1];
  const joined = lines.every(isAlike);
  return lines
    .map(([label, text, alike]) => [joined && alike !== null ? alike : label, text])
    .filter(([label], place, all) => place === 0 || label !== all[place - 1][0]);
}

// A size per axis as one, if all are the same.
function allAlike(text) {
  const sizes = text.split("×");
  return sizes.every((size) => size === sizes[0]) ? sizes[0] : text;
}

// A text with its numbers.
function written(formulas, number, values) {
  return formulas.texts[number].map((piece) => {
    if (typeof piece === "string") return piece;
    const value = values[piece >> 1];
    return piece & 1 ? value.toLocaleString("en-US") : String(value);
  }).join("");
}
