// Before the page is painted: the theme that this browser chose, else what the system prefers.
(() => {
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // no storage: the system's preference holds
  }
})();
