// What a head attends to: the tokens of a prompt in a row; the one that is pointed at or focused shows its weights on the others.
function attentionFigure(views, name) {
  const state = { prompt: within(chosen("prompt"), views.length), head: 0, token: null };
  const wanted = chosen("head");
  const figure = h("figure", { class: "attention" });
  const show = (focus) => {
    const view = views[state.prompt];
    state.token = within(state.token, view.tokens.length);
    figure.replaceChildren(...attentionParts(views, view, state, name, show));
    if (focus) figure.querySelector(focus)?.focus();
  };
  state.head = Math.max(0, views[state.prompt].heads.findIndex(([head]) => head === wanted));
  state.token = chosen("token") === null ? views[state.prompt].tokens.length - 1 : Number(chosen("token"));
  show();
  return figure;
}

dark.addEventListener("change", () => document.querySelectorAll("canvas.map").forEach((map) => map.dispatchEvent(new Event("repaint"))));

const within = (value, length) => Math.min(Math.max(0, Math.trunc(Number(value)) || 0), length - 1);

function attentionParts(views, view, state, name, show) {
  const prompts = views.map((one, index) => [index, `${index + 1}`, one === view]);
  const heads = view.heads.map(([head, role], index) => [index, role ? `${head}, ${role}` : head, index === state.head]);
  const pick = {
    prompt: (index) => {
      const head = view.heads[state.head][0];
      Object.assign(state, { prompt: index, token: views[index].tokens.length - 1, head: Math.max(0, views[index].heads.findIndex((one) => one[0] === head)) });
      choose("prompt", index);
      show(`[data-choice=prompt-${index}]`);
    },
    head: (index) => {
      state.head = index;
      choose("head", view.heads[index][0]);
      show(`[data-choice=head-${index}]`);
    },
  };
  const weights = view.weights[state.head] || [];
  const tokens = view.tokens.map((text, place) => h("button", { type: "button", class: view.sources.includes(place) ? "token source" : "token", tabindex: place === state.token ? 0 : -1, "data-token": place }, tokenText(text)));
  const said = h("p", { class: "lead said", "aria-live": "polite" });
  const map = h("canvas", { role: "img", "aria-label": `Attention of ${view.heads[state.head][0]}, query by key`, class: "map" });
  const twin = h("div", { class: "under" });
  const light = (place, keep) => {
    state.token = place;
    tokens.forEach((token, key) => lightToken(token, key, place, weights[place] || [], view));
    said.replaceChildren(...attentionWords(view, state, weights[place] || []));
    paintMap(map, weights, view, place);
    if (open.open) numbers.replaceChildren(weightsTable(view, weights, state));
    if (keep) choose("token", place);
  };
  const row = h("div", { class: "prompt", role: "group", "aria-label": "Tokens of the prompt; arrow keys move, up and down change the head" }, tokens);
  row.addEventListener("pointerover", (event) => { const token = event.target.closest("[data-token]"); if (token) light(Number(token.dataset.token)); });
  row.addEventListener("focusin", (event) => { tokens.forEach((token) => token.setAttribute("tabindex", token === event.target ? 0 : -1)); light(Number(event.target.dataset.token), true); });
  row.addEventListener("keydown", (event) => moveToken(event, tokens, state, view, pick, show));
  map.addEventListener("pointermove", (event) => light(within((event.offsetY / map.clientHeight) * view.tokens.length, view.tokens.length)));
  new ResizeObserver(() => map.isConnected && paintMap(map, weights, view, state.token)).observe(map);
  map.addEventListener("repaint", () => paintMap(map, weights, view, state.token));
  const numbers = h("div", { class: "scroll" });
  const open = h("details", { ontoggle: () => numbers.replaceChildren(weightsTable(view, weights, state)) }, h("summary", {}, "Table"), numbers);
  twin.append(open, csvButton(`${name}-${view.heads[state.head][0]}-${view.sample}.csv`, ["query", "query_token", "key", "key_token", "source", "percent"],
    () => weights.flatMap((line, query) => line.map((value, key) => [query + view.cut, view.tokens[query], key + view.cut, view.tokens[key], view.sources.includes(key), value]))));
  light(state.token);
  return [
    h("figcaption", {}, attentionTitle(view, state, weights), h("small", {}, `${view.at}, sample ${view.sample}${view.cut ? `, the last ${view.tokens.length} of ${view.tokens.length + view.cut} tokens` : ""}`)),
    h("div", { class: "choices" }, choices("Head", "head", heads, pick.head), views.length > 1 && choices("Prompt", "prompt", prompts, pick.prompt)),
    h("div", { class: "columns attend" }, h("div", {}, row, said), h("div", {}, map, h("p", { class: "axis-word" }, "query ↓, key →"))),
    h("ul", { class: "legend" }, h("li", {}, swatch([["rect", { x: 1, y: 1, width: 22, height: 12, style: { fill: "none", stroke: "var(--ink)", strokeWidth: "1.6" } }]]), "attends"),
      h("li", {}, swatch([["rect", { x: 1, y: 0, width: 22, height: 14, style: { fill: "var(--accent)" } }]]), "attended to, darker for more"),
      view.sources.length > 0 && h("li", {}, swatch([["path", { d: "M1 12H23", style: { stroke: "var(--amber)", strokeWidth: "3" } }]]), "holds the answer")),
    twin,
  ];
}

