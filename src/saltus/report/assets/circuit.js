// The circuit as a graph: columns are layers from the embedding to the output, edges as wide as their effect. Rows instead of columns where it is narrow.
const NODE = { w: 104, h: 44 };

function circuitFigure(circuit, name) {
  const holder = h("div", { class: "circuit" });
  let width = 0;
  new ResizeObserver(() => {
    if (holder.clientWidth < 200 || Math.abs(holder.clientWidth - width) < 2) return;
    width = holder.clientWidth;
    holder.replaceChildren(drawCircuit(circuit, width));
  }).observe(holder);
  const parts = [
    { title: "Part", cell: (node) => node.name }, { title: "Role", cell: (node) => node.roles.join("; ") || DASH },
    { title: "In the circuit", cell: (node) => (node.inside ? "yes" : "no") }, { title: "Necessary", cell: (node) => (node.necessary ? "yes" : node.inside ? "no" : DASH) },
    { title: "Score without it alone", num: true, cell: (node) => node.alone || DASH },
  ];
  const ways = [
    { title: "From", cell: (edge) => edge[0] }, { title: "To", cell: (edge) => edge[1] }, { title: "Into", cell: (edge) => edge[2] || DASH },
    { title: "Effect", num: true, cell: (edge) => score(edge[3]) }, { title: `${circuit.level} interval`, num: true, cell: (edge) => `[${score(edge[4])}, ${score(edge[5])}]` },
  ];
  const legendRows = [
    [["rect", { x: 2, y: 2, width: 20, height: 10, rx: 3, style: { fill: "var(--accent-soft)", stroke: "var(--accent)", strokeWidth: "2" } }], "necessary"],
    [["rect", { x: 2, y: 2, width: 20, height: 10, rx: 3, style: { fill: "var(--accent-soft)", stroke: "var(--strong-line)" } }], "in the circuit"],
  ];
  return h("figure", {}, h("figcaption", {}, circuit.title), holder,
    h("ul", { class: "legend" }, legendRows.map(([path, words]) => h("li", {}, swatch([path]), words)),
      circuit.edges.length > 0 && [h("li", {}, swatch([["path", { d: "M0 7H24", style: { stroke: "var(--accent)", strokeWidth: "5", opacity: ".5" } }]]), "width: share of the difference that flows this way"),
        h("li", {}, "q, k, v: read as query, key or value")]),
    h("div", { class: "under" }, later(() => [table(parts, circuit.nodes, { class: "plain" }), circuit.edges.length > 0 && table(ways, circuit.edges, { class: "plain" }),
      circuit.of > circuit.edges.length && h("p", { class: "lead" }, `${circuit.edges.length} strongest of ${circuit.of} edges.`)]),
      csvButton(`${name}-circuit.csv`, ["from", "to", "into", "effect", "low", "high"], () => circuit.edges)),
    facts(circuit.facts));
}

