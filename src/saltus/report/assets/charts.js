// Charts: specs from the data block are drawn when they come into view, again on a new width or theme. Rows of a chart are its table.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // element -> {spec, view, width}

const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
}, { rootMargin: "300px" });

let resizing = 0;
const resize = new ResizeObserver((entries) => {
  const changed = entries.some(({ target }) => drawn.get(target)?.view && Math.abs(drawn.get(target).width - target.clientWidth) > 1);
  if (!changed) return;
  clearTimeout(resizing);
  resizing = setTimeout(() => entries.forEach(({ target }) => redraw(target)), 120);
});

dark.addEventListener("change", () => [...drawn.keys()].forEach((element) => redraw(element)));

function chart(spec, label) {
  const element = h("div", { class: "chart", role: "img", "aria-label": label });
  drawn.set(element, { spec, view: null, width: 0 });
  sight.observe(element);
  return element;
}

function forgetCharts(section) {
  for (const [element, state] of drawn) {
    if (!section.contains(element)) continue;
    state.view?.finalize();
    sight.unobserve(element);
    resize.unobserve(element);
    drawn.delete(element);
  }
}

function redraw(element) {
  const state = drawn.get(element);
  if (!state?.view || !element.isConnected) return;
  state.view.finalize();
  state.view = null;
  draw(element);
}

async function draw(element) {
  const state = drawn.get(element);
  if (!state || state.view || state.busy || !element.clientWidth) return;
  state.busy = true;
  sight.unobserve(element);
  document.documentElement.classList.toggle("dark-charts", dark.matches);
  state.width = element.clientWidth;
  try {
    const result = await vegaEmbed(element, fitted(state.spec, state.width), {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, expr: vegaInterpreter.expressionInterpreter,
      config: DATA.themes[dark.matches ? "dark" : "light"], defaultStyle: false, tooltip: tip, hover: false,
    });
    state.view = result.view;
    state.view.addEventListener("click", (event, item) => followMark(item?.datum, state.spec.finding));
    element.dataset.drawn = "true";
    resize.observe(element);
  } catch (error) {
    element.replaceChildren(h("p", { class: "chart-error" }, `This chart could not be drawn: ${error.message}. Its table has the values.`));
    console.error(error);
  } finally {
    state.busy = false;
  }
}

// Panels stand side by side where there is room, and below each other on a narrow screen.
function fitted(spec, width) {
  const { finding, title, ...rest } = spec;
  const copy = structuredClone(rest);
  if (copy.vconcat) return stacked(copy, width);
  if (!copy.hconcat) return copy;
  const panels = copy.hconcat;
  const side = panels.length > 1 && width >= 760;
  const margins = 58; // labels of the y axis, and the word "chance" at the right of the first panel
  const each = side ? (width - 2 * margins - copy.spacing) / 2 : Math.min(width - margins - 36, 760);
  for (const panel of panels) Object.assign(panel, { width: Math.floor(each), height: width < 500 ? 220 : 270 });
  if (!side) {
    for (const panel of panels) if (each < 400) thinTicks(panel.encoding.x.axis);
    delete copy.hconcat;
    copy.vconcat = panels;
    copy.spacing = 44;
  }
  return copy;
}

// Panels below each other share one axis; the left room of both is fixed by their spec.
function stacked(spec, width) {
  for (const panel of spec.vconcat) {
    panel.width = Math.max(160, Math.floor(width - panel.left - 22));
    if (width < 500) thinTicks(panel.encoding.x.axis);
    delete panel.left;
  }
  return spec;
}

function thinTicks(axis) {
  while (axis.values.length > 5) axis.values = axis.values.filter((_, index) => index % 2 === 0);
}

function followMark(datum, finding) {
  if (!datum) return;
  if (datum.finding && datum.model) go(`#/point/${encodeURIComponent(datum.finding)}/${encodeURIComponent(datum.model)}`);
  else if (datum.finding) go(`#/finding/${encodeURIComponent(datum.finding)}`);
  else if (datum.model && finding) go(`#/point/${encodeURIComponent(finding)}/${encodeURIComponent(datum.model)}`);
}

const tipBox = h("div", { class: "tip", hidden: true });
document.body.append(tipBox);

