// Before the page is painted: the theme that this person chose, else the one of this browser, else what the system prefers.
(() => {
  const root = document.documentElement;
  const chosen = root.dataset.chosen; // the server knows it: it also holds for the pages before the next login
  let theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem("theme");
    else if (chosen) localStorage.setItem("theme", chosen);
    else theme = localStorage.getItem("theme");
  } catch {
    // no storage: what the server said, or the system's preference
  }
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
