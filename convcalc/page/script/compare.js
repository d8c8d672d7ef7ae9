// Two networks: what differs, pair by pair, and the totals.

const WORDS = { same: "the same", changed: "changed", added: "added", removed: "removed" };

function buildDiff() {
  if (!data.diff) return;
  byId("differences").hidden = false;
  const statuses = ["changed", "added", "removed", "same"];
  const amounts = Object.fromEntries(statuses.map((status) => [status, data.diff.rows.filter((row) => row[2] === status).length]));
  byId("diff-summary").textContent = statuses.map((status) => `${count(amounts[status])} ${WORDS[status]}`).join(", ");
  byId("diff-all").addEventListener("change", fillDiff);
  replace(byId("diff-totals"), ...data.diff.totals.map(([name, a, b, difference, ratio]) => element("tr", {},
    element("th", { scope: "row", text: name }),
    ...[count(a), count(b), signed(difference), ratio === null ? "–" : `×${ratio.toFixed(3)}`].map((text) => element("td", { class: "number", text })))));
  fillDiff();
  on("figures", () => { byId("diff-note").hidden = !networks.some((network) => network.changed); });
  on("select", markDiff);
}

let diffRows = [];

function fillDiff() {
  const all = byId("diff-all").checked;
  const name = (place, index) => (index === null ? element("span", { class: "muted", text: "–" }) : element("button", {
    type: "button", class: "row-name", onclick: () => select(place, [index], { from: "diff" }),
  }, chip(networks[place].layers[index].fill), ...breakable(networks[place].layers[index].name)));
  diffRows = data.diff.rows.filter((row) => all || row[2] !== "same").map(([a, b, status, change, weights, params, macs, working, cause]) => ({
    a, b,
    row: element("tr", { class: status },
      element("td", {}, element("span", { class: `status ${status}`, text: WORDS[status] })),
      element("td", {}, name(0, a)), element("td", {}, name(1, b)),
      element("td", { class: "change" }, change,
        working ? element("span", { class: "sum", text: working }) : null,
        cause ? element("span", { class: "note", text: `${cause} feeds it` }) : null),
      element("td", { class: "number", text: signed(weights) }), element("td", { class: "number", text: signed(macs) })),
  }));
  byId("diff-body").replaceChildren(...diffRows.map(({ row }) => row));
  if (!diffRows.length) byId("diff-body").append(element("tr", {}, element("td", { colspan: "6", text: "The networks are the same." })));
  markDiff();
}

function markDiff() {
  for (const { a, b, row } of diffRows) row.classList.toggle("selected", state.layers.includes(state.network ? b : a));
}
