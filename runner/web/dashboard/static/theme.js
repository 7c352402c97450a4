"use strict";
// Before anything is drawn: the theme that this browser chose, or the system's.
(() => {
  const themes = ["auto", "light", "dark"];
  const kept = () => {
    try {
      const name = localStorage.getItem("botrunner-theme");
      return themes.includes(name) ? name : "auto";
    } catch {
      return "auto";
    }
  };
  const apply = (name) => {
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
  };
  apply(kept());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const label = button.querySelector("span");
    const show = (name) => (label.textContent = `Theme: ${name}`);
    button.hidden = false;
    show(kept());
    button.addEventListener("click", () => {
      const next = themes[(themes.indexOf(kept()) + 1) % themes.length];
      try {
        localStorage.setItem("botrunner-theme", next);
      } catch {
        // Not remembered, but shown.
      }
      apply(next);
      show(next);
    });
  });
})();