function svgNode(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function drawCircuit(circuit, width) {
  const places = layoutCircuit(circuit.nodes, width);
  const svg = svgNode("svg", { width, height: places.height, viewBox: `0 0 ${width} ${places.height}`, role: "img", "aria-label": circuit.title });
  const most = Math.max(...circuit.edges.map((edge) => Math.abs(edge[3])), 1e-9);
  for (const label of places.labels) svg.append(svgNode("text", { x: label.x, y: label.y, class: "c-layer", "text-anchor": label.anchor }, label.text));
  const few = circuit.edges.length <= 10;
  const words = [];
  for (const edge of [...circuit.edges].reverse()) {
    const [from, to] = [places.at.get(edge[0]), places.at.get(edge[1])];
    if (!from || !to) continue;
    const { d, x, y } = edgePath(from, to, places.across);
    const wide = 1 + (9 * Math.abs(edge[3])) / most;
    const path = svgNode("path", { d, class: edge[3] < 0 ? "c-edge c-against" : "c-edge", "stroke-width": wide.toFixed(1) });
    hint(path, `${edge[0]} → ${edge[1]}${edge[2] ? ` (${edge[2]})` : ""}`, [`${score(edge[3])} [${score(edge[4])}, ${score(edge[5])}]`, edge[2] ? `read as ${{ q: "query", k: "key", v: "value" }[edge[2]] || edge[2]}` : "", "share of the difference"]);
    svg.append(path);
    if (few) words.push(svgNode("text", { x, y: y - 3, class: "c-word", "text-anchor": "middle" }, `${edge[2] ? `${edge[2]} ` : ""}${edge[3].toFixed(2)}`));
  }
  for (const node of circuit.nodes) svg.append(nodeGroup(node, places.at.get(node.name)));
  svg.append(...words);
  return svg;
}

// A column a layer, heads before the MLP; where columns would be narrow, a row a layer.
function layoutCircuit(nodes, width) {
  const steps = [...new Set(nodes.map(columnOf))].sort((a, b) => a - b);
  const across = width / steps.length >= NODE.w + 28;
  const groups = steps.map((step) => nodes.filter((node) => columnOf(node) === step));
  const at = new Map();
  const labels = [];
  if (across) {
    const tall = Math.max(...groups.map((group) => group.length));
    const height = Math.max(tall * (NODE.h + 22) + 60, 210);
    const gap = (width - NODE.w - 4) / Math.max(steps.length - 1, 1);
    groups.forEach((group, column) => {
      const x = 2 + column * gap;
      labels.push({ x: x + NODE.w / 2, y: height + 12, text: layerWord(steps[column]), anchor: "middle" });
      group.forEach((node, row) => at.set(node.name, { x, y: heightOf(node, row, group.length) * height - NODE.h / 2, w: NODE.w, h: NODE.h }));
    });
    return { at, labels, height: height + 18, across };
  }
  let y = 4;
  groups.forEach((group, row) => {
    const most = Math.max(1, Math.floor((width - 60) / 84));
    labels.push({ x: 2, y: y + NODE.h / 2 + 4, text: layerWord(steps[row]).replace(", MLP", ""), anchor: "start" });
    for (let start = 0; start < group.length; start += most) {
      const line = group.slice(start, start + most);
      const w = Math.min(NODE.w, (width - 60) / line.length - 8);
      line.forEach((node, place) => at.set(node.name, { x: 56 + sideOf(node, place, line.length) * (width - 56 - w), y, w, h: NODE.h }));
      y += NODE.h + (start + most < group.length ? 10 : 0);
    }
    y += 42;
  });
  return { at, labels, height: y - 38, across };
}

// The same, lying down: a single head stands to the left, the next layer's further right, an MLP at the edge.
function sideOf(node, place, many) {
  if (many > 1) return place / (many - 1);
  return node.layer < 0 || node.layer > 9999 ? 0.45 : node.mlp ? 1 : node.layer % 2 ? 0.5 : 0;
}

// Heads above and MLPs below, single heads of neighbouring layers not on one line: so edges pass between the nodes.
function heightOf(node, row, many) {
  if (node.layer < 0 || node.layer > 9999) return 0.52;
  if (node.mlp) return 0.87;
  return many > 1 ? 0.13 + (0.56 * row) / (many - 1) : node.layer % 2 ? 0.46 : 0.16;
}

const columnOf = (node) => (node.layer < 0 ? -1 : node.layer > 9999 ? 1e6 : node.layer * 2 + (node.mlp ? 1 : 0));
const layerWord = (step) => (step < 0 ? "input" : step > 1e5 ? "output" : `layer ${Math.floor(step / 2)}${step % 2 ? ", MLP" : ""}`);

function edgePath(from, to, across) {
  if (across) {
    const [x1, y1, x2, y2] = [from.x + from.w, from.y + from.h / 2, to.x, to.y + to.h / 2];
    const bend = Math.max(18, (x2 - x1) / 2);
    return { d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
  }
  const [x1, y1, x2, y2] = [from.x + from.w / 2, from.y + from.h, to.x + to.w / 2, to.y];
  const bend = Math.max(14, (y2 - y1) / 2);
  return { d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 + 6 };
}

function nodeGroup(node, place) {
  const state = node.necessary ? "c-node c-needed" : node.inside ? "c-node" : "c-node c-end";
  const role = (node.roles[0] || "").replace(/ [\d.-]+ \[.*$/, "");
  const group = svgNode("g", { class: state, transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})` },
    svgNode("rect", { width: place.w, height: place.h, rx: 7 }),
    svgNode("text", { x: place.w / 2, y: role ? 19 : 27, "text-anchor": "middle", class: "c-name" }, node.name));
  if (role) group.append(svgNode("text", { x: place.w / 2, y: 35, "text-anchor": "middle", class: "c-role" }, role.length > 18 ? `${role.slice(0, 17)}…` : role));
  hint(group, node.name, [...node.roles, node.necessary ? "necessary" : node.inside ? "in the circuit" : "", node.alone ? `score without it alone: ${node.alone}` : ""].filter(Boolean));
  return group;
}

// The tip of the charts for parts that are drawn by hand.
function hint(element, title, lines) {
  element.addEventListener("pointermove", (event) => { tipBox.hidden = false; tipAt(event, title, lines.filter(Boolean)); });
  element.addEventListener("pointerleave", () => { tipBox.hidden = true; });
}
