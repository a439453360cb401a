// Pages of findings: one finding, and all findings of a task.
function crumbs(parts, previous, next) {
  const trail = parts.flatMap((part, index) => (index ? [h("span", {}, "/"), typeof part === "string" ? h("span", {}, part) : part] : [part]));
  const steps = [previous && h("a", { href: previous, rel: "prev" }, "← previous"), next && h("a", { href: next, rel: "next" }, "next →")];
  return h("nav", { class: "crumbs", "aria-label": "Where you are" }, trail, h("span", { class: "step" }, steps));
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function findingPage(id) {
  const finding = FINDINGS.get(id);
  if (!finding) return null;
  const order = DATA.findings;
  const place = order.indexOf(finding);
  const near = (step) => (order[place + step] ? `#/finding/${encodeURIComponent(order[place + step].id)}` : null);
  const dated = finding.onset_level !== null;
  return [
    crumbs([h("a", { href: "#/" }, "Findings"), link(["task", finding.task], finding.task), finding.group], near(-1), near(1)),
    h("div", { class: "head" },
      h("div", {},
        h("h1", { tabindex: -1 }, finding.title),
        facts([
          ["Verdict", verdict(finding)], ["Metric", finding.metric_title], ["Series", finding.group],
          ["Scales", finding.n_scales], ["Samples a point", finding.n_samples], ["Chance", finding.chance], ["Variant", finding.variant],
          ["Explained", explainedLinks(finding)],
        ])),
      h("p", { class: "headline" }, dated ? bigFigure(finding.onset, `onset, ${finding.axis_title.toLowerCase()}, ${finding.onset_level} interval`) : bigFigure(finding.rise, `rise, ${finding.rise_level || ""} interval`))),
    findingFigure(finding),
    h("div", { class: "columns" },
      h("div", {}, h("h2", {}, "Why"), h("p", { class: "lead" }, finding.headline), h("ul", { class: "reasons" }, finding.reasons.map((reason) => h("li", {}, reason)))),
      h("div", {}, h("h2", {}, "Tests"), testsTable(finding))),
    finding.settle.length ? [h("h2", {}, "What would tell"), h("ul", { class: "reasons" }, finding.settle.map((text) => h("li", {}, text)))] : [],
    linksSection(finding), familiesSection(finding),
    h("h2", {}, "Curves tried"), h("div", { class: "scroll" }, fitsTable(finding)),
    pointsSection(finding),
  ];
}

function bigFigure(text, caption) {
  const [value, ...interval] = text.split(" [");
  if (value === DASH) return [];
  return [h("b", {}, value), h("span", {}, interval.length ? `[${interval.join(" [")}` : ""), h("span", {}, caption)];
}

function findingFigure(finding, card) {
  return h("figure", { class: card ? "card" : null },
    card && h("figcaption", {}, link(["finding", finding.id], finding.title), h("small", {}, `${finding.group}, ${finding.metric_title.toLowerCase()}`)),
    chart(findingChart(finding.id), finding.title), legend(finding), card && pointsTwin(finding));
}

function testsTable(finding) {
  const rows = [["Trend", "the score changes along the axis"], ["Acceleration", "faster than curves that never accelerate"], ["Sharpness", "faster than a change over a decade"]];
  const made = (row) => finding.tests.find((test) => test[0] === row[0].toLowerCase());
  const columns = [
    { title: "Test", cell: (row) => row[0] },
    { title: "asks whether", cell: (row) => row[1] },
    finding.tests.length && { title: "gain, χ²", num: true, cell: (row) => made(row)?.[1] ?? DASH },
    finding.tests.length && { title: "p", num: true, cell: (row) => made(row)?.[2] ?? DASH },
    { title: "q", num: true, cell: (row) => finding.q[rows.indexOf(row)] },
    finding.tests.length && { title: "Draws", num: true, cell: (row) => made(row)?.[4] ?? DASH },
  ].filter(Boolean);
  const many = finding.n_tests === 1 ? "One series was tested." : `Benjamini-Hochberg q-values over ${finding.n_tests.toLocaleString("en")} series tested together.`;
  return [
    table(columns, rows),
    h("p", { class: "lead under" }, many),
    facts([["Rise", finding.rise_level ? `${finding.rise}, ${finding.rise_level}` : null], ["Width of the rise", finding.width],
      ["Artifact check", finding.artifact === DASH ? null : finding.artifact], ["Against", finding.artifact === DASH ? null : finding.partner_title], ["Resolution at the bottom", finding.resolution], ...Object.entries(finding.assumed), ["Seed", finding.seed], ["Version", finding.version]]),
  ];
}

function linksSection(finding) {
  if (!finding.links.length) return [];
  const columns = [
    { title: "Link", cell: (row) => row[0] }, { title: "Parameters", cell: (row) => row[1] }, { title: "RMSE", num: true, cell: (row) => row[2] },
    { title: "R²", num: true, cell: (row) => row[3] }, { title: "Outcome", cell: (row) => row[4] },
  ];
  const [fitted, asked] = finding.link_points;
  return [h("h2", {}, "Links from the continuous metric"), h("p", { class: "lead" }, `Fitted on ${fitted} points up to the onset, asked about ${asked} others.`), h("div", { class: "scroll" }, table(columns, finding.links, { class: "plain" }))];
}

function familiesSection(finding) {
  if (!finding.families.length) return [];
  const columns = [{ title: "Family", cell: (row) => row[0] }, { title: "Onset", num: true, cell: (row) => row[1] }, { title: "Models", num: true, cell: (row) => row[2] }];
  return [h("h2", {}, "Onset of each family"), h("div", { class: "scroll" }, table(columns, finding.families, { class: "plain" }))];
}

function fitsTable(finding) {
  const columns = [
    { title: "Curve", cell: (row) => row[0] }, { title: "BIC", num: true, cell: (row) => row[1] }, { title: "χ²", num: true, cell: (row) => row[2] },
    { title: "Excluded", cell: (row) => (row[3] ? "excluded" : row === finding.fits[0] ? "best" : "not excluded") }, { title: "Parameters", cell: (row) => row[4] },
  ];
  return table(columns, finding.fits, { class: "plain" });
}

function pointsSection(finding) {
  return [
    h("div", { class: "toolbar" }, h("h2", {}, "Points"), h("span", { class: "count" }, "open one for its samples"), pointsCsv(finding)),
    h("div", { class: "scroll" }, pointsTable(finding)),
  ];
}

function pointsTwin(finding) {
  return h("div", { class: "under" }, later(() => pointsTable(finding)), pointsCsv(finding));
}

const partnerRows = (finding) => new Map((DATA.data[finding.id].partner || []).map((row) => [row.model, row]));

function pointsTable(finding) {
  const partner = partnerRows(finding);
  const columns = [
    { title: "Model", cell: (row) => pointLink(finding, row) },
    { title: finding.axis_title, num: true, cell: (row) => quantity(row.x, finding.axis) },
    { title: finding.metric_title, num: true, cell: (row) => score(row.y) },
    { title: "95 % interval", num: true, cell: (row) => `[${score(row.low)}, ${score(row.high)}]` },
    { title: "Samples", num: true, cell: (row) => (row.n === null ? DASH : Math.round(row.n).toLocaleString("en")) },
    partner.size && { title: finding.partner_title, num: true, cell: (row) => score(partner.get(row.model)?.y) },
    { title: "In the fit", cell: (row) => (row.used ? "yes" : "no") },
    { title: "Source", cell: (row) => (DATA.runs[row.run] ? DATA.runs[row.run][2] : DASH) },
  ].filter(Boolean);
  return table(columns, DATA.data[finding.id].points, { class: "plain points" });
}

function pointsCsv(finding) {
  const partner = partnerRows(finding);
  const names = ["model", finding.axis, finding.metric, "low", "high", "n", "used", "run", ...(partner.size ? [finding.partner, "partner_low", "partner_high"] : [])];
  return csvButton(`${finding.task}-${finding.axis}.csv`, names, () => DATA.data[finding.id].points.map((row) => {
    const other = partner.get(row.model) || {};
    return [row.model, row.x, row.y, row.low, row.high, row.n, row.used, row.run, ...(partner.size ? [other.y, other.low, other.high] : [])];
  }));
}

function pointLink(finding, row) {
  const anchor = link(["point", finding.id, row.model], row.model);
  anchor.className = "row";
  return anchor;
}

function taskPage(task) {
  const findings = DATA.findings.filter((finding) => finding.task === task);
  if (!findings.length) return null;
  const tasks = [...new Set(DATA.findings.map((finding) => finding.task))];
  const near = (step) => (tasks[tasks.indexOf(task) + step] ? `#/task/${encodeURIComponent(tasks[tasks.indexOf(task) + step])}` : null);
  return [
    crumbs([h("a", { href: "#/" }, "Findings"), task], near(-1), near(1)),
    h("h1", { tabindex: -1 }, task),
    facts([["Findings", findings.length], ["Metrics", [...new Set(findings.map((finding) => finding.metric_title))].join(", ")], ["Samples shown", DATA.samples[task]?.ids.length]]),
    findings.map((finding) => findingFigure(finding, true)),
  ];
}

function later(make) {
  const details = h("details", {}, h("summary", {}, "Table"));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(h("div", { class: "scroll" }, make()));
  });
  return details;
}

