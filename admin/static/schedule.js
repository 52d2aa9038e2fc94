// Live parts that keep focus and scrolling, buttons that leave the page where it is, and small menus.
"use strict";

(() => {
  const told = document.querySelector("[data-told]");
  const region = document.createElement("p");
  region.className = "visually-hidden";
  region.setAttribute("role", "status");
  document.querySelector("main")?.append(region);

  // makes `old` look like `made`, touching only what differs
  const key = (node) => (node.nodeType === 1 ? node.dataset.key || node.id || "" : "");
  const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);

  function attributes(old, made) {
    for (const { name, value } of [...made.attributes]) {
      if (name === "class" && old.classList.contains("open")) continue; // a message that somebody opened
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (made.hasAttribute(name) || name === "style") continue;
      if (name === "open" && /^(DETAILS|DIALOG)$/.test(old.nodeName)) continue;
      old.removeAttribute(name);
    }
  }

  function morph(old, made) {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== made.nodeValue) old.nodeValue = made.nodeValue;
      return;
    }
    attributes(old, made);
    const named = new Map();
    for (const child of old.childNodes) if (key(child)) named.set(key(child), child);
    let at = old.firstChild;
    for (const next of [...made.childNodes]) {
      const kept = key(next) ? named.get(key(next)) : at && !key(at) && alike(at, next) ? at : null;
      if (kept && alike(kept, next)) {
        if (kept === at) at = at.nextSibling;
        else old.insertBefore(kept, at);
        morph(kept, next);
      } else {
        old.insertBefore(next, at);
      }
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  }

  const parts = [];
  for (const part of document.querySelectorAll("[data-live]")) {
    let mark = "";
    let busy = false;
    let heard = part.querySelector("[data-said]")?.textContent || "";
    const look = async () => {
      if (busy || document.hidden) return;
      busy = true;
      const answer = await window.host.ask(part.dataset.live).finally(() => {
        busy = false;
      });
      if (!answer || answer.mark === mark || part.querySelector(":popover-open")) return;
      mark = answer.mark;
      const made = document.createElement(part.nodeName);
      for (const { name, value } of [...part.attributes]) made.setAttribute(name, value);
      made.innerHTML = answer.html;
      const focused = document.activeElement;
      morph(part, made);
      // a row that moved loses the focus in some browsers; one that is gone gives it to its part
      if (part.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
      const said = part.querySelector("[data-said]")?.textContent || "";
      if (said !== heard) {
        heard = said;
        region.textContent = said;
      }
    };
    parts.push(look);
    setInterval(look, Number(part.dataset.every || 5) * 1000);
  }
  const freshen = () => parts.forEach((look) => look());
  document.addEventListener("visibilitychange", freshen);
  window.addEventListener("online", freshen);

  function say(answer) {
    if (!told) return;
    const line = document.createElement("div");
    line.className = `flash ${answer.tone}`;
    line.textContent = answer.said;
    told.replaceChildren(line);
  }

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-act]") || !told || event.defaultPrevented) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    const body = new URLSearchParams(new FormData(form));
    const answer = await window.host.ask(form.action, { method: "POST", body });
    delete form.dataset.busy;
    if (answer?.said) say(answer);
    freshen();
  });

  // a menu stands below its button; the browser opens it, closes it and keeps it above everything
  document.addEventListener(
    "toggle",
    (event) => {
      const menu = event.target;
      if (!menu.matches?.(".more[popover]") || event.newState !== "open") return;
      const button = document.querySelector(`[popovertarget="${menu.id}"]`).getBoundingClientRect();
      const below = button.bottom + 4 + menu.offsetHeight < innerHeight;
      menu.style.top = `${below ? button.bottom + 4 : Math.max(4, button.top - 4 - menu.offsetHeight)}px`;
      menu.style.left = `${Math.max(4, Math.min(button.right, innerWidth - 4) - menu.offsetWidth)}px`;
      menu.querySelector("a, button")?.focus();
    },
    true,
  );
  addEventListener("scroll", () => document.querySelector(".more:popover-open")?.hidePopover(), true);
})();
