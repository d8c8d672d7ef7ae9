// Puts the page together.

function showTotals() {
  replace(byId("totals"), ...networks.map((network, place) => {
    const sums = totals(network);
    return element("span", { class: "total" }, networks.length > 1 ? element("strong", { text: `${"AB"[place]} ` }) : null,
      `${rounded(sums.params)} params · ${rounded(sums.macs)} MACs · ${bytes(sums.peak)} at the peak`);
  }));
}

// The head stays at the top of the window: what sticks below it must know its height.
function measureHead() {
  const head = document.querySelector(".top");
  const height = getComputedStyle(head).position === "sticky" ? head.offsetHeight : 0;
  document.documentElement.style.setProperty("--head", `${height}px`);
}

on("figures", showTotals);
showTotals();
buildSliders();
buildDrawings();
buildTable();
buildCharts();
buildDiff();
buildField();
buildAnswer();
buildDigits();
showPanel();
measureHead();
window.addEventListener("resize", measureHead);
document.documentElement.classList.add("ready");