function tableTwin(name, rows, keys) {
  const columns = keys.map((key) => ({ title: key, num: key !== "task" && key !== "model" && key !== "column", cell: (row) => (typeof row[key] === "number" ? String(row[key]) : row[key] ?? DASH) }));
  const details = later(() => table(columns, rows, { class: "plain" }));
  return h("div", { class: "under" }, details, csvButton(`${name}.csv`, keys, () => rows.map((row) => keys.map((key) => row[key]))));
}

function overviewCharts(holder) {
  const groups = DATA.groups.filter((group) => group.heat);
  if (!groups.length) return;
  const figure = h("div", {});
  const show = (group) => {
    forgetCharts(figure);
    const columns = Math.max(...[new Set([...group.heat.datasets.cells, ...group.heat.datasets.missing].map((cell) => cell.column)).size]);
    const missing = group.heat.datasets.missing.length;
    const cells = [...group.heat.datasets.cells, ...group.heat.datasets.missing.map((cell) => ({ ...cell, y: null }))];
    figure.replaceChildren(
      h("figure", {}, chart(group.heat, group.heat.title.text),
        h("p", { class: "lead" }, `Rows in order of onset, ${columns} columns along the axis.${missing ? ` Hollow cells: no score (${missing}).` : ""}`),
        tableTwin("scores", cells, ["task", "model", "column", "y"])),
      group.onsets && group.axis !== "step" ? h("figure", {}, h("figcaption", {}, "Order of appearance"), chart(group.onsets, group.onsets.title.text), tableTwin("onsets", group.onsets.datasets.onsets, ["task", "x", "low", "high"])) : "",
    );
  };
  const choose = h("select", { "aria-label": "Series", onchange: (event) => show(groups[event.target.value]) }, groups.map((group, index) => h("option", { value: index }, group.title)));
  holder.replaceChildren(h("div", { class: "toolbar" }, h("h2", {}, "Every task at every scale"), choose), figure);
  show(groups[0]);
}
