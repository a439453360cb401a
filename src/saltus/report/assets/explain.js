// Pages of explanations: what carries an ability, when its parts formed, what interventions did, and what heads attend to.
function explainPage(id) {
  const all = DATA.explanations;
  if (!all.length) return [h("h1", { tabindex: -1 }, "Explain"), h("p", { class: "note" }, "Nothing has been explained. Run `saltus explain` on a finding or a model.")];
  if (id === undefined) return explainList(all);
  const found = all.find((one) => one.id === id);
  if (!found) return null;
  const near = (step) => (all[all.indexOf(found) + step] ? `#/explain/${encodeURIComponent(all[all.indexOf(found) + step].id)}` : null);
  const name = `explain-${found.task}-${found.model}`;
  const [value, ...interval] = found.score.split(" [");
  return [
    crumbs([h("a", { href: "#/explain" }, "Explain"), found.finding ? link(["finding", found.finding], found.task) : found.task, found.model], near(-1), near(1)),
    h("div", { class: "head" },
      h("div", {}, h("h1", { tabindex: -1 }, found.headline),
        facts([["Verdict", carried(found)], ["Task", found.task], ["Model", found.model], ["Metric", found.metric], ["Chance", found.chance], ["Prompts", found.n.toLocaleString("en")], ["Before the onset", found.before],
          ["Onset", found.onset && `${found.onset}, ${found.onset_level}`], ["Checkpoints", found.checkpoints || null], ["Finding", found.finding && link(["finding", found.finding], "open")], ["Seed", found.seed], ["Version", found.version]])),
      h("p", { class: "headline" }, h("b", {}, value), h("span", {}, interval.length ? `[${interval.join(" [")}` : ""), h("span", {}, `score of the whole model, ${found.level} interval`))),
    h("div", { class: "columns" },
      h("div", {}, h("h2", {}, "What was found"), statementList(found)),
      found.roles.length > 0 && h("div", {}, h("h2", {}, "What the heads do"), h("div", { class: "scroll" }, rolesTable(found)))),
    found.strip && [h("h2", {}, "When the heads formed"), stripFigure(found, name)],
    found.circuit && [h("h2", {}, "Circuit"), circuitFigure(found.circuit, name)],
    found.ablations.length > 0 && [h("h2", {}, "What happens without them"), ablationSection(found, name)],
    found.patching && [h("h2", {}, "Patching"), effectFigure(found.patching, `${name}-patching`, patchingLegend(found.patching))],
    (found.lens || found.direct) && [h("h2", {}, "From layer to layer"), h("div", { class: "columns even" },
      found.lens && effectFigure(found.lens, `${name}-lens`, lensLegend(found.lens)), found.direct && effectFigure(found.direct, `${name}-direct`, measuredLegend(found.direct)))],
    found.dose && [h("h2", {}, "Turned down and up"), doseSection(found, name)],
    found.views.length > 0 && [h("h2", {}, "Attention"), attentionFigure(found.views, name)],
    found.examples.length > 0 && [h("h2", {}, "Prompts whose answer changes"), examplesTable(found, name)],
  ];
}

const parted = (name) => name.replaceAll("+", "+\u200b"); // may break after a plus

const carried = (found) => glyph(found.verdict, found.word, `verdict v-${found.verdict}`);

function explainList(all) {
  const columns = [
    { title: "Verdict", cell: carried },
    { title: "Task", cell: (one) => { const anchor = link(["explain", one.id], one.task); anchor.className = "row"; return anchor; } },
    { title: "Model", cell: (one) => one.model }, { title: "Parts", className: "parts", cell: (one) => parted(one.named.join("+")) || DASH },
    { title: "Score", num: true, cell: (one) => one.score }, { title: "In a sentence", className: "sentence", cell: (one) => one.headline },
  ];
  const names = ["id", "verdict", "task", "model", "metric", "score", "chance", "n", "headline"];
  return [
    h("h1", { tabindex: -1 }, "What carries each ability"),
    h("p", { class: "lead" }, "One row a task and model that was taken apart; the latest explanation of each."),
    h("div", { class: "toolbar" }, h("span", { class: "count" }, `${all.length} explained`), csvButton("explanations.csv", names, () => all.map((one) => names.map((key) => one[key])))),
    h("div", { class: "scroll" }, table(columns, all, { class: "plain explanations" })),
  ];
}

