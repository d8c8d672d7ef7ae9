// With an image: what the network answers, and the maps of the selected layer.

function buildAnswer() {
  const { answer } = networks[0];
  if (answer) {
    byId("answer").hidden = false;
    const most = Math.max(...answer.top.map(([, probability]) => probability), 1e-9);
    replace(byId("answer-body"),
      answer.src ? element("img", { src: answer.src, alt: `${answer.image}, as the network reads it`, class: "read" }) : null,
      element("div", {}, element("p", { class: "muted", text: answer.text }),
        element("table", { class: "shares ten" }, element("tbody", {}, ...answer.top.map(([label, probability]) => {
          const bar = element("span", { class: "bar macs" });
          bar.style.width = `${(100 * probability) / most}%`;
          return element("tr", {}, element("th", { scope: "row", text: label }),
            element("td", {}, element("span", { class: "track" }, bar), element("span", { class: "amount", text: probability === null ? "not a number" : `${(100 * probability).toFixed(1)} %` })));
        })))));
  }
  on("select", showMaps);
  showMaps();
}

function showMaps() {
  const network = networks[state.network];
  const shown = new Set(state.layers.map((index) => (Array.isArray(network.maps[index]) ? index : network.maps[index])));
  const found = [...shown].flatMap((index) => (network.maps[index] ?? []).map((sheet) => [network.layers[index], sheet]));
  byId("maps").hidden = !found.length;
  replace(byId("maps-body"), ...found.map(([layer, [src, width, height, text]]) => element("figure", {},
    element("img", { src, width, height, alt: `${text} of ${layer.name}` }),
    element("figcaption", {}, element("strong", {}, ...breakable(layer.name)), ` ${text}`))));
}
