// The cron line in words and its next runs, while it is typed.
"use strict";

for (const preview of document.querySelectorAll("[data-cron-preview]")) {
  const form = preview.closest("form");
  const line = form.elements.cron;
  const zone = form.elements.timezone;
  let waiting = 0;
  let latest = 0;

  const item = (run) => {
    const made = document.createElement("li");
    const local = document.createElement("span");
    local.textContent = run.local;
    const utc = document.createElement("span");
    utc.className = "muted";
    utc.textContent = run.utc;
    made.append(local, utc);
    if (run.note) {
      const note = document.createElement("em");
      note.textContent = run.note;
      made.append(note);
    }
    return made;
  };

  const ask = async () => {
    const mine = ++latest;
    const query = new URLSearchParams({ cron: line.value, timezone: zone.value });
    try {
      const told = await (await fetch(`${preview.dataset.cronPreview}?${query}`)).json();
      if (mine !== latest) return;
      const words = preview.querySelector("[data-words]");
      words.textContent = told.problem || told.words || told.error || "";
      words.classList.toggle("bad", Boolean(told.problem));
      line.setAttribute("aria-invalid", String(Boolean(told.problem)));
      preview.querySelector("[data-runs]").replaceChildren(...(told.runs || []).map(item));
    } catch {
      // the host is away for a moment; the line is checked again when it is saved
    }
  };

  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 200);
  };
  line.addEventListener("input", soon);
  zone.addEventListener("input", soon);
  ask();
}
