// What one model learns over its checkpoints: the order of appearance, every change on one axis, and a small chart a task.
const SIGNS = [["circle", "leaves its floor"], ["square", "jumps"], ["triangle", "its rate changes"], ["diamond", "early warning"]];
const SIGN_PATHS = { circle: "M8.5 7a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0", square: "M9 4h6v6h-6z", triangle: "M12 3l4 7h-8z", diamond: "M12 2l4 5l-4 5l-4-5z" };

function trainingPage(wanted) {
  const groups = DATA.groups.filter((group) => group.axis === "step");
  const name = (group) => group.series || group.family;
  const names = [...new Set([...groups.map(name), ...Object.keys(DATA.training)])];
  if (!names.length) {
    return [h("h1", { tabindex: -1 }, "Training"), h("p", { class: "note" }, "No finding runs along training steps. Evaluate several checkpoints of one model and run `saltus detect --axis step`.")];
  }
  const shown = wanted === undefined ? names[0] : wanted;
  if (!names.includes(shown)) return null;
  const group = groups.find((candidate) => name(candidate) === shown);
  const training = DATA.training[shown];
  const choose = h("select", { "aria-label": "Model", onchange: (event) => { go(`#/training/${encodeURIComponent(event.target.value)}`); } },
    names.map((option) => h("option", { value: option, selected: option === shown }, option)));
  return [
    h("div", { class: "head" }, h("div", {}, h("h1", { tabindex: -1 }, `What ${shown} learns, and when`), h("p", { class: "lead" }, "Each task over the training steps. Amber marks the interval of the onset.")), names.length > 1 && choose),
    group?.onsets && h("figure", {}, h("figcaption", {}, "Order of appearance"), chart(group.onsets, group.onsets.title.text), tableTwin("onsets", group.onsets.datasets.onsets, ["task", "x", "low", "high"])),
    training && changesFigure(training),
    group && smallCharts(group),
  ];
}

function changesFigure({ lanes, reasons }) {
  const rows = lanes.datasets.changes;
  const there = SIGNS.filter(([, words], index) => rows.some((row) => row.sign === ["onset", "level", "slope", "warning"][index]) && words);
  const sign = ([shape]) => swatch([["path", { d: SIGN_PATHS[shape], style: { fill: shape === "diamond" ? "var(--amber-ink)" : "var(--accent)" } }]]);
  return h("figure", {}, h("figcaption", {}, "Every change, with the interval of its place"), chart(lanes, lanes.title.text),
    h("ul", { class: "legend" }, there.map((entry) => h("li", {}, sign(entry), entry[1]))),
    tableTwin("changes", rows, ["lane", "sign", "x", "low", "high", "words"]),
    reasons.length > 0 && h("details", { class: "under" }, h("summary", {}, "In words"), h("ul", { class: "reasons" }, reasons.map((reason) => h("li", {}, reason)))));
}

function smallCharts(group) {
  const members = group.ids.map((id) => FINDINGS.get(id));
  return h("div", { class: "grid" }, members.map((finding) => h("figure", {},
    h("figcaption", {}, link(["finding", finding.id], finding.task), " ", h("small", {}, verdict(finding), finding.onset_level ? h("span", {}, finding.onset) : "", members.filter((other) => other.task === finding.task).length > 1 ? ` ${finding.metric_title}` : "")),
    chart(findingChart(finding.id, "small"), finding.title))));
}
