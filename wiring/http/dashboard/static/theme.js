// Before anything is drawn: the theme that was chosen, or that of the system.
"use strict";
(() => {
  const root = document.documentElement;
  const chosen = localStorage.getItem("bedplate-theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
})();
