// Settings forms: "use default", rows of tables, leaving with unsaved changes.
"use strict";

function inherit(field) {
  const box = field.querySelector("input[data-use-default]");
  if (!box) return;
  field.classList.toggle("inherits", box.checked);
  for (const control of field.querySelector("[data-control]").querySelectorAll("input, select, textarea, button")) {
    control.disabled = box.checked;
  }
}
for (const field of document.querySelectorAll("[data-field]")) inherit(field);

let next = 100000;
document.addEventListener("click", (event) => {
  const add = event.target.closest("[data-add-row]");
  if (add) {
    const table = document.getElementById(add.dataset.addRow);
    const blank = table.parentElement.querySelector("template").content.cloneNode(true);
    for (const node of blank.querySelectorAll("[name]")) node.name = node.name.replace(".__row__.", `.${next}.`);
    for (const node of blank.querySelectorAll("[list]")) node.setAttribute("list", node.getAttribute("list"));
    next += 1;
    table.tBodies[0].prepend(blank);
    table.tBodies[0].querySelector("input:not([type=hidden])")?.focus();
    changed = true;
  }
  const remove = event.target.closest("[data-remove-row]");
  if (remove) {
    remove.closest("tr").remove();
    changed = true;
  }
});

let changed = false;
document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-use-default]")) inherit(event.target.closest("[data-field]"));
  const row = event.target.closest("tr.unmapped");
  if (row && event.target.value) row.classList.add("touched");
});
for (const form of document.querySelectorAll("form[data-guard]")) {
  form.addEventListener("input", () => {
    changed = true;
    form.classList.add("changed");
  });
  form.addEventListener("submit", () => {
    changed = false;
  });
}
addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});

// a long list of boxes can be narrowed
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-narrow]")) return;
  const text = event.target.value.toLowerCase();
  for (const box of event.target.parentElement.querySelectorAll("label")) {
    box.hidden = !box.textContent.toLowerCase().includes(text);
  }
});

document.querySelector(".field.wrong, .flash.bad")?.scrollIntoView({ block: "center" });
