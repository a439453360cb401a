// The page of one point: what the model was asked, what it said, and how that was scored; the same samples for every model of a task.
const MARKS = { yes: "correct", no: "wrong", part: "partly right", none: "no score" };

function pointPage(id, model) {
  const finding = FINDINGS.get(id);
  const points = finding ? DATA.data[id].points : [];
  const place = points.findIndex((candidate) => candidate.model === model);
  if (place < 0) return null;
  const point = points[place];
  const near = (step) => (points[place + step] ? pointHash(finding, points[place + step]) : null);
  const run = DATA.runs[point.run];
  const choose = h("select", { "aria-label": "Model", onchange: (event) => { go(pointHash(finding, points[event.target.value])); } },
    points.map((option, index) => h("option", { value: index, selected: index === place }, `${option.model}   ${score(option.y)}`)));
  return [
    crumbs([h("a", { href: "#/" }, "Findings"), link(["finding", id], finding.task), model], near(-1), near(1)),
    h("div", { class: "head" },
      h("div", {}, h("h1", { tabindex: -1 }, `${finding.task}, ${model}`),
        facts([["Metric", finding.metric_title], [finding.axis_title, quantity(point.x, finding.axis)], ["Samples", point.n && Math.round(point.n).toLocaleString("en")], ["In the fit", point.used ? "yes" : "no"], ["Run", h("a", { href: "#/runs" }, point.run.slice(0, 12))], ["Compare", choose]])),
      h("p", { class: "headline" }, h("b", {}, score(point.y)), h("span", {}, `[${score(point.low)}, ${score(point.high)}]`), h("span", {}, "95 % interval"))),
    samplesSection(finding, points, point, run),
  ];
}

const pointHash = (finding, point) => `#/point/${encodeURIComponent(finding.id)}/${encodeURIComponent(point.model)}`;
const responseKey = (finding, point) => `${point.run}|${point.model}|${finding.variant}`;

function samplesSection(finding, points, point, run) {
  const task = DATA.samples[finding.task];
  const answers = task?.responses[responseKey(finding, point)];
  const command = sqlCommand(finding.task, point);
  if (!answers) return noSamples(run, point, task);
  const shown = answers.filter(Boolean).length;
  const total = task.totals[responseKey(finding, point)];
  const metrics = orderedMetrics(task, finding);
  const head = ["", "Prompt", "Output", "Target", ...metrics].map((title, index) => h("th", { class: index > 3 ? "num" : null }, title));
  const body = h("tbody", {});
  task.ids.forEach((sample, index) => answers[index] && body.append(sampleRow(finding, points, point, task, index, metrics)));
  return [
    h("div", { class: "toolbar" }, h("h2", {}, "Samples"), h("span", { class: "count" }, `${shown} of ${total.toLocaleString("en")} shown`),
      csvButton(`${finding.task}-${point.model}.csv`, ["sample", "input", "target", "output", ...task.metrics],
        () => task.ids.flatMap((sample, index) => (answers[index] ? [[sample, task.samples[index].input, task.samples[index].target, answers[index].o, ...answers[index].s]] : [])))),
    h("table", { class: "samples rows" }, h("thead", {}, h("tr", {}, head)), body),
    total > shown && [h("h2", {}, "The rest"), h("div", { class: "under" }, h("code", { class: "command" }, command), copyButton(command))],
  ];
}

function noSamples(run, point, task) {
  if (task || !run || run[0] !== "import") {
    return h("p", { class: "note" }, `No samples of this point are in the report. Write it with \`saltus report --samples 20\` to include some, where the store has them (run ${point.run}).`);
  }
  return h("p", { class: "note" }, `This value was imported without samples, from ${run[1]} (format ${run[2]}, run ${point.run}). `, h("a", { href: "#/runs" }, "All runs"));
}

// The finding's metric first, then the continuous one beside it, then two more at most.
function orderedMetrics(task, finding) {
  const first = [finding.metric, finding.partner].filter((metric) => task.metrics.includes(metric));
  return [...new Set([...first, ...task.metrics])].slice(0, 4);
}

function mark(task, finding, answer) {
  if (!answer) return "none";
  const value = answer.s[task.metrics.indexOf(finding.metric)];
  const share = value ?? answer.s[task.metrics.findIndex((metric) => ["exact_match", "acc", "choice_correct"].includes(metric))];
  if (share === null || share === undefined || share < 0 || share > 1) return "none";
  return share >= 1 ? "yes" : share > 0 ? "part" : "no";
}

