// A record's calls are fetched when its line is opened; typing a number chooses its radio button.
"use strict";

document.addEventListener("toggle", async (event) => {
  const details = event.target;
  if (!details.open || !details.dataset?.load || details.dataset.loaded) return;
  details.dataset.loaded = "yes";
  try {
    const answer = await fetch(details.dataset.load);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const sent = page.querySelector("[data-sent]");
    if (sent) details.querySelector("[data-inside]").replaceChildren(document.importNode(sent, true));
  } catch {
    delete details.dataset.loaded; // the link inside still leads there
  }
}, true);

for (const label of document.querySelectorAll(".ask fieldset label")) {
  const typed = label.querySelector("input:not([type=radio])");
  typed?.addEventListener("input", () => {
    label.querySelector("input[type=radio]").checked = true;
  });
}

// while it runs the part is fetched anew; when it has ended, once more as a page of its own
const watch = document.querySelector("[data-poll]");
if (watch) {
  new MutationObserver(() => {
    const now = watch.querySelector("[data-dry-run]");
    if (now && now.dataset.dryRun !== "processing") location.reload();
  }).observe(watch, { childList: true });
}
