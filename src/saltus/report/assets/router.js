// The address decides what is shown: #/, #/finding/ID, #/task/NAME, #/point/ID/MODEL, #/training/MODEL, #/forecast, #/explain/ID?role=ROLE&head=HEAD&prompt=0, #/robustness/TASK/MODEL, #/models, #/runs, #/methods.
const sections = new Map([...document.querySelectorAll("[data-page]")].map((section) => [section.dataset.page, section]));
const scrolled = new Map(); // address -> where the reader was, for the way back
let here = location.hash;
let forward = false;
history.scrollRestoration = "manual";

const MADE = {
  finding: { page: findingPage, tab: "findings" },
  task: { page: taskPage, tab: "findings" },
  point: { page: pointPage, tab: "findings" },
  training: { page: trainingPage, tab: "training" },
  forecast: { page: forecastPage, tab: "forecast" },
  explain: { page: explainPage, tab: "explain" },
  robustness: { page: robustnessPage, tab: "robustness" },
};

function go(hash) {
  forward = true;
  location.hash = hash;
}

function parts(hash) {
  try {
    return hash.replace(/^#\/?/, "").replace(/\?.*$/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return ["not a valid address"];
  }
}

function route(first) {
  const [name, ...rest] = parts(location.hash);
  const dynamic = sections.get("dynamic");
  forgetCharts(dynamic);
  dynamic.replaceChildren();
  let shown = "overview";
  let tab = "findings";
  if (["models", "runs", "methods"].includes(name)) shown = tab = name;
  else if (name && name !== "main") {
    shown = "dynamic";
    const made = Object.hasOwn(MADE, name) ? MADE[name] : null;
    tab = made?.tab;
    dynamic.append(...[made?.page(...rest) || notFound()].flat(Infinity).filter(Boolean));
  }
  for (const [page, section] of sections) section.hidden = page !== shown;
  for (const anchor of document.querySelectorAll("[data-tab]")) {
    if (anchor.dataset.tab === tab) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  }
  tipBox.hidden = true;
  const heading = sections.get(shown).querySelector("h1");
  document.title = shown === "overview" ? DATA.title : `${heading.textContent} · ${DATA.title}`;
  if (!first) heading.focus({ preventScroll: true });
  window.scrollTo(0, forward ? 0 : scrolled.get(location.hash) || 0);
  forward = false;
  here = document.documentElement.dataset.shown = location.hash; // says from outside that the page is complete
}

// What was chosen within a page is part of its address, without a new page.
function chosen(name) {
  return new URLSearchParams(location.hash.split("?")[1] || "").get(name);
}

function choose(name, value) {
  const query = new URLSearchParams(location.hash.split("?")[1] || "");
  query.set(name, value);
  history.replaceState(null, "", `${location.hash.split("?")[0]}?${query}`);
  here = document.documentElement.dataset.shown = location.hash;
}

function notFound() {
  return [h("h1", { tabindex: -1 }, "Not in this report"), h("p", { class: "lead" }, "The address names a finding, task, model or explanation that this file does not hold. "), h("p", {}, h("a", { href: "#/" }, "All findings"))];
}

window.addEventListener("hashchange", () => {
  if (location.hash === "#main") return;
  route(false);
});
window.addEventListener("scroll", () => scrolled.set(here, window.scrollY), { passive: true });
document.addEventListener("click", (event) => { if (event.target.closest("a")) forward = true; }, true);

// --- the verdict list: filter, first rows, CSV
const filter = document.getElementById("filter");
const rows = [...document.querySelectorAll("#findings tbody tr")].map((row) => ({ row, text: `${row.textContent} ${row.dataset.id}`.toLowerCase() }));
const FIRST = 40;
let all = rows.length <= FIRST + 10;

function applyFilter() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let matched = 0;
  for (const { row, text } of rows) {
    const match = words.every((word) => text.includes(word));
    matched += match;
    row.hidden = !match || (!all && !words.length && matched > FIRST);
  }
  document.getElementById("filter-count").textContent = words.length ? `${matched} of ${rows.length} findings` : `${rows.length} findings`;
  document.getElementById("filter-none").hidden = matched > 0;
  const more = document.getElementById("more-findings");
  more.hidden = all || words.length > 0;
  more.firstElementChild.textContent = `Show all ${matched}`;
}

filter.addEventListener("input", applyFilter);
document.querySelector("#more-findings button").addEventListener("click", () => { all = true; applyFilter(); });
document.getElementById("findings-csv").addEventListener("click", () => {
  const names = ["id", "word", "verdict", "artifact", "task", "metric", "variant", "family", "series", "axis", "onset", "rise", "n_scales", "n_samples", "n_tests"];
  download("findings.csv", csv(names, DATA.findings.map((finding) => names.map((name) => finding[name]))));
});

for (const input of document.querySelectorAll("[data-filter]")) {
  const body = [...document.querySelectorAll(`#${input.dataset.filter} tbody tr`)];
  input.addEventListener("input", () => {
    for (const row of body) row.hidden = !row.textContent.toLowerCase().includes(input.value.toLowerCase());
  });
}
for (const button of document.querySelectorAll("[data-csv]")) {
  button.addEventListener("click", () => {
    const cells = (row) => [...row.cells].map((cell) => cell.textContent);
    const source = document.getElementById(button.dataset.csv);
    download(button.dataset.name, csv(cells(source.tHead.rows[0]), [...source.tBodies[0].rows].map(cells)));
  });
}

// --- keys
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") { event.target.value = ""; event.target.dispatchEvent(new Event("input")); event.target.blur(); }
    if (event.key === "ArrowDown" && event.target === filter) moveRow(1, event);
    return;
  }
  if (event.key === "/") { event.preventDefault(); if (sections.get("overview").hidden) go("#/"); setTimeout(() => filter.focus(), 30); }
  else if (event.key === "j" || event.key === "ArrowDown") moveRow(1, event);
  else if (event.key === "k" || event.key === "ArrowUp") moveRow(-1, event);
  else if (event.key === "]") document.querySelector("[data-page=dynamic]:not([hidden]) a[rel=next]")?.click();
  else if (event.key === "[") document.querySelector("[data-page=dynamic]:not([hidden]) a[rel=prev]")?.click();
  else if (event.key === "u") [...document.querySelectorAll("[data-page=dynamic]:not([hidden]) .crumbs > a")].at(-1)?.click();
});

function moveRow(step, event) {
  const links = [...document.querySelectorAll("a.row, button.expand")].filter((link) => link.offsetParent !== null);
  const now = links.indexOf(document.activeElement);
  if (!links.length || (now < 0 && event.key.startsWith("Arrow") && event.target !== filter)) return; // arrows scroll until a row is chosen
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, now < 0 ? 0 : now + step))].focus();
}

overviewCharts(document.getElementById("overview-charts"));
applyFilter();
route(true);
