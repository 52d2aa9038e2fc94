// What every page does: the theme switch, the menu on small screens, fresh times, chosen rows, questions before deeds.
"use strict";

const root = document.documentElement;

document.querySelector("[data-theme-switch]")?.addEventListener("click", (event) => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // it holds for this page only
  }
  const { keptAt, token } = event.currentTarget.dataset; // where it is kept with the person
  if (keptAt) {
    const body = new URLSearchParams({ theme: next, csrf_token: token });
    fetch(keptAt, { method: "POST", body, headers: { "X-Requested-With": "fetch" } }).catch(() => {});
  }
});

const menu = document.querySelector("[data-menu]");
menu?.addEventListener("click", () => {
  const open = document.body.classList.toggle("menu-open");
  menu.setAttribute("aria-expanded", String(open));
});
document.querySelector("[data-menu-close]")?.addEventListener("click", () => document.body.classList.remove("menu-open"));

// "/" goes to the search, as in most consoles
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, textarea, select")) return;
  const search = document.querySelector("[data-search]");
  if (search) {
    event.preventDefault();
    search.focus();
  }
});

const RELATIVE_FOR = 36 * 3600;

const ago = new Intl.RelativeTimeFormat(root.lang, { style: "short", numeric: "always" });

function relative(seconds) {
  const minutes = seconds / 60;
  return Math.abs(minutes) < 90 ? ago.format(Math.sign(minutes) * Math.max(1, Math.round(Math.abs(minutes))), "minute")
    : ago.format(Math.round(minutes / 60), "hour");
}

function freshen() {
  for (const time of document.querySelectorAll("time[data-date]")) {
    const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
    if (Math.abs(seconds) < 45) continue; // "just now", as the page says it
    const text = Math.abs(seconds) < RELATIVE_FOR ? relative(seconds) : time.dataset.date;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(freshen, 20000);

// chosen rows: the bar of actions shows how many
function count(form) {
  const boxes = [...form.querySelectorAll("input[data-row]")];
  const ticked = boxes.filter((box) => box.checked);
  const chosen = ticked.length;
  for (const button of form.querySelectorAll("button[data-fits]")) { // only what the state of the chosen ones allows
    const fits = ticked.filter((box) => button.dataset.fits.split(" ").includes(box.dataset.row)).length;
    button.hidden = fits === 0;
    button.querySelector("[data-part]").textContent = fits < chosen ? ` (${fits})` : "";
  }
  const bar = form.querySelector("[data-chosen]");
  if (bar) bar.hidden = chosen === 0;
  const said = form.querySelector("[data-count]");
  if (said) said.textContent = String(chosen);
  const all = form.querySelector("input[data-all]");
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-rows]");
  if (!form) return;
  if (event.target.matches("input[data-all]")) {
    for (const box of form.querySelectorAll("input[data-row]")) box.checked = event.target.checked;
  }
  count(form);
});
for (const form of document.querySelectorAll("form[data-rows]")) count(form);

// a message that is longer than its cell opens on a click or by Enter
document.addEventListener("click", (event) => {
  const message = event.target.closest(".message");
  if (message && !getSelection().toString()) message.classList.toggle("open");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches(".message")) event.target.classList.toggle("open");
});
for (const message of document.querySelectorAll(".message")) {
  if (message.scrollHeight > message.clientHeight + 1) message.tabIndex = 0;
}

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const question = button?.dataset.confirm || event.target.dataset.confirm;
  if (question && !confirm(question)) {
    event.preventDefault();
    return;
  }
  if (button?.dataset.wait) {
    button.setAttribute("aria-busy", "true");
    button.querySelector("[data-word]").textContent = button.dataset.wait;
  }
});

// a filter list sends its form when changed
document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-send]")) event.target.form.requestSubmit();
});

// what is sent may be a choice of its own: language, theme
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-choose]")) event.target.form.requestSubmit();
});

// the connection to the host: its loss is said at the top of the page, and its return
const lost = document.querySelector("[data-lost]");
const unsent = document.querySelector("[data-unsent]"); // said besides where a form could not be sent
const back = document.querySelector("[data-back]");
let away = false;

function reached(yes) {
  if (away === !yes) return;
  away = !yes;
  if (!lost) return;
  lost.hidden = yes;
  if (yes && !unsent.hidden) {
    unsent.hidden = true;
    back.hidden = false;
  }
}

// whether the host answers; a small file is asked for, past the browser's own copy
async function probe() {
  try {
    const answer = await fetch(document.querySelector("link[rel=icon]").href, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(8000) });
    reached(answer.status < 502);
  } catch {
    reached(false);
  }
  return !away;
}
setInterval(() => {
  if (away) probe();
}, 3000);

// a long form whose host is away would be lost with its page: the host is asked before it is sent
const cleared = new WeakSet();
const probing = new WeakSet();
addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    const button = event.submitter;
    if (form.getAttribute("method") !== "post" || cleared.has(form) || (!away && !form.matches("[data-guard]"))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (probing.has(form)) return;
    probing.add(form);
    const there = await probe();
    probing.delete(form);
    if (back) back.hidden = true;
    if (there) {
      cleared.add(form);
      form.requestSubmit(button);
      cleared.delete(form);
    } else if (lost) {
      (form.closest("dialog") || document.getElementById("main")).prepend(lost, back);
      unsent.hidden = false;
    }
  },
  true,
);

// asks the host for JSON; undefined while it is away. Others use it too: window.host.ask
async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { ...options, headers: { "X-Requested-With": "fetch", ...options.headers } });
  } catch {
    reached(false);
    return undefined;
  }
  if (answer.status === 401) {
    location.reload();
    return undefined;
  }
  reached(answer.status < 502);
  return answer.ok ? answer.json() : undefined;
}
window.host = { ask, reached };

// live parts: asked again every few seconds while the page is looked at
for (const part of document.querySelectorAll("[data-poll]")) {
  let mark = "";
  const look = async () => {
    if (document.hidden || part.querySelector(".message.open, [open]") || part.contains(document.activeElement)) return;
    const told = await ask(part.dataset.poll);
    if (told && told.mark !== mark) {
      mark = told.mark;
      part.innerHTML = told.html;
    }
  };
  setInterval(look, Number(part.dataset.every || 5) * 1000);
}
window.addEventListener("offline", probe);
window.addEventListener("online", probe);

// where tabs are wider than the window, the one that is shown is in sight
for (const tab of document.querySelectorAll(".tabs a[aria-current]")) {
  const bar = tab.parentElement;
  const over = tab.getBoundingClientRect().right - bar.getBoundingClientRect().right;
  if (over > 0) bar.scrollLeft = over + 48;
}
