/* Light or dark, for the gallery and the rooms: the address decides (?theme=), then the visitor's last choice, then
   the system. Runs before the page is drawn. */
(() => {
  "use strict";
  const KEY = "theorem-bench-theme";
  const names = ["light", "dark"];
  const room = document.currentScript.dataset.room !== undefined;
  const realMatchMedia = window.matchMedia.bind(window);
  const system = realMatchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const explicit = () => {
    const asked = new URL(location.href).searchParams.get("theme");
    return [asked, kept()].find((name) => names.includes(name)) ?? null;
  };
  const current = () => explicit() ?? (system.matches ? "dark" : "light");

  const address = (theme) => {
    const url = new URL(location.href);
    url.searchParams.set("theme", theme);
    return url;
  };

  const show = () => { document.documentElement.dataset.theme = current(); };
  show();
  system.addEventListener("change", show);

  if (room) {
    /* The notebook reads the theme from its address; marimo itself follows the system, so the system says the same. */
    history.replaceState(history.state, "", address(current()));
    const theme = current();
    window.matchMedia = (query) => {
      if (!/prefers-color-scheme/.test(query)) return realMatchMedia(query);
      const matches = query.includes(theme);
      const silent = () => {};
      return {
        matches, media: query, onchange: null, addEventListener: silent, removeEventListener: silent,
        addListener: silent, removeListener: silent, dispatchEvent: () => true,
      };
    };
  }

  document.addEventListener("click", (event) => {
    const found = event.composedPath().find((node) => node instanceof Element && node.matches("[data-theme-switch]"));
    if (!found) return;
    event.preventDefault();
    const next = current() === "dark" ? "light" : "dark";
    try { localStorage.setItem(KEY, next); } catch { /* private window: the address still carries it */ }
    if (room) {
      location.assign(address(next));
    } else {
      history.replaceState(history.state, "", address(next));
      show();
      document.dispatchEvent(new CustomEvent("bench-theme", { detail: next }));
    }
  });

  window.benchTheme = { current, explicit };
})();
