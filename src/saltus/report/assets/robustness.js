// The page on robustness: one model and task at a time, its variants as two charts and a table; below, all of them.
function robustnessPage(task, model) {
  const groups = DATA.robustness || [];
  if (!groups.length) {
    return [h("h1", { tabindex: -1 }, "Robustness"), h("p", { class: "note" }, "No variant of the prompts was scored. Run a suite with `--variant typos` beside the plain prompts.")];
  }
  const found = groups.find((group) => group.task === task && (model === undefined || group.model === model)) || (task === undefined ? groups[0] : null);
  if (!found) return null;
  const place = (group) => `#/robustness/${encodeURIComponent(group.task)}/${encodeURIComponent(group.model)}`;
  const name = (group) => `${group.task} · ${group.model}`;
  const near = (step) => (groups[groups.indexOf(found) + step] ? place(groups[groups.indexOf(found) + step]) : null);
  const choose = h("select", { "aria-label": "Task and model", onchange: (event) => go(place(groups[event.target.value])) },
    groups.map((group, index) => h("option", { value: index, selected: group === found }, name(group))));
  return [
    crumbs([h("a", { href: "#/robustness" }, "Robustness"), found.task, found.model], near(-1), near(1)),
    h("div", { class: "head" },
      h("div", {}, h("h1", { tabindex: -1 }, found.scores.title.text),
        facts([["Metric", found.metric], ["Samples", found.n.toLocaleString("en")], ["Plain", found.plain], ["Variants", found.compared], ["Worst variant", found.worst], ["Its score", found.score], ["Right every way", found.always]])),
      groups.length > 1 && choose),
    h("div", { class: "columns even" },
      h("figure", {}, h("figcaption", {}, "Score of each variant"), chart(found.scores, found.scores.title.text)),
      h("figure", {}, h("figcaption", {}, found.flips.title.text), chart(found.flips, found.flips.title.text))),
    h("ul", { class: "legend" }, robustLegend(found)),
    h("div", { class: "toolbar" }, h("h2", {}, "Variants"), variantsCsv(`robustness-${found.task}.csv`, [found])),
    h("div", { class: "scroll" }, variantsTable(found)),
    groups.length > 1 && [
      h("div", { class: "toolbar" }, h("h2", {}, "Every model and task"), h("span", { class: "count" }, "largest loss first"), variantsCsv("robustness.csv", groups)),
      h("div", { class: "scroll" }, groupsTable(groups, place)),
    ],
  ];
}

function robustLegend(group) {
  const bar = ["path", { d: "M2 7H22", style: { stroke: "var(--accent)", opacity: ".6" } }];
  const dot = ["circle", { cx: 12, cy: 7, r: 3.6, style: { fill: "var(--accent)" } }];
  const hollow = ["circle", { cx: 12, cy: 7, r: 3.4, style: { fill: "none", stroke: "var(--accent)", strokeWidth: "1.4" } }];
  const entries = [[[bar, dot], `measured, ${group.level} interval`], [[["path", { d: "M12 0V14", style: { stroke: "var(--muted)", strokeDasharray: "4 3" } }]], "the plain prompt"]];
  if (group.flips.datasets.floors.length) entries.push([[hollow], "flips of the plain prompt asked again: noise"]);
  return entries.map(([paths, words]) => h("li", {}, swatch(paths), words));
}

const VARIANT_COLUMNS = [["variant", "Variant"], ["n", "Samples", true], ["plain", "Plain", true], ["score", "Score", true], ["flips", "Flips", true], ["lost", "Lost", true], ["gained", "Gained", true],
  ["floor", "Noise floor", true], ["excess", "Beyond it", true], ["worst", "Worst slice"], ["worst_p", "its p", true], ["p", "p", true], ["q", "q", true]];

function variantsTable(group) {
  const used = VARIANT_COLUMNS.filter(([key]) => group.rows.some((row) => row[key] !== DASH));
  return table(used.map(([key, title, num]) => ({ title, num, cell: (row) => (key === "n" ? row.n.toLocaleString("en") : row[key]) })), group.rows, { class: "plain" });
}

function groupsTable(groups, place) {
  const columns = [
    { title: "Task", cell: (group) => h("a", { href: place(group), class: "row" }, group.task) }, { title: "Model", cell: (group) => group.model },
    { title: "Plain", num: true, cell: (group) => group.plain }, { title: "Worst variant", cell: (group) => group.worst || DASH },
    { title: "Its score", num: true, cell: (group) => group.score || DASH }, { title: "Right every way", num: true, cell: (group) => group.always || DASH },
  ];
  return table(columns, groups, { class: "plain" });
}

function variantsCsv(name, groups) {
  const keys = VARIANT_COLUMNS.map(([key]) => key);
  return csvButton(name, ["task", "model", "metric", ...keys], () => groups.flatMap((group) => group.rows.map((row) => [group.task, group.model, group.metric, ...keys.map((key) => row[key])])));
}
