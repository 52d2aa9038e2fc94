// Connections: tests and collecting with their result on the page, the form of an account, the search in lists, copying.
"use strict";

const EVERY = 700;

// what a form sends; the answer as JSON, undefined when there is none
function send(form, button) {
  const data = new FormData(form);
  if (button?.name) data.set(button.name, button.value);
  return window.host.ask(form.getAttribute("action") || location.href, { method: "POST", body: data });
}

// live parts: replaced one by one as they change; the focus stays where it was
function put(part, told) {
  if (part.dataset.mark === told.mark) return;
  const controls = () => [...part.querySelectorAll("a, button")];
  const at = controls().indexOf(document.activeElement);
  part.dataset.mark = told.mark;
  part.innerHTML = told.html;
  if (at >= 0) controls()[at]?.focus();
}

async function refreshed(place) {
  const fresh = place.querySelector("[data-fresh]");
  if (!fresh) return;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const made = page.getElementById(fresh.id);
    if (made && !fresh.contains(document.activeElement)) fresh.replaceWith(made);
  } catch {
    // the host is away for a moment; what is shown stays
  }
}

function watch(place) {
  let running = false;
  const look = async () => {
    const told = await window.host.ask(place.dataset.live);
    if (told) {
      for (const part of place.querySelectorAll("[data-part]")) {
        if (told.parts[part.dataset.part]) put(part, told.parts[part.dataset.part]);
      }
      const said = document.querySelector("[data-said]");
      if (said && said.textContent !== told.said) said.textContent = told.said;
      if (place.dataset.collected !== undefined && told.collected !== place.dataset.collected) refreshed(place);
      place.dataset.collected = told.collected;
    }
    if (told && !told.busy) {
      running = false;
      place.removeAttribute("data-busy");
    } else setTimeout(look, EVERY);
  };
  place.look = () => {
    if (running) return;
    running = true;
    look();
  };
  if (place.hasAttribute("data-busy")) place.look();
}
for (const place of document.querySelectorAll("[data-live]")) watch(place);

document.addEventListener("submit", async (event) => {
  if (!event.target.matches("form[data-job]")) return;
  event.preventDefault();
  const place = event.target.closest("[data-live]");
  if (event.submitter?.getAttribute("aria-disabled") === "true") return;
  place.dataset.collected ??= "";
  event.submitter?.setAttribute("aria-disabled", "true");
  const told = await send(event.target);
  if (told) place.look();
  else location.reload();
});

// the form of an account
for (const form of document.querySelectorAll("form[data-connection]")) {
  const panel = form.querySelector("[data-trial-panel]");
  const result = form.querySelector("[data-result]");
  const working = form.querySelector("[data-working]");
  const button = form.querySelector("[data-test]");
  const save = form.querySelector("[data-save]");
  const tested = form.elements.tested;
  let testing = false;

  // another address: stored secrets stay behind
  const address = form.elements.connection_address;
  const moved = form.querySelector("[data-moved]");
  const plain = (text) => text.trim().replace(/\/+$/, "").toLowerCase();
  const compare = () => {
    if (!moved) return;
    const away = plain(address.value) !== plain(address.dataset.stored);
    if (moved.hidden === away) moved.hidden = !away;
  };
  address.addEventListener("input", compare);
  compare();

  const show = (ok) => {
    tested.value = ok ? "yes" : "";
    if (!save) return;
    save.querySelector("[data-if-tested]").hidden = !ok;
    save.querySelector("[data-if-untested]").hidden = ok;
    save.classList.toggle("primary", ok);
    button.classList.toggle("primary", !ok);
  };
  const step = (now) => {
    for (const one of document.querySelectorAll(".steps [data-step]")) {
      const here = Number(one.dataset.step) === now;
      if (here) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
    }
  };
  const say = (tone, text) => {
    const line = document.createElement("p");
    line.className = `flash ${tone}`;
    line.textContent = text;
    result.replaceChildren(line);
    panel.hidden = false;
  };
  const mark = (problems) => {
    for (const [id, sentences] of Object.entries(problems)) {
      const control = id && document.getElementById(id);
      const field = control?.closest("[data-field]");
      if (!field) continue;
      field.hidden = false;
      field.classList.add("wrong");
      control.setAttribute("aria-invalid", "true");
      for (const sentence of sentences) {
        const line = document.createElement("p");
        line.className = "error";
        line.textContent = sentence;
        control.closest("[data-control]").append(line);
      }
    }
    const first = form.querySelector(".field.wrong input, .field.wrong select, .field.wrong textarea");
    first?.focus();
  };
  const unmark = () => {
    for (const field of form.querySelectorAll(".field.wrong")) {
      field.classList.remove("wrong");
      for (const line of field.querySelectorAll("p.error")) line.remove();
      field.querySelector("[aria-invalid]")?.removeAttribute("aria-invalid");
    }
  };

  const outcome = async (word) => {
    for (;;) {
      const told = await window.host.ask(`${form.dataset.trial}?job=${encodeURIComponent(word)}`);
      if (told && !told.known) return undefined;
      if (told && !told.busy) return told;
      await new Promise((done) => setTimeout(done, EVERY));
    }
  };

  // a click, not the sending: what was typed is not saved by it, leaving the page still asks
  button?.addEventListener("click", async (event) => {
    event.preventDefault();
    if (testing) return;
    testing = true;
    button.setAttribute("aria-busy", "true");
    unmark();
    result.replaceChildren();
    panel.hidden = working.hidden = false;
    panel.scrollIntoView({ block: "nearest" });
    step(3);
    show(false);
    const asked = await send(form, button);
    const told = asked?.job ? await outcome(asked.job) : undefined;
    working.hidden = true;
    if (asked?.problems) {
      say("bad", form.dataset.problem + (asked.problems[""] ? ` ${asked.problems[""].join(" ")}` : ""));
      mark(asked.problems);
      step(2);
    } else if (told) {
      result.innerHTML = told.html;
      show(told.ok);
      panel.scrollIntoView({ block: "nearest" });
    } else say("bad", form.dataset.lost);
    button.removeAttribute("aria-busy");
    testing = false;
  });

  // "needed, still empty" is true no longer
  const filled = (control) => {
    const need = control.closest("[data-field]")?.querySelector(".need.missing");
    if (need) need.hidden = Boolean(control.value);
  };
  form.addEventListener("input", (event) => filled(event.target));

  form.addEventListener("input", (event) => {
    if (!tested.value || event.target.name === "connection_name") return;
    show(false);
    say("warn", form.dataset.changed);
  });
}

// the search in a list, while it is typed
let waiting = 0;
let latest = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-narrow-entries]");
  if (!form) return;
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const mine = ++latest;
    const query = new URLSearchParams(new FormData(form));
    if (!form.elements.q.value) query.delete("q");
    const there = `${location.pathname}?${query}`;
    try {
      const page = new DOMParser().parseFromString(await (await fetch(there)).text(), "text/html");
      const made = page.querySelector("[data-entries]");
      const shown = document.querySelector("[data-entries]");
      if (mine !== latest || !made || !shown) return;
      shown.replaceChildren(...made.childNodes);
      history.replaceState(null, "", there);
    } catch {
      // the host is away for a moment; Enter asks again
    }
  }, 250);
});

// questions before deeds
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
  event.target.closest("[data-close]")?.closest("dialog")?.close();
});

// copying; on plain http the browser's own clipboard is not to be had
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  }
  const word = button.querySelector("[data-word]");
  const before = word.textContent;
  if (before === button.dataset.done) return;
  word.textContent = button.dataset.done;
  setTimeout(() => {
    word.textContent = before;
  }, 2000);
});
