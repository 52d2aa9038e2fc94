// Lists of records: rows that open, sheets that close, the order of columns, filters without empty parts.
"use strict";

// a row opens its order; links, boxes, messages and chosen text keep their own meaning
document.addEventListener("click", (event) => {
  const row = event.target.closest("[data-open-rows] tbody tr");
  if (!row || event.target.closest("a, button, input, label, summary, .message") || getSelection().toString()) return;
  const link = row.querySelector("td a[href]");
  if (!link) return;
  if (event.ctrlKey || event.metaKey) open(link.href, "_blank", "noopener");
  else location.assign(link.href);
});

// one sheet at a time; Escape and a click beside it close it
const sheets = () => document.querySelectorAll("details[data-pop][open]");
document.addEventListener("toggle", (event) => {
  if (!event.target.matches?.("details[data-pop]") || !event.target.open) return;
  for (const other of sheets()) if (other !== event.target) other.open = false;
  event.target.querySelector("[aria-invalid=true]")?.focus();
}, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const one of sheets()) {
    one.open = false;
    one.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const one of sheets()) if (!one.contains(event.target)) one.open = false;
});

// the order of columns
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-up], [data-down]");
  const item = button?.closest("[data-order] > li");
  if (!item) return;
  const up = button.hasAttribute("data-up");
  const other = up ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (up) other.before(item);
  else other.after(item);
  button.focus();
  const said = item.closest("form").querySelector("[data-moved]");
  const place = [...item.parentElement.children].indexOf(item) + 1;
  said.textContent = said.dataset.said.replace("{name}", item.innerText.trim().split("\n")[0]).replace("{n}", String(place));
});

// what is left empty does not stand in the address
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-filters]")) return;
  for (const input of event.target.querySelectorAll("input[name]")) {
    if (!input.value) input.disabled = true;
  }
  setTimeout(() => {
    for (const input of event.target.querySelectorAll("input[name]")) input.disabled = false;
  });
});
