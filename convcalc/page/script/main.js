// Puts the page together.

function showTotals() {
  replace(byId("totals"), ...networks.map((network, place) => {
    const sums = totals(network);
    return element("span", { class: "total" }, networks.length > 1 ? element("strong", { text: `${"AB"[place]} ` }) : null,
      `${rounded(sums.params)} params · ${rounded(sums.macs)} MACs · ${bytes(sums.peak)} at the peak`);
  }));
}

// The head stays at the top of the window, and a drawing fits below the sliders: both must be known by height.
function measureHead() {
  const head = document.querySelector(".top"), { style } = document.documentElement;
  style.setProperty("--head", `${getComputedStyle(head).position === "sticky" ? head.offsetHeight : 0}px`);
  style.setProperty("--above", `${byId("settings").offsetHeight}px`);
}

on("figures", showTotals);
showTotals();
buildSliders();
measureHead();
buildDrawings();
buildTable();
buildCharts();
buildDiff();
buildField();
buildAnswer();
buildDigits();
showPanel();
window.addEventListener("resize", measureHead);
document.documentElement.classList.add("ready");
