// Copies what is shown once. Without a clipboard (plain HTTP) the button stays hidden.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const lines = [...source.querySelectorAll("li")].map((one) => one.textContent);
    const said = button.parentElement.querySelector("[data-copy-said]");
    try {
      await navigator.clipboard.writeText(lines.length ? lines.join("\n") : source.textContent.trim());
      if (said) said.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(source);
    }
  });
}