// Buttons of which one is pressed.
function choices(label, name, options, pick) {
  return h("div", { class: "choice", role: "group", "aria-label": label }, h("span", {}, label),
    options.map(([value, words, now]) => h("button", { type: "button", class: "quiet", "aria-pressed": String(Boolean(now)), "data-choice": `${name}-${value}`, onclick: () => pick(value) }, words)));
}

function moveToken(event, tokens, state, view, pick, show) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -tokens.length, End: tokens.length };
  if (event.key in steps) tokens[Math.min(Math.max(0, state.token + steps[event.key]), tokens.length - 1)].focus();
  else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    pick.head((state.head + (event.key === "ArrowUp" ? view.heads.length - 1 : 1)) % view.heads.length);
    show(`[data-token="${state.token}"]`);
  } else return;
  event.preventDefault();
  event.stopPropagation();
}

const tokenText = (text) => text.replace(/\n/g, "↵").replace(/^ | $/g, "·") || "∅";

function lightToken(token, key, query, line, view) {
  const value = line[key] || 0;
  token.style.setProperty("--w", `${key <= query ? value : 0}%`);
  token.classList.toggle("strong", value >= 55);
  token.classList.toggle("query", key === query);
  token.classList.toggle("later", key > query);
  token.title = key > query ? `token ${key + view.cut}` : `token ${key + view.cut}: ${(value / 100).toFixed(2)}`;
}

function strongest(line, many) {
  return line.map((value, key) => [value, key]).filter(([value]) => value > 0).sort((a, b) => b[0] - a[0]).slice(0, many);
}

const quoted = (text) => `“${text.replace(/\n/g, "↵")}”`;

function attentionWords(view, state, line) {
  const [head] = view.heads[state.head];
  const most = strongest(line, 3).map(([value, key]) => `${(value / 100).toFixed(2)} to ${quoted(view.tokens[key])} (${key + view.cut}${view.sources.includes(key) ? ", holds the answer" : ""})`);
  const onSource = view.sources.filter((place) => place <= state.token).reduce((sum, place) => sum + (line[place] || 0), 0);
  return [h("b", {}, `${head} at ${quoted(view.tokens[state.token])} (${state.token + view.cut}): `), most.join(", ") || "no weight over 0.005", ". ",
    view.sources.length ? `${(onSource / 100).toFixed(2)} on the tokens that hold the answer.` : ""];
}

function attentionTitle(view, state, weights) {
  const [head] = view.heads[state.head];
  const last = view.tokens.length - 1;
  const [top] = strongest(weights[last] || [], 1);
  if (!top) return `${head} has no weights here`;
  const where = view.sources.includes(top[1]) ? "which holds the answer" : view.sources.length ? "which does not hold the answer" : `token ${top[1] + view.cut}`;
  return `At the end of the prompt ${head} attends most to ${quoted(view.tokens[top[1]])}, ${where}: ${(top[0] / 100).toFixed(2)}`;
}

function weightsTable(view, weights, state) {
  const line = weights[state.token] || [];
  const columns = [{ title: "Token", num: true, cell: (row) => row[1] + view.cut }, { title: "Text", cell: (row) => quoted(view.tokens[row[1]]) }, { title: "Holds the answer", cell: (row) => (view.sources.includes(row[1]) ? "yes" : "no") },
    { title: `Weight from token ${state.token + view.cut}`, num: true, cell: (row) => (row[0] / 100).toFixed(2) }];
  return table(columns, strongest(line, line.length), { class: "plain" });
}

// The whole pattern as a small picture: a cell a pair of tokens, the row that is shown above framed, columns of the answer marked.
function paintMap(map, weights, view, query) {
  const size = map.clientWidth;
  const paint = map.getContext("2d");
  if (!size || !paint) return;
  const sharp = window.devicePixelRatio || 1;
  map.width = map.height = Math.round(size * sharp);
  paint.scale(sharp, sharp);
  const style = getComputedStyle(map);
  const cell = size / view.tokens.length;
  paint.fillStyle = style.getPropertyValue("--panel");
  paint.fillRect(0, 0, size, size);
  paint.fillStyle = style.getPropertyValue("--accent");
  weights.forEach((line, row) => line.forEach((value, key) => {
    paint.globalAlpha = value / 100;
    paint.fillRect(key * cell, row * cell, Math.max(cell - 0.4, 0.6), Math.max(cell - 0.4, 0.6));
  }));
  paint.globalAlpha = 1;
  paint.fillStyle = style.getPropertyValue("--amber");
  for (const place of view.sources) paint.fillRect(place * cell, 0, cell, 4);
  paint.strokeStyle = style.getPropertyValue("--ink");
  paint.lineWidth = 1;
  paint.strokeRect(0.5, query * cell, size - 1, cell);
}
