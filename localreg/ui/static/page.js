// What would feel dead without it: searching as one types, forms that stay where they are, rows by keyboard, pages that
// keep up with what runs. Every page works without.
"use strict";

document.documentElement.classList.add("script");

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

/** Put the parts of another version of this page in the place of ours. */
function swap(other) {
  for (const own of document.querySelectorAll("[data-part]")) {
    const fresh = other.getElementById(own.id);
    if (fresh) own.replaceWith(document.adoptNode(fresh));
  }
  document.dispatchEvent(new Event("swapped"));
}

// --- search as one types ---------------------------------------------------------------------------------------------

let asked = 0;

async function look(address, note) {
  const own = ++asked;
  const answer = await fetch(address);
  const text = await answer.text();
  if (own !== asked) return; // a newer question was asked meanwhile
  const other = parsed(text);
  if (!answer.ok) {
    if (note) note.textContent = other.getElementById("error")?.textContent ?? text;
    return;
  }
  if (note) note.textContent = "";
  swap(other);
  history.replaceState(null, "", address);
}

function addressOf(form) {
  const fields = [...new FormData(form)].filter(([, text]) => text !== "");
  const query = new URLSearchParams(fields).toString();
  const path = form.getAttribute("action") || location.pathname;
  return query ? `${path}?${query}` : path;
}

let waiting;

document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-live]");
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => look(addressOf(form), form.querySelector(".error")), 120);
});

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-auto]");
  if (form) form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("form[data-live]")) {
    event.preventDefault();
    clearTimeout(waiting);
    look(addressOf(form), form.querySelector(".error"));
  } else if (form.matches("form[data-edit]")) {
    event.preventDefault();
    send(form, event.submitter);
  }
});

// --- forms that stay where they are ----------------------------------------------------------------------------------

async function send(form, submitter) {
  const note = form.querySelector(".error");
  const button = submitter ?? form.querySelector("button");
  const body = new URLSearchParams(new FormData(form, submitter)); // before the button is disabled: it would be left out
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    if (answer.ok) {
      location.assign(answer.url);
      if (new URL(answer.url).hash) location.reload();
      return;
    }
    const text = await answer.text();
    note.textContent = parsed(text).getElementById("error")?.textContent ?? text;
  } catch {
    note.textContent = "the server does not answer; is localreg ui still running?";
  } finally {
    button.disabled = false;
  }
}

// Addresses without what was left empty.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const name of new Set(event.formData.keys())) {
    const texts = event.formData.getAll(name).filter((text) => text !== "");
    event.formData.delete(name);
    texts.forEach((text) => event.formData.append(name, text));
  }
});

// The first field of a form that was opened is the one to write in.
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.matches?.("details.edit[open]")) {
      event.target.querySelector("input:not([type=hidden]),textarea,select")?.focus();
    }
  },
  true,
);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.closest?.("details.edit[open]")?.removeAttribute("open");
  if (event.target.closest?.("input,textarea,select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const field = document.querySelector("input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
  // Next and previous, wherever a page has them.
  const relation = { ArrowRight: "next", j: "next", ArrowLeft: "prev", k: "prev" }[event.key];
  if (relation && !event.target.closest?.(".scrolls,details")) document.querySelector(`[data-keys] a[rel=${relation}]`)?.click();
});

// --- rows that are ticked --------------------------------------------------------------------------------------------

const chosen = new Set(); // in the order of ticking, also of rows that another search has hidden

function ticked() {
  const button = document.getElementById("compare-button");
  if (!button) return;
  for (const box of document.querySelectorAll("input[name=model]")) box.checked = chosen.has(box.value);
  button.disabled = chosen.size < 2;
  const hidden = [...chosen].filter((name) => !document.querySelector(`input[name=model][value="${CSS.escape(name)}"]`));
  button.textContent =
    chosen.size < 2 ? "Tick two models to compare them" : `Compare the ${chosen.size} ticked models`;
  button.title = hidden.length ? `with ${hidden.join(", ")}` : "";
}

document.addEventListener("change", (event) => {
  if (!event.target.matches?.("input[name=model][form=compare]")) return;
  chosen.delete(event.target.value);
  if (event.target.checked) chosen.add(event.target.value);
  ticked();
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "compare") return;
  event.preventDefault();
  const fields = [...new FormData(event.target)].filter(([name]) => name !== "model");
  const query = new URLSearchParams([...fields, ...[...chosen].map((name) => ["model", name])]);
  location.assign(`${event.target.action}?${query}`);
});
document.addEventListener("swapped", ticked);
for (const box of document.querySelectorAll("input[name=model][form=compare]:checked")) chosen.add(box.value);
ticked();

// --- what runs ------------------------------------------------------------------------------------------------------

// `data-refresh`: milliseconds after which the parts of the page are looked at again.
async function refresh() {
  const marked = document.querySelector("[data-refresh]");
  if (!marked) return;
  const wait = Number(marked.dataset.refresh);
  await new Promise((resolve) => setTimeout(resolve, wait));
  if (!document.hidden && !document.querySelector("details.edit[open]")) {
    try {
      const answer = await fetch(location.href);
      if (answer.ok) swap(parsed(await answer.text()));
    } catch {
      // the server is gone; the next look tells
    }
  }
  refresh();
}

refresh();

// `data-load`: parts that cost more than the rest of the page come after it; `data-open`: when they are opened.
async function load(place, address) {
  const answer = await fetch(address);
  const other = parsed(await answer.text());
  const whole = other.getElementById("content") ?? other.body; // of a page its content, of a piece all of it
  const content = answer.ok ? [...whole.childNodes] : [other.getElementById("error") ?? "it could not be loaded"];
  place.replaceChildren(...content);
  place.removeAttribute("data-load");
  place.removeAttribute("aria-busy");
  for (const inner of place.querySelectorAll("[data-load]")) load(inner, inner.dataset.load);
}

for (const place of document.querySelectorAll("[data-load]")) load(place, place.dataset.load);

document.addEventListener(
  "toggle",
  (event) => {
    if (!event.target.matches?.("details[open]")) return;
    for (const place of event.target.querySelectorAll("[data-open]")) {
      if (place.closest("details") !== event.target) continue;
      load(place, place.dataset.open);
      delete place.dataset.open;
    }
  },
  true,
);

// Parts that were swapped in have parts to load of their own.
document.addEventListener("swapped", () => {
  for (const place of document.querySelectorAll("[data-part] [data-load]")) load(place, place.dataset.load);
});

// --- the console -----------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches?.("[data-submit]")) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

// A query beside the field is put into it, to be changed before it runs.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-query]");
  const field = document.querySelector("[data-submit]");
  if (!link || !field || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  field.value = link.dataset.query;
  field.focus();
});
// `data-needs`: buttons for rows that are ticked, of which there have to be a few (`data-few`).
function enough() {
  for (const button of document.querySelectorAll("[data-needs]")) {
    button.disabled = document.querySelectorAll(`input[name=${button.dataset.needs}]:checked`).length < Number(button.dataset.few);
  }
}

document.addEventListener("change", enough);
document.addEventListener("swapped", enough);
enough();
