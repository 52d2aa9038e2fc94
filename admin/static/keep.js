// What was typed survives the end of a session: the form comes back filled after the login, in this tab only.
//
// A draft is written when a form is sent or a page with a changed form is left, and thrown away by the next page, unless
// that is one of those in between (login, its code, a new password, the page that was too old). Then the page that holds
// the same form fills it again and says so. Secrets are never kept, nor is anything for somebody else who logs in.
"use strict";

(() => {
  const KEY = "draft";
  const self = document.currentScript;
  const person = self.dataset.person || "";
  const FOR_SECONDS = 8 * 3600;
  const secrets = new WeakSet(document.querySelectorAll("input[type=password]"));
  const dirty = new Set();
  let forgotten = false;

  function stored() {
    try {
      return JSON.parse(sessionStorage.getItem(KEY) || "null");
    } catch {
      return null;
    }
  }
  function store(draft) {
    try {
      if (draft) sessionStorage.setItem(KEY, JSON.stringify(draft));
      else sessionStorage.removeItem(KEY);
    } catch {
      // no storage, or no room in it: then nothing is kept
    }
  }

  const kept = (form) => form.method === "post" && !form.matches("[data-no-keep], [data-forget]");
  const address = (form) => new URL(form.getAttribute("action") || "", location.href).pathname;
  const forms = (action) => [...document.forms].filter((form) => kept(form) && address(form) === action);

  function secret(field) {
    return field.type === "password" || secrets.has(field) || field.matches("[data-secret], [autocomplete*=password], [autocomplete=one-time-code]");
  }

  // [name, value or checked or chosen] of each field that a person fills
  function typed(form) {
    const found = [];
    for (const field of form.elements) {
      if (!field.name || secret(field) || ["hidden", "file", "submit", "button", "fieldset"].includes(field.type)) continue;
      if (field.type === "checkbox" || field.type === "radio") found.push([field.name, field.value, field.checked]);
      else if (field.type === "select-multiple") found.push([field.name, [...field.selectedOptions].map((one) => one.value)]);
      else found.push([field.name, field.value]);
    }
    return found;
  }

  function draft(list) {
    if (!person || !list.length) return;
    const made = list.map((form) => ({ action: address(form), place: forms(address(form)).indexOf(form), fields: typed(form) }));
    store({ person, at: Date.now(), forms: made });
  }

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form && kept(form)) dirty.add(form);
  });
  document.addEventListener("click", (event) => {
    const form = event.target.closest("[data-add-row], [data-remove-row]")?.closest("form");
    if (form && kept(form)) dirty.add(form);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-forget]")) {
      forgotten = true;
      store(null);
    } else if (kept(event.target)) {
      dirty.add(event.target);
    }
  });
  addEventListener("pagehide", () => {
    if (!forgotten) draft([...dirty].filter((form) => form.isConnected));
  });

  // between two pages: the draft waits
  if (self.hasAttribute("data-between") || document.querySelector("[data-too-old]")) {
    const waiting = stored();
    if (waiting) {
      waiting.interrupted = true;
      store(waiting);
      for (const said of document.querySelectorAll("[data-kept]")) said.hidden = false;
    }
    return;
  }

  const waiting = stored();
  store(null);
  if (!waiting || !waiting.interrupted || waiting.person !== person || Date.now() - waiting.at > FOR_SECONDS * 1000) return;

  const changed = (field) => {
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };

  // rows that were added to a table, or taken out of it, while the page was open
  const ROW = /^(.+)\.(\d+)\.([^.]+)$/;
  function rows(form, fields) {
    const told = new Map(); // table → the numbers of its rows, in their order
    for (const [name] of fields) {
      const found = ROW.exec(name);
      if (!found) continue;
      if (!told.has(found[1])) told.set(found[1], []);
      if (!told.get(found[1]).includes(found[2])) told.get(found[1]).push(found[2]);
    }
    const renamed = new Map();
    const tables = new Set(told.keys());
    for (const field of form.elements) {
      const found = ROW.exec(field.name || "");
      if (found) tables.add(found[1]);
    }
    for (const table of tables) {
      const wanted = told.get(table) || [];
      for (const row of form.querySelectorAll("tr")) {
        const own = [...row.querySelectorAll("[name]")].map((field) => ROW.exec(field.name)).find((found) => found && found[1] === table);
        if (own && !wanted.includes(own[2])) row.querySelector("[data-remove-row]")?.click();
      }
      for (const number of wanted.filter((one) => !form.querySelector(`[name^="${CSS.escape(`${table}.${one}.`)}"]`)).reverse()) {
        const blank = [...form.querySelectorAll("template")].find((one) => one.content.querySelector(`[name^="${CSS.escape(`${table}.__row__.`)}"]`));
        const body = blank?.parentElement.querySelector("table");
        const add = body && form.querySelector(`[data-add-row="${CSS.escape(body.id)}"]`);
        if (!add) continue;
        const before = new Set(form.querySelectorAll("[name]"));
        add.click();
        const fresh = [...form.querySelectorAll("[name]")].find((field) => !before.has(field) && ROW.test(field.name));
        if (fresh) renamed.set(`${table}.${number}.`, `${table}.${ROW.exec(fresh.name)[2]}.`);
      }
    }
    return (name) => {
      const found = ROW.exec(name);
      const own = found && renamed.get(`${found[1]}.${found[2]}.`);
      return own ? own + found[3] : name;
    };
  }

  function fill(form, fields) {
    const called = rows(form, fields);
    const seen = new Map();
    const plan = [];
    for (const [given, value, checked] of fields) {
      const name = called(given);
      const same = [...form.elements].filter((field) => field.name === name && !secret(field) && field.type !== "hidden");
      let field;
      if (checked !== undefined) {
        field = same.find((one) => one.value === value && (one.type === "checkbox" || one.type === "radio"));
        if (field && field.checked !== checked) plan.push([field, () => (field.checked = checked)]);
        continue;
      }
      const at = seen.get(name) || 0;
      seen.set(name, at + 1);
      field = same.filter((one) => one.type !== "checkbox" && one.type !== "radio")[at];
      if (!field) continue;
      if (Array.isArray(value)) {
        plan.push([field, () => [...field.options].forEach((one) => (one.selected = value.includes(one.value)))]);
      } else if (field.value !== value) {
        plan.push([field, () => (field.value = value)]);
      }
    }
    // boxes first: they open and shut the fields beside them
    plan.sort((one, other) => (other[0].type === "checkbox") - (one[0].type === "checkbox"));
    for (const [field, put] of plan) {
      put();
      changed(field);
    }
    if (form.closest("details")) form.closest("details").open = true;
    const dialog = form.closest("dialog");
    if (dialog && !dialog.open) dialog.showModal();
    return plan.length;
  }

  addEventListener("load", () => {
    let filled = 0;
    let first = null;
    for (const one of waiting.forms) {
      const form = forms(one.action)[one.place];
      if (!form) continue;
      const count = fill(form, one.fields);
      if (count && !first) first = form;
      filled += count;
    }
    const said = document.querySelector("[data-restored]");
    if (!said || !filled) return;
    said.hidden = false;
    const within = first.closest("dialog");
    if (within) within.prepend(said);
    said.scrollIntoView({ block: "center" });
  });
})();