// Links from the page of a finding: its own explanation, and those of the same task in its models.
function explainedLinks(finding) {
  const models = new Set(DATA.data[finding.id].points.map((point) => point.model));
  const found = DATA.explanations.filter((one) => one.finding === finding.id || (one.task === finding.task && (models.has(one.model) || (finding.series && one.series === finding.series))));
  return found.length ? found.map((one, index) => [index > 0 && ", ", link(["explain", one.id], `${one.model}: ${one.word.toLowerCase()}`)]) : null;
}

function statementList(found) {
  if (!found.statements.length) return h("p", { class: "lead" }, found.text || "Nothing was recorded.");
  return h("ul", { class: "statements" }, found.statements.map(([standing, word, text]) => h("li", { class: standing }, glyph(standing, word, "standing"), h("span", {}, text))));
}

function rolesTable(found) {
  return table([
    { title: "Head", cell: (row) => (found.named.includes(row.component) ? h("b", {}, row.component) : row.component) }, { title: "Role", cell: (row) => row.role },
    { title: "Share of attention", num: true, cell: (row) => row.score }, { title: "If even", num: true, cell: (row) => row.baseline },
  ], found.roles, { class: "plain" });
}

function stripFigure(found, name) {
  const { strip } = found;
  const holder = h("div", {});
  const show = (role, pressed) => {
    const entry = strip.roles.find((one) => one.role === role) || strip.roles[0];
    forgetCharts(holder);
    const spec = { ...entry.spec, datasets: { ...strip.datasets, cells: stripCells(strip, entry, found.finding) }, finding: found.finding };
    holder.replaceChildren(
      strip.roles.length > 1 ? h("div", { class: "choices" }, choices("Role", "role", strip.roles.map((one) => [one.role, one.word, one === entry]), (value) => { choose("role", value); show(value, true); })) : "",
      h("figure", {}, h("figcaption", {}, entry.spec.title.text, h("small", {}, `${entry.word}: ${entry.says}. ${entry.of > entry.heads.length ? `${entry.heads.length} of ${entry.of} heads shown.` : ""}`)),
        chart(spec, entry.spec.title.text), stripLegend(found, spec), stripTwin(strip, entry, found, name)));
    if (pressed) holder.querySelector(`[data-choice="role-${entry.role}"]`)?.focus();
  };
  show(chosen("role"));
  return holder;
}

// A checkpoint whose prompts the report has can be opened; `model` is what a click follows.
function stripCells(strip, entry, finding) {
  return entry.cells.map(([head, at, y, low, high]) => {
    const [model, , linked, span] = strip.models[at];
    return { head: entry.heads[head], ...(linked && finding ? { model, finding } : { checkpoint: model }), x: span[0], x2: span[1], y, low, high };
  });
}

function stripLegend(found, spec) {
  const entries = [];
  if (spec.datasets.points) entries.push([[["path", { d: "M12 1V13", style: { stroke: "var(--accent)", opacity: ".6" } }], ["circle", { cx: 12, cy: 7, r: 3, style: { fill: "var(--accent)" } }]], "score, 95 % interval"]);
  if (spec.datasets.band?.length) entries.push([[["rect", { x: 0, y: 2, width: 24, height: 10, style: { fill: "var(--accent)", opacity: ".16" } }], ["path", { d: "M0 7H24", style: { stroke: "var(--accent)", strokeWidth: "2" } }]], "fitted curve"]);
  if (spec.datasets.points && found.chance !== null) entries.push([[["path", { d: "M0 7H24", style: { stroke: "var(--muted)", strokeDasharray: "4 3" } }]], `chance, ${found.chance}`]);
  if (found.onset) entries.push([[["rect", { x: 4, y: 0, width: 16, height: 14, style: { fill: "var(--amber)", opacity: ".3" } }], ["path", { d: "M12 0V14", style: { stroke: "var(--amber-ink)" } }]], `onset, ${found.onset_level} interval`]);
  return h("ul", { class: "legend" }, entries.map(([paths, words]) => h("li", {}, swatch(paths), words)), found.named.length > 0 && h("li", {}, h("b", {}, found.named.find((one) => /H/.test(one)) || found.named[0]), "bold: named by the explanation"));
}

