// The table of layers: sorted by a click on a header, filtered, and its rows selected.

const COLUMNS = [
  { key: "layer", text: (layer) => layer.name },
  { key: "operator", text: (layer) => layer.now.operator },
  { key: "output", number: (layer) => elements(layer.now.shape), text: (layer) => sizes(layer.now.shape) },
  { key: "weights", number: (layer) => layer.now.weights, text: (layer) => count(layer.now.weights) },
  { key: "biases", number: (layer) => layer.now.biases, text: (layer) => count(layer.now.biases) },
  { key: "MACs", number: (layer) => layer.now.macs, text: (layer) => count(layer.now.macs) },
  { key: "bytes", number: (layer) => layer.now.bytes, text: (layer) => count(layer.now.bytes) },
  { key: "field", number: (layer) => parseInt(layer.now.fieldText.replace("≤", ""), 10) || 0, text: (layer) => layer.now.fieldText },
];
const sorting = { column: null, descending: false };
let shownTable = 0; // whose table it is
let tableRows = [];

function buildTable() {
  const head = byId("table-head");
  replace(head, ...COLUMNS.map((column) => element("th", { scope: "col", class: column.number ? "number" : "" },
    element("button", { type: "button", class: "sort", text: column.key, onclick: () => sortBy(column) }),
    element("span", { class: "print-only", "aria-hidden": "true", text: column.key }))));
  replace(byId("table-networks"), ...(networks.length > 1 ? networks.map((network, place) => element("button", {
    type: "button", "aria-pressed": String(place === shownTable), text: `${"AB"[place]}: ${network.title}`,
    onclick: () => { shownTable = place; fillTable(); pressed(byId("table-networks"), place); },
  })) : []));
  byId("filter").addEventListener("input", filterTable);
  byId("with-weights").addEventListener("change", filterTable);
  byId("table-body").addEventListener("keydown", moveInTable);
  fillTable();
}

function pressed(group, place) {
  [...group.children].forEach((button, at) => button.setAttribute("aria-pressed", String(at === place)));
}

function fillTable() {
  tableRows = networks[shownTable].layers.map((layer) => {
    const name = element("button", { type: "button", class: "row-name", tabindex: "-1" }, chip(layer.fill), ...breakable(layer.name));
    const row = element("tr", { "data-index": layer.index }, ...COLUMNS.map((column) => column.key === "layer"
      ? element("th", { scope: "row" }, name)
      : element("td", { class: column.number ? "number" : "" })));
    row.addEventListener("click", () => { select(shownTable, [layer.index], { from: "table" }); name.focus({ preventScroll: true }); });
    name.addEventListener("focus", () => rove(name));
    return { layer, row, name };
  });
  writeFigures();
  orderTable();
}

function writeFigures() {
  for (const { layer, row } of tableRows) {
    COLUMNS.forEach((column, place) => { if (place) row.children[place].textContent = column.text(layer); });
  }
  const network = networks[shownTable], sums = totals(network);
  const cells = ["total", plural(network.layers.length, "layer"), "", count(sums.weights), count(sums.biases), count(sums.macs), count(sums.bytes), ""];
  replace(byId("table-foot"), ...cells.map((text, place) => element(place ? "td" : "th", { text, class: COLUMNS[place].number ? "number" : "", scope: place ? null : "row" })));
}

// The first click on a column of numbers puts the largest first, on a column of names the first letter.
function sortBy(column) {
  if (sorting.column !== column) Object.assign(sorting, { column, descending: Boolean(column.number) });
  else if (sorting.descending === Boolean(column.number)) sorting.descending = !sorting.descending;
  else Object.assign(sorting, { column: null, descending: false }); // a third click: running order
  orderTable();
}

function orderTable() {
  const { column, descending } = sorting;
  const rows = [...tableRows];
  if (column) {
    const sign = descending ? -1 : 1;
    const compare = column.number
      ? (a, b) => column.number(a.layer) - column.number(b.layer)
      : (a, b) => column.text(a.layer).localeCompare(column.text(b.layer), "en", { numeric: true });
    rows.sort((a, b) => sign * compare(a, b) || a.layer.index - b.layer.index);
  }
  COLUMNS.forEach((each, place) => {
    const cell = byId("table-head").children[place];
    if (each === column) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  byId("table-body").replaceChildren(...rows.map(({ row }) => row));
  filterTable();
}

function filterTable() {
  const wanted = byId("filter").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const weighted = byId("with-weights").checked;
  let shown = 0;
  for (const { layer, row } of tableRows) {
    const text = `${layer.name} ${layer.now.operator} ${sizes(layer.now.shape)}`.toLowerCase();
    row.hidden = !(wanted.every((word) => text.includes(word)) && (!weighted || layer.now.weights || layer.now.macs));
    shown += row.hidden ? 0 : 1;
  }
  byId("filter-count").textContent = shown === tableRows.length ? plural(shown, "layer") : `${count(shown)} of ${plural(tableRows.length, "layer")}`;
  markRow();
}

const visibleNames = () => [...byId("table-body").querySelectorAll("tr:not([hidden]) .row-name")];

// One row at a time can be reached by Tab; the arrow keys move between rows.
function rove(name) {
  for (const other of byId("table-body").querySelectorAll('.row-name[tabindex="0"]')) other.tabIndex = -1;
  if (name) name.tabIndex = 0;
}

function moveInTable(event) {
  const names = visibleNames(), at = names.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  names[Math.max(0, Math.min(names.length - 1, to))].focus();
}

function markRow() {
  const selected = state.network === shownTable ? new Set(state.layers) : new Set();
  let first = null;
  for (const { layer, row, name } of tableRows) {
    const chosen = selected.has(layer.index);
    row.classList.toggle("selected", chosen);
    if (chosen) row.setAttribute("aria-selected", "true"); else row.removeAttribute("aria-selected");
    if (chosen && !row.hidden && !first) first = name;
  }
  rove(first ?? visibleNames()[0]);
  return first;
}

on("select", (from) => {
  if (state.network !== shownTable && state.layers.length) {
    shownTable = state.network;
    fillTable();
    pressed(byId("table-networks"), shownTable);
  }
  const name = markRow();
  if (name && from !== "table") keepInView(byId("table-scroll"), name.closest("tr"));
});
on("figures", (place) => { if (place === shownTable) { writeFigures(); sorting.column ? orderTable() : filterTable(); } });

// Scrolls a box, not the page, so that something in it can be seen.
function keepInView(box, inner) {
  const outer = box.getBoundingClientRect(), own = inner.getBoundingClientRect();
  if (own.top < outer.top + 40 || own.bottom > outer.bottom) box.scrollTop += own.top - outer.top - outer.height / 3;
}
