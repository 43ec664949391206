// Plots: the values at the pointer or, by arrow keys, at the place that is looked at; and the line whose name one
// points at. The numbers are fetched when they are first asked for. Without this the tables below the plots have them.
"use strict";

const MOST = 12; // lines whose values are shown
const SHAPES = 7, HUES = 8;
const SVG = "http://www.w3.org/2000/svg";

const fetched = new Map(); // address of the numbers → promise of them

document.addEventListener("swapped", () => fetched.clear()); // what runs has more of them now

function numbers(field) {
  const address = field.dataset.values;
  if (!fetched.has(address)) {
    if (fetched.size > 40) fetched.clear();
    fetched.set(address, fetch(address).then((answer) => (answer.ok ? answer.json() : { series: [] })).catch(() => ({ series: [] })));
  }
  return fetched.get(address);
}

/** The place of the value that is nearest in an ascending list. */
function nearest(list, value) {
  let low = 0, high = list.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle; else high = middle;
  }
  return value - list[low] <= list[high] - value ? low : high;
}

const text = (value) => (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6) || value === 0 ? String(Number(value.toPrecision(5))) : value.toExponential(3);

function swatch(style) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `swatch h${style % HUES}`);
  svg.setAttribute("width", "22");
  svg.setAttribute("height", "12");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "line");
  for (const [name, value] of [["x1", 0], ["x2", 22], ["y1", 6], ["y2", 6]]) line.setAttribute(name, value);
  const shape = document.createElementNS(SVG, "use");
  shape.setAttribute("href", `#marker-${style % SHAPES}`);
  shape.setAttribute("x", 11);
  shape.setAttribute("y", 6);
  svg.append(line, shape);
  return svg;
}

/** Rows of the values at a place, the nearest line to the pointer first. */
function table(found, height) {
  const rows = document.createElement("table");
  const near = (each) => (height === null ? -each.y : Math.abs(each.height - height));
  const shown = [...found].sort((a, b) => near(a) - near(b)).slice(0, MOST);
  for (const each of shown) {
    const row = rows.insertRow();
    row.insertCell().append(swatch(each.style));
    const name = row.insertCell();
    const isolated = document.createElement("bdi");
    isolated.textContent = each.name;
    name.append(isolated);
    row.insertCell().textContent = text(each.y);
  }
  if (found.length > shown.length) rows.insertRow().insertCell().textContent = `… ${found.length - shown.length} more`;
  for (const cell of rows.querySelectorAll("tr:last-child td:only-child")) cell.colSpan = 3;
  return rows;
}

async function show(field, share, height) {
  field.dataset.share = share;
  const { series } = await numbers(field);
  if (Number(field.dataset.share) !== share) return; // one has moved on meanwhile
  const { left, right, low, high, factor, unit } = Object.fromEntries(Object.entries(field.dataset).map(([name, value]) => [name, name === "unit" ? value : Number(value)]));
  const wanted = left + share * (right - left);
  const inside = series.filter((each) => each.x.length && each.x[0] <= wanted + (right - left) / 50 && each.x.at(-1) >= wanted - (right - left) / 50);
  const found = inside.map((each) => {
    const place = nearest(each.x, wanted);
    const level = field.dataset.log ? Math.log10(each.y[place]) : each.y[place];
    return { name: each.name, style: each.style, x: each.x[place], y: each.y[place], height: (high - level) / (high - low) };
  });
  hide(field);
  if (!found.length) return;
  const x = found.reduce((best, each) => (Math.abs(each.x - wanted) < Math.abs(best - wanted) ? each.x : best), found[0].x);
  const at = `${((x - left) / (right - left)) * 100}%`;
  const line = document.createElementNS(SVG, "line");
  for (const [name, value] of [["x1", at], ["x2", at], ["y1", 0], ["y2", "100%"]]) line.setAttribute(name, value);
  line.setAttribute("class", "cross");
  field.append(line);
  const box = document.createElement("div");
  box.className = "at";
  box.setAttribute("role", "status");
  const head = document.createElement("strong");
  head.textContent = `${unit} ${text(x / factor)}`;
  box.append(head, table(found, height));
  const plot = field.closest(".plot");
  plot.append(box);
  const place = field.getBoundingClientRect(), around = plot.getBoundingClientRect();
  const middle = place.left - around.left + ((x - left) / (right - left)) * place.width;
  const beyond = middle + 12 + box.offsetWidth > around.width;
  box.style.left = `${Math.max(0, beyond ? middle - 12 - box.offsetWidth : middle + 12)}px`;
}

function hide(field) {
  field.querySelector(".cross")?.remove();
  field.closest(".plot").querySelector(".at")?.remove();
}

document.addEventListener("pointermove", (event) => {
  const field = event.target.closest?.(".field[data-values]");
  for (const other of document.querySelectorAll(".field:has(.cross)")) {
    if (other !== field && other !== document.activeElement) hide(other);
  }
  if (!field) return;
  const place = field.getBoundingClientRect();
  show(field, Math.min(1, Math.max(0, (event.clientX - place.left) / place.width)), (event.clientY - place.top) / place.height);
});

document.addEventListener("keydown", (event) => {
  const field = event.target.closest?.(".field[data-values]");
  if (!field) return;
  const now = Number(field.dataset.share ?? 0);
  const step = event.shiftKey ? 0.1 : 0.01;
  const next = { ArrowRight: now + step, ArrowLeft: now - step, Home: 0, End: 1 }[event.key];
  if (event.key === "Escape") hide(field);
  if (next === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  show(field, Math.min(1, Math.max(0, next)), null);
});

document.addEventListener("focusout", (event) => {
  const field = event.target.closest?.(".field[data-values]");
  if (field) hide(field);
});

// The line whose name one points at, before all others.
function light(event) {
  const item = event.target.closest?.(".legend [data-line]");
  const panels = document.querySelector(".panels");
  if (!panels) return;
  const style = event.type === "pointerout" || event.type === "focusout" ? undefined : item?.dataset.line;
  panels.classList.toggle("dimmed", style !== undefined);
  for (const each of panels.querySelectorAll("[data-line]")) each.classList.toggle("lit", each.dataset.line === style);
}

for (const name of ["pointerover", "pointerout", "focusin", "focusout"]) document.addEventListener(name, light);
