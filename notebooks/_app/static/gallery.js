/* Search, links that keep the theme, and verdicts that arrive while the page is open. */
(() => {
  "use strict";
  const box = document.getElementById("search");
  const nothing = document.getElementById("nothing");
  const news = document.getElementById("news");
  const cards = [...document.querySelectorAll(".card")];

  /* --- search --- */
  const filter = () => {
    const terms = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const own = card.dataset.search;
      const rows = [...card.querySelectorAll(".list li")];
      const hit = (text) => terms.every((term) => text.includes(term));
      const hits = rows.filter((row) => hit(row.dataset.search) || hit(`${own} ${row.dataset.search}`) && !hit(own));
      const visible = hit(own) || hits.length > 0;
      card.hidden = !visible;
      shown += visible;
      const narrow = terms.length > 0 && hits.length > 0;
      card.querySelector("details").open = narrow;
      for (const row of rows) row.hidden = narrow && !hits.includes(row);
    }
    nothing.hidden = shown > 0;
    nothing.querySelector("q").textContent = box.value.trim();
    if (terms.length) news.textContent = shown === 1 ? "1 room matches" : `${shown} rooms match`;
  };
  const clear = () => { box.value = ""; filter(); box.focus(); };
  box.addEventListener("input", filter);
  box.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const only = cards.filter((card) => !card.hidden);
    if (box.value.trim() && only.length === 1) location.assign(only[0].querySelector("h2 a").href);
  });
  document.getElementById("clear").addEventListener("click", clear);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== box && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      box.focus();
    } else if (event.key === "Escape" && document.activeElement === box) {
      clear();
    }
  });

  /* --- rooms open in the theme chosen here --- */
  const carry = () => {
    const theme = window.benchTheme.explicit();
    for (const link of document.querySelectorAll(".card a")) {
      if (link.origin !== location.origin || !theme) continue;
      const url = new URL(link.href);
      url.searchParams.set("theme", theme);
      link.href = url;
    }
  };
  carry();
  document.addEventListener("bench-theme", carry);

  /* --- verdicts and pictures --- */
  const update = (state) => {
    for (const [claim, verdict] of Object.entries(state.verdicts)) {
      const { status, sign, word, explanation } = verdict;
      const paint = (dot) => {
        dot.className = `dot ${status}`;
        dot.querySelector(".sign").textContent = sign;
      };
      for (const dot of document.querySelectorAll(`.dots [data-claim="${claim}"]`)) {
        paint(dot);
        dot.querySelector(".unseen").textContent = `${dot.dataset.title}: ${word}`;
        dot.title = `${dot.dataset.title}: ${word}. ${explanation}`;
      }
      for (const row of document.querySelectorAll(`.list [data-claim="${claim}"]`)) {
        paint(row.querySelector(".dot"));
        row.querySelector(".word").textContent = word;
        row.title = explanation;
      }
    }
    for (const card of cards) {
      card.querySelector(".tally").textContent = state.tallies[card.dataset.room];
      if (state.pictures.includes(card.dataset.room) && !card.dataset.drawn) {
        card.dataset.drawn = "yes";
        for (const image of card.querySelectorAll(".picture img")) image.src = `${image.getAttribute("src")}&drawn=1`;
      }
    }
  };
  let pause = 500;
  const poll = async () => {
    try {
      const answer = await fetch("/status.json", { cache: "no-store" });
      if (!answer.ok) return;
      const state = await answer.json();
      update(state);
      if (state.done) return;
    } catch {
      pause = 5000;
    }
    pause = Math.min(pause * 1.2, 4000);
    setTimeout(poll, pause);
  };
  poll();
})();
