// The settings tab: sections that fold, a search over settings, lists to choose from, suggestions, collecting.
"use strict";

(() => {
  const form = document.querySelector("form.main-form");
  if (!form) return;
  const text = form.dataset;
  const live = form.querySelector("[data-said]");
  const announce = (words) => {
    live.textContent = "";
    requestAnimationFrame(() => (live.textContent = words));
  };
  const plain = (words) => words.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "");

  // lists to choose from: an accessible combobox over a list of the page; what is typed by hand is kept
  const SHOWN = 60;
  const lists = new Map();
  function entries(id) {
    if (!lists.has(id)) {
      const list = document.getElementById(id);
      lists.set(id, [...(list?.options || [])].map((one) => ({ value: one.value, label: one.textContent, plain: plain(`${one.textContent} ${one.value}`) })));
    }
    return lists.get(id);
  }

  const popup = Object.assign(document.createElement("ul"), { className: "listbox", id: "listbox", hidden: true });
  popup.setAttribute("role", "listbox");
  document.body.append(popup);
  let open = null; // the combobox whose list is shown
  let marked = -1;

  class Combo {
    constructor(named) {
      this.named = named;
      this.list = named.getAttribute("list");
      this.input = named.cloneNode(false);
      this.input.removeAttribute("name");
      this.input.removeAttribute("list");
      this.input.removeAttribute("data-combo");
      for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": "listbox", "aria-haspopup": "listbox" })) {
        this.input.setAttribute(name, value);
      }
      named.removeAttribute("id");
      named.removeAttribute("list");
      named.removeAttribute("aria-label");
      named.setAttribute("aria-hidden", "true");
      named.tabIndex = -1;
      named.classList.add("visually-hidden");
      const box = Object.assign(document.createElement("span"), { className: "combo" });
      this.button = Object.assign(document.createElement("button"), { type: "button", tabIndex: -1, className: "opener", disabled: named.disabled });
      this.button.setAttribute("aria-label", text.list);
      this.button.append("▾");
      named.before(box);
      box.append(this.input, named, this.button);
      this.note = box.parentElement.querySelector("[data-unknown]");
      named.combo = this.input.combo = this;
      this.button.addEventListener("mousedown", (event) => {
        event.preventDefault();
        this.input.focus();
        open === this ? this.close() : this.show("");
      });
      this.input.addEventListener("input", () => {
        this.take(this.input.value);
        this.show(this.input.value);
      });
      this.input.addEventListener("click", () => open === this || this.show(""));
      this.input.addEventListener("focus", () => this.input.select());
      this.input.addEventListener("keydown", (event) => this.key(event));
      this.input.addEventListener("blur", () => {
        this.close();
        this.paint();
      });
      named.addEventListener("change", () => this.paint());
      this.paint();
    }

    // the value for what stands in the input: an entry's id by its label, its id or its name alone, else as typed
    take(typed) {
      const asked = plain(typed.trim());
      const all = entries(this.list);
      const called = all.filter((one) => asked && plain(one.label).replace(`(${plain(one.value)})`, "").trim() === asked);
      const found = all.find((one) => plain(one.label) === asked || one.value === typed.trim()) || (called.length === 1 ? called[0] : null);
      this.put(found ? found.value : typed.trim());
    }
    put(value) {
      if (this.named.value === value) return;
      this.named.value = value;
      this.named.dispatchEvent(new Event("input", { bubbles: true }));
    }
    choose(one) {
      this.put(one.value);
      this.named.dispatchEvent(new Event("change", { bubbles: true }));
      this.close();
      this.paint();
    }
    paint() {
      const value = this.named.value;
      const found = entries(this.list).find((one) => one.value === value);
      if (document.activeElement !== this.input || open !== this) this.input.value = found ? found.label : value;
      const strange = value && !found && entries(this.list).length > 0;
      if (strange && !this.note) {
        this.note = Object.assign(document.createElement("p"), { className: "help" });
        this.input.parentElement.after(this.note);
      }
      if (this.note) {
        this.note.hidden = !strange;
        if (strange) this.note.textContent = text.byhand.replace("{value}", value);
      }
    }
    show(typed) {
      if (this.input.disabled) return;
      const words = plain(typed).split(/\s+/).filter(Boolean);
      const begins = (one) => words.every((word) => one.plain.startsWith(word) || [" ", "(", "["].some((before) => one.plain.includes(before + word)));
      const fitting = entries(this.list).filter((one) => words.every((word) => one.plain.includes(word)));
      this.fitting = words.length ? [...fitting.filter(begins), ...fitting.filter((one) => !begins(one))] : fitting;
      popup.replaceChildren();
      this.fitting.slice(0, SHOWN).forEach((one, at) => {
        const item = Object.assign(document.createElement("li"), { id: `listbox-${at}`, textContent: one.label });
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", String(one.value === this.named.value));
        popup.append(item);
      });
      if (this.fitting.length > SHOWN) {
        const more = Object.assign(document.createElement("li"), { className: "more", textContent: text.more.replace("{n}", this.fitting.length - SHOWN) });
        more.setAttribute("role", "option");
        more.setAttribute("aria-disabled", "true");
        popup.append(more);
      }
      open = this;
      popup.setAttribute("aria-label", this.input.getAttribute("aria-label") || this.input.labels?.[0]?.textContent || text.list);
      popup.hidden = this.fitting.length === 0;
      this.input.setAttribute("aria-expanded", String(!popup.hidden));
      this.place();
      this.mark(typed ? -1 : this.fitting.slice(0, SHOWN).findIndex((one) => one.value === this.named.value));
      if (typed) announce(text.entries.replace("{n}", this.fitting.length));
    }
    place() {
      const at = this.input.getBoundingClientRect();
      const below = innerHeight - at.bottom - 12;
      const above = at.top - 12;
      const up = below < 180 && above > below;
      popup.style.left = `${Math.max(8, Math.min(at.left, innerWidth - Math.max(at.width, 220) - 8))}px`;
      popup.style.minWidth = `${Math.min(at.width, innerWidth - 16)}px`;
      popup.style.maxHeight = `${Math.max(120, Math.min(300, up ? above : below))}px`;
      popup.style.top = up ? "auto" : `${at.bottom + 2}px`;
      popup.style.bottom = up ? `${innerHeight - at.top + 2}px` : "auto";
    }
    mark(at) {
      marked = at;
      [...popup.children].forEach((item, place) => item.classList.toggle("marked", place === at));
      if (at >= 0) {
        this.input.setAttribute("aria-activedescendant", `listbox-${at}`);
        popup.children[at].scrollIntoView({ block: "nearest" });
      } else {
        this.input.removeAttribute("aria-activedescendant");
      }
    }
    close() {
      if (open !== this) return;
      open = null;
      popup.hidden = true;
      this.input.setAttribute("aria-expanded", "false");
      this.input.removeAttribute("aria-activedescendant");
    }
    key(event) {
      const count = Math.min(this.fitting?.length || 0, SHOWN);
      const shown = open === this && !popup.hidden;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (!shown) this.show("");
        else if (count) this.mark((marked + (event.key === "ArrowDown" ? 1 : marked < 0 ? 0 : -1) + count) % count);
      } else if (event.key === "Enter" && shown && marked >= 0) {
        event.preventDefault();
        this.choose(this.fitting[marked]);
      } else if (event.key === "Enter" && shown) {
        event.preventDefault();
        this.named.dispatchEvent(new Event("change", { bubbles: true }));
        this.close();
        this.paint();
      } else if (event.key === "Escape" && shown) {
        event.preventDefault();
        this.close();
        this.paint();
      } else if (event.key === "Tab" && shown && marked >= 0) {
        this.choose(this.fitting[marked]);
      }
    }
  }

  popup.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the input keeps the focus
    const item = event.target.closest("li:not(.more)");
    if (item && open) open.choose(open.fitting[[...popup.children].indexOf(item)]);
  });
  addEventListener("scroll", (event) => open && event.target !== popup && open.place(), true);
  addEventListener("resize", () => open?.place());

  const upgrade = (within) => {
    for (const named of within.querySelectorAll("input[data-combo]:not([aria-hidden])")) new Combo(named);
  };
  upgrade(form);
  form.addEventListener("rowadded", (event) => {
    upgrade(event.target);
    (event.target.querySelector("[data-key]") || event.target.querySelector("input"))?.focus();
  });
  form.addEventListener("rowremoved", () => announce(text.removed));

  // suggestions: apply, change, ignore (for this browser), all sure ones at once
  const IGNORED = `ignored:${location.pathname}`;
  let ignored = new Set();
  try {
    ignored = new Set(JSON.parse(localStorage.getItem(IGNORED) || "[]"));
  } catch {
    // no storage: then ignoring holds for this page only
  }
  const comboOf = (suggestion) => suggestion.closest("td").querySelector("[name]")?.combo;
  const valueOf = (suggestion) => suggestion.closest("td").querySelector("[name]");
  function settle(suggestion) {
    const over = suggestion.closest("[data-control]").querySelector("[data-over]");
    suggestion.hidden = true;
    if (over) over.hidden = !over.parentElement.querySelector("[data-suggest][data-sure]:not([hidden])");
  }
  function apply(suggestion) {
    const named = valueOf(suggestion);
    if (!named || named.disabled) return false;
    named.value = suggestion.dataset.suggest;
    named.dispatchEvent(new Event("input", { bubbles: true }));
    named.dispatchEvent(new Event("change", { bubbles: true }));
    settle(suggestion);
    return true;
  }
  function after(suggestion) {
    // the focus goes on to the next suggestion, else to the value that was set
    const row = suggestion.closest("tr");
    const rows = [...row.parentElement.rows];
    const later = rows.slice(rows.indexOf(row) + 1).map((one) => one.querySelector("[data-suggest]:not([hidden]) [data-apply]")).find(Boolean);
    (later || comboOf(suggestion)?.input || valueOf(suggestion))?.focus();
  }
  form.addEventListener("click", (event) => {
    const suggestion = event.target.closest("[data-suggest]");
    if (suggestion && event.target.closest("[data-apply]") && apply(suggestion)) {
      announce(text.applied.replace("{value}", suggestion.querySelector("b").textContent));
      after(suggestion);
      comboOf(suggestion)?.close();
    }
    if (suggestion && event.target.closest("[data-change]")) {
      const combo = comboOf(suggestion);
      (combo?.input || valueOf(suggestion))?.focus();
      combo?.show("");
    }
    if (suggestion && event.target.closest("[data-ignore]")) {
      ignored.add(suggestion.dataset.for);
      try {
        localStorage.setItem(IGNORED, JSON.stringify([...ignored]));
      } catch {
        // as above
      }
      settle(suggestion);
      after(suggestion);
    }
    const all = event.target.closest("[data-apply-sure]");
    if (all) {
      const control = all.closest("[data-control]");
      for (const one of control.querySelectorAll("[data-suggest][data-sure]:not([hidden])")) apply(one);
      announce(text.applied.replace("{value}", String(control.querySelectorAll("tr.unmapped.touched").length)));
      control.querySelector("tr.unmapped.touched .combo input")?.focus();
      open?.close();
    }
  });
  for (const one of form.querySelectorAll("[data-suggest]")) {
    if (ignored.has(one.dataset.for) || valueOf(one)?.value) settle(one);
  }
  form.addEventListener("change", (event) => {
    const suggestion = event.target.closest("td")?.querySelector("[data-suggest]:not([hidden])");
    if (suggestion && event.target.value) settle(suggestion);
  });

  // what is still missing, counted down while it is filled in
  const gaps = [...form.querySelectorAll(".need.missing")].map((said) => said.closest("[data-field]"));
  const filled = (field) => [...field.querySelectorAll("[name]")].some((one) => one.value && !one.disabled && !["checkbox", "hidden"].includes(one.type) && !one.matches("[data-key]") && !one.closest("template"));
  function lacking(field) {
    const [needed, unmapped] = [field.querySelector("[data-needed]"), field.querySelector("[data-unmapped]")];
    const left = unmapped ? Math.max(0, Number(unmapped.dataset.unmapped) - field.querySelectorAll("tr.seen.touched").length) : 0;
    const empty = needed && !filled(field);
    if (needed) {
      needed.dataset.empty ??= needed.textContent;
      needed.textContent = empty ? needed.dataset.empty : needed.dataset.needed;
      needed.classList.toggle("missing", Boolean(empty));
    }
    if (unmapped) {
      unmapped.hidden = !left;
      unmapped.textContent = (left === 1 ? unmapped.dataset.one : unmapped.dataset.many).replace("{n}", left);
    }
    return unmapped ? left : Number(Boolean(empty));
  }
  // what was refused and is touched is no longer said to be wrong; rows of a table say it one by one
  function touched(event) {
    const field = event.target.closest?.(".field.wrong");
    if (!field || field.querySelector("tr[data-wrong]")) return;
    field.classList.remove("wrong");
    for (const said of field.querySelectorAll("[data-control] > .error")) said.hidden = true;
    for (const one of field.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
  }
  function tally() {
    const sums = new Map();
    for (const field of new Set(gaps)) {
      const code = field.closest("[data-section]").id;
      sums.set(code, (sums.get(code) || 0) + lacking(field));
    }
    for (const badge of document.querySelectorAll("[data-lacks], [data-wrongs]")) {
      const { lacks, wrongs } = badge.dataset;
      const wrong = document.getElementById(lacks || wrongs).querySelectorAll(".field.wrong").length;
      const left = wrongs ? wrong : sums.get(lacks) || 0;
      badge.hidden = !left || Boolean(lacks && wrong);
      badge.querySelector("[data-count]").textContent = badge.dataset.words.replace("{n}", left);
    }
  }
  for (const event of ["input", "change", "rowremoved"]) {
    form.addEventListener(event, (told) => {
      touched(told);
      requestAnimationFrame(tally);
    });
  }

  // sections fold; which are open is remembered for this visit; an address that names a setting opens its section
  const sections = [...form.querySelectorAll("[data-section]")];
  const OPEN = `sections:${location.pathname}`;
  let searching = false;
  try {
    const known = JSON.parse(sessionStorage.getItem(OPEN) || "null");
    if (known && !form.querySelector("[data-refused]")) for (const one of sections) one.open = one.open || known.includes(one.id);
  } catch {
    // then they stand as the page came
  }
  function remember() {
    if (searching) return;
    try {
      sessionStorage.setItem(OPEN, JSON.stringify(sections.filter((one) => one.open).map((one) => one.id)));
    } catch {
      // as above
    }
  }
  for (const one of sections) one.addEventListener("toggle", remember);
  function reveal() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const section = target instanceof Element && target.closest("[data-section]");
    if (!section) return;
    section.open = true;
    follow(section);
    target.scrollIntoView({ block: "start" });
    target.classList.add("shown-to");
  }
  addEventListener("hashchange", reveal);
  document.querySelector("[data-index]")?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const section = link && document.getElementById(link.hash.slice(1));
    if (!section) return;
    event.preventDefault(); // a jump of the browser's own would take the focus away
    section.open = true;
    follow(section);
    history.replaceState(null, "", link.hash);
    section.scrollIntoView({ block: "start" });
    section.querySelector("summary").focus({ preventScroll: true });
  });
  document.querySelector("[data-open-all]")?.addEventListener("click", () => sections.forEach((one) => (one.open = true)));
  document.querySelector("[data-close-all]")?.addEventListener("click", () => sections.forEach((one) => (one.open = false)));
  // a value that the browser refuses must be seen
  document.addEventListener(
    "invalid",
    (event) => {
      clear();
      const section = event.target.closest("[data-section]");
      if (section) section.open = true;
    },
    true,
  );
  // where in the page one is
  const links = new Map([...document.querySelectorAll("[data-index] a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  // the section that a link led to, until somebody scrolls: the last ones of the page never get to its top
  let followed = null;
  function mark() {
    const here = followed || sections.find((one) => seen.has(one));
    for (const [id, link] of links) id === here?.id ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }
  function follow(section) {
    followed = section;
    mark();
  }
  for (const name of ["wheel", "touchmove"]) addEventListener(name, () => follow(null), { passive: true });
  addEventListener("keydown", (event) => {
    if (["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown", " "].includes(event.key)) follow(null);
  });
  const spy = new IntersectionObserver(
    (told) => {
      for (const one of told) one.isIntersecting ? seen.add(one.target) : seen.delete(one.target);
      mark();
    },
    { rootMargin: "-80px 0px -60% 0px" },
  );
  for (const one of sections) spy.observe(one);

  // the search over settings: by label, help and name
  const find = document.querySelector("[data-find]");
  const found = document.querySelector("[data-found]");
  const before = new Map();
  function search() {
    const words = plain(find.value).split(/\s+/).filter(Boolean);
    if (words.length && !searching) {
      searching = true;
      for (const one of sections) before.set(one, one.open);
    }
    let count = 0;
    form.classList.toggle("searching", words.length > 0); // shows what does not matter now, too
    for (const section of sections) {
      let any = false;
      const heading = plain(section.querySelector("h2").textContent);
      for (const field of section.querySelectorAll("[data-field]")) {
        const about = `${heading} ${field.id} ${plain(field.querySelector(".name").textContent)} ${[...field.querySelectorAll(".help")].map((one) => plain(one.textContent)).join(" ")}`;
        const fits = words.every((word) => about.includes(word));
        field.classList.toggle("left-out", !fits);
        any = any || fits;
        if (fits && words.length) count += 1;
      }
      section.classList.toggle("left-out", !any);
      links.get(section.id)?.classList.toggle("left-out", !any);
      if (words.length) section.open = any;
    }
    if (!words.length && searching) {
      for (const one of sections) one.open = before.get(one);
      setTimeout(() => (searching = false));
    }
    found.textContent = words.length ? (count ? text.entries.replace("{n}", count) : find.dataset.none) : "";
  }
  function clear() {
    if (find?.value) {
      find.value = "";
      search();
    }
  }
  find?.addEventListener("input", search);
  find?.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
    if (event.key === "Enter") {
      event.preventDefault();
      form.querySelector("[data-field]:not(.left-out) [data-control] :is(input, select, textarea):not([type=hidden], [disabled], [aria-hidden]), [data-field]:not(.left-out) [data-use-default]")?.focus();
    }
  });

  // collecting: the connection is asked; the lists come without losing what was typed
  const asked = () => fetch(text.lists, { headers: { "X-Requested-With": "fetch" } }).then((answer) => (answer.ok ? answer.json() : null));
  const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
  async function collect(button) {
    const side = button.dataset.collect;
    const outer = document.getElementById(`collect-${side}`);
    const buttons = [...form.querySelectorAll(`[data-collect="${side}"]`)];
    const words = buttons.map((one) => one.querySelector("[data-word]").textContent);
    for (const one of buttons) {
      one.disabled = true;
      one.setAttribute("aria-busy", "true");
      one.querySelector("[data-word]").textContent = text.asking;
    }
    announce(text.asking);
    let fresh = null;
    try {
      const old = await asked();
      await fetch(outer.action, { method: "POST", body: new FormData(outer), headers: { "X-Requested-With": "fetch" } });
      for (let waited = 0; waited < 180 && !fresh; waited += 2) {
        const told = await asked();
        if (told && old && told.marks[side] !== old.marks[side]) fresh = told;
        else await pause(2);
      }
    } catch {
      // the host is away, or the session is over: said below
    }
    for (const [at, one] of buttons.entries()) {
      one.disabled = false;
      one.removeAttribute("aria-busy");
      one.querySelector("[data-word]").textContent = words[at];
    }
    if (!fresh) {
      tell(button, text.late);
    } else if (!form.classList.contains("changed")) {
      location.reload();
    } else {
      refresh(fresh.lists);
      tell(button, text.fresh);
    }
  }
  function tell(button, words) {
    const note = button.parentElement.querySelector(".told") || Object.assign(document.createElement("span"), { className: "told help" });
    note.textContent = words;
    button.after(note);
    announce(words);
  }
  function refresh(told) {
    for (const [id, items] of Object.entries(told)) {
      let list = document.getElementById(id);
      if (!list) {
        list = Object.assign(document.createElement("datalist"), { id });
        form.append(list);
      }
      list.replaceChildren(...items.map(([value, label]) => Object.assign(document.createElement("option"), { value, textContent: label })));
    }
    lists.clear();
    for (const named of form.querySelectorAll("input[data-combo]")) named.combo?.paint();
  }
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-collect]");
    if (!button) return;
    event.preventDefault();
    collect(button);
  });

  recountAll();
  const wrong = form.querySelector("[data-refused]");
  if (wrong) {
    wrong.focus({ preventScroll: true });
    wrong.scrollIntoView({ block: "center" });
  } else {
    reveal();
  }
})();