function tip(handler, event, item, value) {
  tipBox.hidden = !value || !item;
  if (tipBox.hidden) return;
  const datum = item.datum;
  if (datum.head || datum.component) return tipAt(event, datum.full || `${datum.head}, ${datum.model || datum.checkpoint}`, partLines(datum));
  if (datum.words && datum.lane) return tipAt(event, datum.lane, [`at ${quantity(datum.x)} [${quantity(datum.low)}, ${quantity(datum.high)}]`, datum.words]);
  const lines = datum.task
    ? [datum.model || "", datum.model ? `score ${score(datum.y)}` : `onset ${quantity(datum.x)} [${quantity(datum.low)}, ${quantity(datum.high)}]`]
    : [`${score(datum.y)} [${score(datum.low)}, ${score(datum.high)}]`, datum.n ? `${datum.n} samples` : "", datum.used === false ? "not used in the fit" : "", datum.words || (datum.variant ? "" : "click for the samples")];
  tipAt(event, datum.task || datum.model || datum.variant || "", lines.filter(Boolean));
}

function partLines(datum) {
  const interval = datum.low === null || datum.low === undefined ? "" : ` [${score(datum.low)}, ${score(datum.high)}]`;
  const task = datum.task && datum.task !== datum.component ? `on ${datum.task}` : datum.task || datum.method || "";
  return [datum.before === undefined ? "" : `before: ${score(datum.before)}`, `${datum.before === undefined ? "" : "after: "}${score(datum.y)}${interval}`, task,
    datum.x !== undefined && datum.component ? `strength ${datum.x}` : "", datum.n ? `${datum.n} prompts` : "", datum.finding ? "click for the prompts" : ""].filter(Boolean);
}

function tipAt(event, title, lines) {
  tipBox.replaceChildren(h("b", {}, title), ...lines.map((line) => h("div", {}, line)));
  const box = tipBox.getBoundingClientRect();
  tipBox.style.left = `${Math.max(8, Math.min(event.clientX + 14, innerWidth - box.width - 8))}px`;
  tipBox.style.top = `${Math.max(8, event.clientY - box.height - 12)}px`;
}

function findingChart(id, name) {
  const spec = DATA.specs[DATA.charts[id][name || "main"]];
  return { ...spec, datasets: DATA.data[id], finding: id };
}

const BOX = { w: 24, h: 14 };

function swatch(paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${BOX.w} ${BOX.h}`);
  svg.setAttribute("aria-hidden", "true");
  for (const [name, attributes] of paths) {
    const part = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "style") Object.assign(part.style, value);
      else part.setAttribute(key, value);
    }
    svg.append(part);
  }
  return svg;
}

function legend(finding) {
  const data = DATA.data[finding.id];
  const bar = ["path", { d: "M12 1V13", style: { stroke: "var(--accent)", opacity: ".6" } }];
  const dot = ["circle", { cx: 12, cy: 7, r: 3.6, style: { fill: "var(--accent)" } }];
  const hollow = ["circle", { cx: 12, cy: 7, r: 3.4, style: { fill: "none", stroke: "var(--accent)", strokeWidth: "1.4" } }];
  const rivals = [...new Set(data.fits.map((row) => row.shape))].filter((shape) => finding.band_level || shape !== finding.fits[0]?.[0]);
  const best = finding.fits[0]?.[0];
  const entries = [[[bar, dot], "measured, 95 % interval"]];
  if (data.points.some((point) => !point.used)) entries.push([[hollow], "not used in the fit"]);
  if (data.band.length || data.fits.length) {
    const band = ["rect", { x: 0, y: 2, width: 24, height: 10, style: { fill: "var(--accent)", opacity: ".16" } }];
    const line = ["path", { d: "M0 7H24", style: { stroke: "var(--accent)", strokeWidth: "2" } }];
    entries.push([data.band.length ? [band, line] : [line], `fitted curve${best ? `, ${best} fits best` : ""}${data.band.length ? `, ${finding.band_level} band` : ""}`]);
  }
  if (data.expected?.length) entries.push([[["path", { d: "M0 7H24", style: { stroke: "var(--amber-ink)", strokeDasharray: "2 3", strokeWidth: "1.6" } }]], `expected from ${(finding.partner_title || "the continuous metric").toLowerCase()} through the link`]);
  if (rivals.length) entries.push([[["path", { d: "M0 7H24", style: { stroke: "var(--muted)", strokeWidth: "1" } }]], `not excluded: ${rivals.join(", ")}`]);
  if (finding.onset_level) entries.push([[["rect", { x: 4, y: 0, width: 16, height: 14, style: { fill: "var(--amber)", opacity: ".3" } }], ["path", { d: "M12 0V14", style: { stroke: "var(--amber-ink)" } }]], `onset, ${finding.onset_level} interval`]);
  if (finding.chance !== null) entries.push([[["path", { d: "M0 7H24", style: { stroke: "var(--muted)", strokeDasharray: "4 3" } }]], `chance, ${finding.chance}`]);
  return h("ul", { class: "legend" }, entries.map(([paths, words]) => h("li", {}, swatch(paths), words)));
}