function stripTwin(strip, entry, found, name) {
  const scores = strip.models.map(() => ({}));
  for (const [head, at, y] of entry.cells) scores[at][entry.heads[head]] = y;
  const open = (row) => {
    if (!row.linked || !found.finding) return row.model;
    const anchor = link(["point", found.finding, row.model], row.model);
    anchor.className = "row";
    return anchor;
  };
  const rows = strip.models.map(([model, at, linked], index) => ({ model, at, linked, scores: scores[index] }));
  const columns = [{ title: "Checkpoint", cell: open }, { title: found.axis, num: true, cell: (row) => quantity(row.at, found.axis) },
    ...entry.heads.map((head) => ({ title: head, num: true, cell: (row) => (row.scores[head] === undefined ? DASH : row.scores[head].toFixed(2)) }))];
  return h("div", { class: "under" }, later(() => table(columns, rows, { class: "plain points" })),
    csvButton(`${name}-${entry.role}.csv`, ["head", "model", found.axis, "score", "low", "high"], () => entry.cells.map(([head, at, ...rest]) => [entry.heads[head], strip.models[at][0], strip.models[at][1], ...rest])));
}

const FILLED = ["circle", { cx: 12, cy: 7, r: 3.6, style: { fill: "var(--accent)" } }];
const HOLLOW = ["circle", { cx: 12, cy: 7, r: 3.4, style: { fill: "var(--bg)", stroke: "var(--accent)", strokeWidth: "1.4" } }];
const BAR = ["path", { d: "M2 7H22", style: { stroke: "var(--accent)", opacity: ".6" } }];
const legendOf = (entries) => h("ul", { class: "legend" }, entries.map(([paths, words]) => h("li", {}, swatch(paths), words)));

function ablationSection(found, name) {
  const holder = h("div", {});
  const show = (method, pressed) => {
    const entry = found.ablations.find((one) => one.method === method) || found.ablations[0];
    const random = entry.panels.some(({ spec }) => spec.datasets.rows.some((row) => row.kind === "control"));
    forgetCharts(holder);
    holder.replaceChildren(
      found.ablations.length > 1 ? h("div", { class: "choices" }, choices("Ablation", "method", found.ablations.map((one) => [one.method, one.word, one === entry]), (value) => { choose("method", value); show(value, true); })) : "",
      h("div", { class: "columns even" }, entry.panels.map((panel) => h("figure", {}, h("figcaption", {}, panel.spec.title.text, h("small", {}, [panel.at, panel.side, entry.word].filter(Boolean).join(", "))), chart(panel.spec, panel.spec.title.text), effectTwin(panel, `${name}-${entry.method}-${panel.model}`, true))),
        entry.others && h("figure", {}, h("figcaption", {}, entry.others.spec.title.text, h("small", {}, `the same ablation on other tasks, ${found.after}`)), chart(entry.others.spec, entry.others.spec.title.text), effectTwin(entry.others, `${name}-${entry.method}-other-tasks`, true))),
      legendOf([[[HOLLOW], "before"], [[BAR, FILLED], `after, ${entry.level} interval`],
        ...(random ? [[[["path", { d: "M2 7H22", style: { stroke: "var(--muted)", strokeWidth: "4", opacity: ".35" } }], ["circle", { cx: 12, cy: 7, r: 3.6, style: { fill: "var(--muted)" } }]], "random sets of equal size"]] : []),
        ...(found.chance !== null ? [[[["path", { d: "M12 0V14", style: { stroke: "var(--muted)", strokeDasharray: "4 3" } }]], `chance, ${found.chance}`]] : [])]));
    if (pressed) holder.querySelector(`[data-choice="method-${entry.method}"]`)?.focus();
  };
  show(chosen("method"));
  return holder;
}

