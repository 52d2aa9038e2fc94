// The cron line in words and its next runs while it is typed; presets; ends that fit each other; a name to begin with.
"use strict";

for (const preview of document.querySelectorAll("[data-cron-preview]")) {
  const form = preview.closest("form");
  const line = form.elements.cron;
  const zone = form.elements.timezone;
  const presets = form.querySelector("[data-presets]");
  let waiting = 0;
  let latest = 0;
  let shown = preview.innerHTML;

  const mark = () => {
    const wrong = preview.querySelector("[data-wrong]")?.dataset.wrong;
    line.setAttribute("aria-invalid", String(wrong === "cron"));
    zone.setAttribute("aria-invalid", String(wrong === "timezone"));
    // what the host said when the form was sent is said here, once
    const field = wrong === "timezone" ? zone.closest("[data-field]") : null;
    for (const old of zone.closest("[data-field]").querySelectorAll("p.error")) if (field || !wrong) old.remove();
    for (const button of presets.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.preset === line.value.trim()));
    }
  };

  const ask = async () => {
    const mine = ++latest;
    const address = new URL(preview.dataset.cronPreview, location.href);
    address.searchParams.set("cron", line.value);
    address.searchParams.set("timezone", zone.value);
    const told = await window.host.ask(address);
    if (!told || mine !== latest) return;
    if (told.html !== shown) {
      shown = told.html;
      preview.innerHTML = told.html;
    }
    mark();
  };

  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 200);
  };
  line.addEventListener("input", soon);
  zone.addEventListener("input", soon);
  presets.hidden = false;
  presets.addEventListener("click", (event) => {
    const button = event.target.closest("[data-preset]");
    if (!button) return;
    line.value = button.dataset.preset;
    line.dispatchEvent(new Event("input", { bubbles: true }));
    mark();
  });

  // a first profile begins in the zone of the one who makes it
  if (zone.hasAttribute("data-own-zone")) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (own && own !== zone.value && [...zone.list.options].some((option) => option.value === own)) {
      zone.value = own;
      ask();
    }
  }
  mark();
}

for (const form of document.querySelectorAll("form[data-new-profile]")) {
  const { entity, from, to, name } = form.elements;
  const suggested = JSON.parse(name.dataset.suggest || "{}");
  const usual = JSON.parse(form.dataset.usual || "{}");
  const kind = () => `${entity.value}/${form.querySelector("[name=direction]:checked")?.value}`;
  let own = Boolean(name.value);
  // from and to follow the direction until somebody chooses them
  let ends = String(usual[kind()] || ",") !== `${from.value},${to.value}`;

  // only what the chosen connections can do together stays to be chosen
  const fit = () => {
    for (const [select, other] of [[from, to], [to, from]]) {
      for (const option of select.options) {
        if (!option.value) continue;
        option.disabled = (entity.value && !option.dataset.can.split(" ").includes(entity.value)) || option.value === other.value;
      }
      if (select.selectedOptions[0]?.disabled) select.value = "";
      const left = [...select.options].filter((option) => option.value && !option.disabled);
      if (!select.value && left.length === 1) select.value = left[0].value;
    }
  };
  const suggest = () => {
    if (own) return;
    name.value = suggested[kind()] || "";
  };
  // a source knows how often it is usually read; a line that somebody typed stays
  const crons = JSON.parse(form.dataset.crons || "{}");
  const line = form.elements.cron;
  let usualLine = line.value;
  const often = () => {
    const known = crons[`${entity.value}/${from.value}`];
    if (!known || line.value !== usualLine || known === line.value) return;
    usualLine = line.value = known;
    line.dispatchEvent(new Event("input", { bubbles: true }));
  };
  name.addEventListener("input", () => {
    own = Boolean(name.value);
  });
  form.addEventListener("change", (event) => {
    if (event.target === name) return;
    if (event.target === from || event.target === to) ends = true;
    else if (!ends && usual[kind()]) [from.value, to.value] = usual[kind()];
    fit();
    fit(); // what the other end gave up may be free for this one
    suggest();
    if ([entity, from, to].includes(event.target) || event.target.name === "direction") often();
  });
  fit();
  suggest();
}
