// What the next scale will do: one figure a task, with its band, its forecast or the reason why there is none.
function forecastPage() {
  if (!DATA.forecasts.length) return null;
  const columns = [
    { title: "At", cell: (row) => row.at },
    { title: "Forecast", num: true, cell: (row) => row.score },
    { title: "Not excluded", num: true, cell: (row) => row.left || DASH },
    { title: "Method", cell: (row) => row.method },
  ];
  return [
    h("h1", { tabindex: -1 }, "What the next scale will do"),
    h("p", { class: "lead" }, "Intervals are those of a measured score: what the curve leaves open, the noise between like models, and the samples. Where the scores so far cannot tell, nothing is forecast, and the page says what would let it."),
    DATA.forecasts.map((entry) => h("figure", { class: "card" },
      h("figcaption", {}, entry.spec.title.text, h("small", {}, `${entry.who}, ${entry.metric.toLowerCase()}`)),
      chart(entry.spec, entry.spec.title.text), forecastLegend(entry),
      h("div", { class: "scroll" }, table(columns, entry.rows, { class: "plain" })),
      h("ul", { class: "reasons" }, [...new Set([...entry.rows.map((row) => row.refused), ...entry.reasons])].filter(Boolean).map((reason) => h("li", {}, reason))),
      csvButton(`forecast-${entry.task}.csv`, ["model", "x", "y", "low", "high"], () => [...entry.spec.datasets.points, ...entry.spec.datasets.forecasts].map((row) => [row.model, row.x, row.y, row.low, row.high])))),
  ];
}

function forecastLegend(entry) {
  const dot = [["path", { d: "M12 1V13", style: { stroke: "var(--accent)", opacity: ".6" } }], ["circle", { cx: 12, cy: 7, r: 3.6, style: { fill: "var(--accent)" } }]];
  const band = [["rect", { x: 0, y: 2, width: 24, height: 10, style: { fill: "var(--accent)", opacity: ".16" } }], ["path", { d: "M0 7H24", style: { stroke: "var(--accent)", strokeWidth: "2" } }]];
  const told = [["path", { d: "M12 0V14", style: { stroke: "var(--amber-ink)", strokeWidth: "2" } }], ["circle", { cx: 12, cy: 7, r: 4, style: { fill: "var(--amber-ink)" } }]];
  const edge = [["path", { d: "M12 0V14", style: { stroke: "var(--line)", strokeWidth: "1" } }]];
  const entries = [[dot, "measured, 95 % interval"], ...(entry.band ? [[band, `expected, ${entry.level} band of a measured score`]] : []), [edge, "end of the measurements"], ...(entry.rows.some((row) => !row.refused) ? [[told, `forecast, ${entry.level} interval`]] : []), ...(entry.rows.some((row) => row.refused) ? [[told.slice(0, 1), "not excluded"]] : [])];
  return h("ul", { class: "legend" }, entries.map(([paths, words]) => h("li", {}, swatch(paths), words)));
}