function effectFigure(part, name, legendRow) {
  return h("figure", {}, h("figcaption", {}, part.spec.title.text), chart(part.spec, part.spec.title.text), legendRow, effectTwin(part, name, false));
}

const measuredLegend = (part) => legendOf([[[BAR, FILLED], `measured, ${part.level} interval`]]);
const patchingLegend = (part) => {
  const rows = part.spec.datasets.rows;
  const screened = rows.some((row) => row.method === "attribution patching");
  return legendOf([...(rows.some((row) => row.method !== "attribution patching") ? [[[BAR, FILLED], `patched, ${part.level} interval`]] : []), ...(screened ? [[[HOLLOW], "estimated from gradients"]] : [])]);
};
const lensLegend = (part) => {
  const methods = [...new Set(part.spec.datasets.rows.map((row) => row.method))];
  return legendOf(methods.map((method) => [[["path", { d: "M12 1V13", style: { stroke: "var(--accent)", opacity: ".6" } }], method === "logit lens" && methods.length > 1 ? HOLLOW : FILLED], `${method}, ${part.level} interval`]));
};

function doseSection(found, name) {
  const [first, ...others] = found.dose.charts;
  return [
    h("div", { class: "columns even" }, h("figure", {}, h("figcaption", {}, first.spec.title.text), chart(first.spec, first.spec.title.text), measuredLegend(found.dose), effectTwin(found.dose, `${name}-strength`, true)),
      others.length > 0 && h("div", { class: "grid dose" }, others.map(({ spec }) => h("figure", {}, h("figcaption", {}, spec.title.text), chart(spec, spec.title.text))))),
  ];
}

// The rows behind a chart; `change` says that effects are changes, so that the score after is known.
function effectTwin(part, name, change) {
  const names = ["component", "task", "method", "metric", "baseline", "effect", "low", "high", "n", "detail"];
  const span = (row) => (row[6] === null ? DASH : `[${score(row[6])}, ${score(row[7])}]`);
  const columns = [
    { title: "Part", className: "parts", cell: (row) => parted(row[0]) }, new Set(part.rows.map((row) => row[1])).size > 1 && { title: "Task", cell: (row) => row[1] },
    { title: "Method", cell: (row) => row[2].replaceAll("_", " ") }, { title: change ? "Before" : "Baseline", num: true, cell: (row) => score(row[4]) },
    change && { title: "After", num: true, cell: (row) => score((row[4] || 0) + row[5]) }, { title: change ? "Change" : "Effect", num: true, cell: (row) => score(row[5]) },
    { title: "Interval", num: true, cell: span }, { title: "Prompts", num: true, cell: (row) => row[8].toLocaleString("en") }, part.rows.some((row) => row[9]) && { title: "Detail", className: "long", cell: (row) => row[9] || DASH },
  ].filter(Boolean);
  return h("div", { class: "under" }, later(() => [table(columns, part.rows, { class: "plain" }), part.of > part.rows.length && h("p", { class: "lead" }, `${part.rows.length} largest of ${part.of} rows; the store has all in the table effects.`)].filter(Boolean)),
    csvButton(`${name}.csv`, names, () => part.rows));
}

function examplesTable(found, name) {
  const text = (value) => h("span", { class: "text" }, value === "" ? "(empty)" : value);
  const columns = [
    { title: "Without", className: "parts", cell: (row) => parted(row.component) }, { title: "Prompt", cell: (row) => h("span", { class: "text clip", title: row.input }, lastLines(row.input.trim())) },
    { title: "Target", cell: (row) => text(row.target) }, { title: "Before", cell: (row) => glyph(row.before.trim() === row.target.trim() ? "yes" : "no", text(row.before), "answer") },
    { title: "After", cell: (row) => glyph(row.after.trim() === row.target.trim() ? "yes" : "no", text(row.after), "answer") }, { title: "Sample", cell: (row) => row.sample },
  ];
  const names = ["component", "sample", "input", "target", "before", "after"];
  return [h("div", { class: "scroll" }, table(columns, found.examples, { class: "plain examples" })), csvButton(`${name}-examples.csv`, names, () => found.examples.map((row) => names.map((key) => row[key])))];
}