function said(text, className) {
  return text ? h("span", { class: `text ${className || ""}` }, text) : h("span", { class: "empty" }, "(empty)");
}

function sampleRow(finding, points, point, task, index, metrics) {
  const sample = task.samples[index];
  const answer = task.responses[responseKey(finding, point)][index];
  const sort = mark(task, finding, answer);
  const button = h("button", { type: "button", class: "expand", "aria-expanded": "false" }, sample.input === null ? h("span", { class: "empty" }, `sample ${task.ids[index]}`) : said(lastLines(sample.input), "clip"));
  const row = h("tr", { class: "link" },
    h("td", { class: sort }, glyph(sort, h("span", { class: "sr" }, MARKS[sort]), "")),
    h("td", {}, button), h("td", {}, answer.e ? h("span", { class: "no" }, answer.e) : said(answer.o, "clip")), h("td", { class: "target" }, said(sample.target, "clip")),
    metrics.map((metric) => h("td", { class: "num" }, score(answer.s[task.metrics.indexOf(metric)]))));
  let detail = null;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    row.classList.toggle("open", open);
    if (open && !detail) {
      detail = h("tr", { class: "detail" }, h("td", { colspan: 4 + metrics.length }, sampleDetail(finding, points, point, task, index)));
      row.after(detail);
    } else if (detail) detail.hidden = !open;
  });
  return row;
}

const lastLines = (text) => (text.length > 240 ? `... ${text.slice(-220)}` : text);

function sampleDetail(finding, points, point, task, index) {
  const sample = task.samples[index];
  const answer = task.responses[responseKey(finding, point)][index];
  const tags = Object.entries(sample.slices || {}).map(([name, value]) => `${name}: ${value}`).join(", ");
  const pairs = [
    ["Sample", task.ids[index]],
    sample.input !== null && ["Prompt", h("pre", {}, sample.input)],
    sample.target && ["Target", h("pre", {}, sample.target)],
    ["Output", h("pre", {}, answer.o || h("span", { class: "empty" }, "(empty)"))],
    sample.choices?.length && answer.c && ["Choices", choicesTable(sample, answer)],
    answer.l && ["Log-probability of each target token", tokens(answer)],
    ["Scores", facts(task.metrics.map((metric, place) => [metric, score(answer.s[place])]))],
    tags && ["Tags", tags],
    sample.versions > 1 && ["Note", `The store holds ${sample.versions} versions of this sample; the latest is shown.`],
    points.length > 1 && [`Along the axis, ${points.length} models`, across(finding, points, point, task, index)],
  ];
  return h("dl", {}, pairs.filter(Boolean).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function choicesTable(sample, answer) {
  const best = Math.max(...answer.c.filter((value) => value !== null));
  return table([
    { title: "", cell: (row) => (row.right ? glyph("yes", h("span", { class: "sr" }, "right answer"), "yes") : "") },
    { title: "Choice", className: "text", cell: (row) => row.text },
    { title: "Log-probability (nats)", num: true, cell: (row) => score(row.value) },
    { title: "", cell: (row) => (row.value === best ? "chosen" : "") },
  ], sample.choices.map((text, place) => ({ text, value: answer.c[place], right: place === sample.answer })));
}

function tokens(answer) {
  return h("div", { class: "tokens" }, answer.l.map((value, place) => {
    const hit = answer.g[place] === "1";
    return h("span", { class: hit ? "hit" : null, title: hit ? "the likeliest token here" : "another token was likelier" }, `${hit ? "✓ " : ""}${score(value)}`);
  }));
}

function across(finding, points, current, task, index) {
  return h("div", { class: "across" }, points.map((point) => {
    const answer = task.responses[responseKey(finding, point)]?.[index];
    const sort = mark(task, finding, answer);
    const words = `${point.model}: ${answer ? `${MARKS[sort]}, “${answer.o.slice(0, 80)}”` : "not asked"}`;
    return h("a", { href: pointHash(finding, point), class: sort, title: words, "aria-label": words, "aria-current": point === current ? "true" : null }, glyph(sort, "", ""));
  }));
}

// The query quotes its literals for SQL, then the whole of it is quoted for the shell.
function sqlCommand(task, point) {
  const values = { task, model: point.model, run: point.run };
  const query = DATA.query.replace(/\$(task|model|run)/g, (_, name) => `'${values[name].replaceAll("'", "''")}'`);
  const plain = !/["$`\\!]/.test(query);
  return plain ? `saltus sql "${query}"` : `saltus sql '${query.replaceAll("'", `'"'"'`)}'`;
}
