// Small helpers: the page's data, elements made without HTML strings, tables, CSV. Every text of a model goes through text nodes.
const DATA = JSON.parse(document.getElementById("data").textContent);
const FINDINGS = new Map(DATA.findings.map((finding) => [finding.id, finding]));
const SVG = "http://www.w3.org/2000/svg";
const DASH = "–";

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

function glyph(name, word, className) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#g-${name}`);
  svg.append(use);
  return h("span", { class: className }, svg, word);
}

const verdict = (finding) => glyph(finding.kind, finding.word, `verdict v-${finding.kind}`);

function link(parts, ...children) {
  return h("a", { href: `#/${parts.map(encodeURIComponent).join("/")}` }, ...children);
}

const UNITS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

function quantity(value, axis) {
  if (value === null || value === undefined) return DASH;
  if (axis === "step" && Math.abs(value) < 1e6) return Math.round(value).toLocaleString("en");
  if (axis === "flops" && value >= 1e4) return value.toExponential(1).replace("+", "").replace(".0e", "e");
  if (axis === "released") return `${Math.floor(value)}-${String(Math.floor((value % 1) * 12) + 1).padStart(2, "0")}`;
  for (const [factor, suffix] of UNITS) if (Math.abs(value) >= factor) return Number((value / factor).toPrecision(3)) + suffix;
  return String(Number(value.toPrecision(3)));
}

function score(value) {
  if (value === null || value === undefined) return DASH;
  return Math.abs(value) <= 1 ? value.toFixed(3) : String(Number(value.toPrecision(4)));
}

function table(columns, rows, attributes) {
  const head = columns.map((column) => h("th", { class: column.num ? "num" : null }, column.title));
  const body = rows.map((row) => {
    const cells = columns.map((column) => h("td", { class: [column.num ? "num" : "", column.className || ""].join(" ").trim() || null }, column.cell(row)));
    return h("tr", { class: row.used === false ? "dim" : null }, cells);
  });
  return h("table", attributes, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

// Whole rows react to a click; the link inside is what keyboards and screen readers use.
document.addEventListener("click", (event) => {
  if (event.target.closest("a, button, input, select, summary, .detail")) return;
  const target = event.target.closest("tr")?.querySelector("a.row, button.expand");
  if (target && !String(window.getSelection())) target.click();
});

function csv(columns, rows) {
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) && !Number.isFinite(Number(value)) ? `'${value}` : String(value); // no formulas in spreadsheets
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const anchor = h("a", { href: url, download: name.replace(/[^\w.@-]+/g, "_") });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function csvButton(name, columns, rows) {
  return h("button", { type: "button", class: "quiet", onclick: () => download(name, csv(columns, rows())) }, "CSV");
}

function copyButton(text) {
  const button = h("button", { type: "button", class: "quiet" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand"; // clipboards are closed to some pages opened from disk
    }
  });
  return button;
}
