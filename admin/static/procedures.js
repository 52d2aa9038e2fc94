// The form of an event procedure: statuses for a change of status only, filters that are added and removed, the test.
"use strict";

for (const form of document.querySelectorAll("form[data-procedure]")) {
  const text = form.dataset;

  // statuses are asked for where the event has them
  const event = form.elements.event;
  const statuses = form.querySelector("[data-of-status]");
  const suit = () => {
    if (statuses) statuses.hidden = !text.kinds.split(" ").includes(event.value);
  };
  event.addEventListener("change", suit);
  suit();

  // another procedure has settings of its own: the page is drawn again with what was typed
  form.querySelector("[data-redraw]")?.addEventListener("change", () => form.requestSubmit(form.querySelector("[data-redrawer]")));

  // filters: only those in use are shown, the others can be added
  const adder = form.querySelector("[data-adder]");
  const choose = adder?.querySelector("select");
  const filters = new Map([...form.querySelectorAll("[data-filter]")].map((one) => [one.dataset.filter, one]));
  const show = () => {
    for (const [code, one] of filters) {
      one.hidden = !one.hasAttribute("data-used");
      const option = choose && [...choose.options].find((each) => each.value === code);
      if (option) option.disabled = option.hidden = !one.hidden;
    }
    if (adder) adder.hidden = [...filters.values()].every((one) => !one.hidden);
  };
  choose?.addEventListener("change", () => {
    const one = filters.get(choose.value);
    choose.value = "";
    if (!one) return;
    one.setAttribute("data-used", "");
    show();
    one.querySelector("input, textarea")?.focus();
  });
  form.addEventListener("click", (clicked) => {
    const button = clicked.target.closest("[data-drop]");
    if (!button) return;
    const one = button.closest("[data-filter]");
    for (const box of one.querySelectorAll("input[type=checkbox]")) box.checked = false;
    for (const typed of one.querySelectorAll("textarea")) typed.value = "";
    one.removeAttribute("data-used");
    one.dispatchEvent(new Event("change", { bubbles: true }));
    show();
    choose?.focus();
  });
  show();

  // the test: what stands in the form is tried, nothing is saved
  const panel = document.querySelector("[data-trial-panel]");
  const result = panel.querySelector("[data-result]");
  const working = panel.querySelector("[data-working]");
  const button = form.querySelector("[data-test]");
  let testing = false;
  const outcome = async (word) => {
    for (;;) {
      const told = await window.host.ask(`${text.trial}?job=${encodeURIComponent(word)}`);
      if (told && !told.known) return undefined;
      if (told && !told.busy) return told;
      await new Promise((done) => setTimeout(done, 500));
    }
  };
  // a click, not the sending: leaving the page still asks for what was not saved
  button?.addEventListener("click", async (clicked) => {
    clicked.preventDefault();
    if (testing) return;
    testing = true;
    button.setAttribute("aria-busy", "true");
    result.replaceChildren();
    panel.hidden = working.hidden = false;
    panel.scrollIntoView({ block: "nearest" });
    const body = new FormData(form);
    body.set("do", "test");
    const asked = await window.host.ask(form.action, { method: "POST", body });
    const told = asked?.job ? await outcome(asked.job) : undefined;
    working.hidden = true;
    if (told) {
      result.innerHTML = told.html;
    } else {
      result.replaceChildren(Object.assign(document.createElement("p"), { className: "flash bad", textContent: text.lost }));
    }
    panel.scrollIntoView({ block: "nearest" });
    button.removeAttribute("aria-busy");
    testing = false;
  });
}
