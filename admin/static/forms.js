// Every form: "use default", rows of tables, fields that matter for some choices only, long lists, unsaved changes.
"use strict";

function inherit(field) {
  const box = field.querySelector("input[data-use-default]");
  if (!box) return;
  field.classList.toggle("inherits", box.checked);
  for (const control of field.querySelector("[data-control]").querySelectorAll("input, select, textarea, button:not([data-collect])")) {
    control.disabled = box.checked;
  }
  field.dispatchEvent(new CustomEvent("inherited", { bubbles: true }));
}
for (const field of document.querySelectorAll("[data-field]")) inherit(field);

// what a field says, to tell whether it was changed; rows count by their order, not by their numbers
function said(field) {
  const found = [];
  for (const one of field.querySelectorAll("[name]")) {
    if (one.disabled || one.closest("template")) continue;
    if (one.type === "checkbox" || one.type === "radio") {
      if (one.checked) found.push([one.name.replace(/\.\d+\./, "."), one.value]);
    } else if (one.value !== "" || /\.key$/.test(one.name)) {
      found.push([one.name.replace(/\.\d+\./, "."), one.value]);
    }
  }
  return JSON.stringify(found);
}

const guarded = [...document.querySelectorAll("form[data-guard]")].map((form) => ({
  form,
  left: false, // it is being sent or given up
  before: new Map([...form.querySelectorAll("[data-field]")].map((field) => [field, said(field)])),
}));

function changes({ form, before }) {
  let count = 0;
  for (const [field, text] of before) {
    if (field.hasAttribute("data-drafted") || said(field) !== text) count += 1;
  }
  return count || (form.hasAttribute("data-drafted") ? 1 : 0);
}

function recount(one) {
  const count = changes(one);
  one.form.classList.toggle("changed", count > 0);
  const told = one.form.querySelector("[data-changed-count]");
  if (told) told.textContent = count ? (count === 1 ? told.dataset.one : told.dataset.many.replace("{n}", count)) : "";
}
function recountAll() {
  for (const one of guarded) recount(one);
}
document.addEventListener("input", recountAll);
document.addEventListener("change", recountAll);
for (const one of guarded) {
  one.form.addEventListener("submit", () => {
    one.left = true;
  });
}
addEventListener("pageshow", () => {
  for (const one of guarded) one.left = false;
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-discard]")) for (const one of guarded) one.left = true;
});
addEventListener("beforeunload", (event) => {
  if (guarded.some((one) => !one.left && changes(one))) event.preventDefault();
});

let next = 100000;
function addRow(button) {
  const table = document.getElementById(button.dataset.addRow);
  const blank = table.parentElement.querySelector("template").content.cloneNode(true);
  for (const node of blank.querySelectorAll("[name]")) node.name = node.name.replace(".__row__.", `.${next}.`);
  next += 1;
  table.tBodies[0].prepend(blank);
  const row = table.tBodies[0].rows[0];
  row.dispatchEvent(new CustomEvent("rowadded", { bubbles: true }));
  row.querySelector("input:not([type=hidden], [aria-hidden])")?.focus();
  recountAll();
}
function removeRow(row) {
  const near = row.nextElementSibling || row.previousElementSibling;
  const mapping = row.closest(".mapping");
  const add = mapping.parentElement.querySelector("[data-add-row]");
  row.remove();
  (near?.querySelector("[data-remove-row]") || add)?.focus();
  mapping.dispatchEvent(new CustomEvent("rowremoved", { bubbles: true }));
  recountAll();
}
document.addEventListener("click", (event) => {
  const add = event.target.closest("[data-add-row]");
  if (add) addRow(add);
  const remove = event.target.closest("[data-remove-row]");
  if (remove) removeRow(remove.closest("tr"));
});
// in a table, Enter goes on to the next row instead of sending the whole form
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.defaultPrevented || !event.target.matches(".mapping input")) return;
  event.preventDefault();
  const row = event.target.closest("tr");
  const below = row.nextElementSibling?.querySelector("input:not([type=hidden], [aria-hidden]), select");
  (below || row.closest("[data-control]").querySelector("[data-add-row]"))?.focus();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-use-default]")) inherit(event.target.closest("[data-field]"));
  const row = event.target.closest("tr.unmapped");
  if (row) row.classList.toggle("touched", [...row.querySelectorAll("td:not(.left) [name]")].some((one) => one.type !== "checkbox" && one.value && one.value !== "no"));
});

// a field that matters only for some values of other ones; what is wrong, or was asked for by the address, is shown
function valueOf(form, name) {
  const found = form?.elements.namedItem(name);
  if (!(found instanceof RadioNodeList)) return found?.value;
  return [...found].find((one) => one.type === "checkbox")?.checked ?? found.value; // a switch has a hidden twin
}
function matter() {
  for (const field of document.querySelectorAll("[data-when]")) {
    const form = field.closest("form");
    field.hidden = location.hash !== `#${field.id}` && !field.matches(".wrong") && !Object.entries(JSON.parse(field.dataset.when)).every(([name, values]) => {
      const value = valueOf(form, `s.${name}`);
      return value === undefined || values.includes(value);
    });
  }
  for (const section of document.querySelectorAll("[data-section]")) {
    section.hidden = !section.querySelector("[data-field]:not([hidden])");
    const link = document.querySelector(`[data-index] a[href="#${CSS.escape(section.id)}"]`);
    if (link) link.hidden = section.hidden;
  }
}
matter();
document.addEventListener("change", matter);
addEventListener("hashchange", matter);

// a long list of boxes can be narrowed; another id can be typed
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-narrow]")) return;
  const text = event.target.value.toLowerCase();
  for (const box of event.target.parentElement.querySelectorAll("label")) {
    box.hidden = !box.textContent.toLowerCase().includes(text);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("[data-another]")) return;
  event.preventDefault();
  const typed = event.target.value.trim();
  const boxes = event.target.closest("[data-control]").querySelector(".boxes");
  if (!typed) return;
  let box = [...boxes.querySelectorAll("input[type=checkbox]")].find((one) => one.value === typed);
  if (!box) {
    const label = document.createElement("label");
    box = Object.assign(document.createElement("input"), { type: "checkbox", name: event.target.name, value: typed });
    label.append(box, Object.assign(document.createElement("span"), { textContent: typed }));
    boxes.append(label);
  }
  box.checked = true;
  event.target.value = "";
  box.dispatchEvent(new Event("change", { bubbles: true }));
});

if (!document.querySelector("[data-settings]")) document.querySelector(".field.wrong, .flash.bad")?.scrollIntoView({ block: "center" });
