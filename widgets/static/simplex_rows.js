/* Each row of a transition matrix as a bar of shares. Borders between shares are sliders: drag them, or use the arrow
   keys. Python says what to show in "rows"; what the visitor makes of it goes back in "edited". */
const LEAST = 0.002;
const DIGITS = 4;

const rounded = (row) => {
  const kept = row.map((share) => Number(share.toFixed(DIGITS)));
  const largest = kept.indexOf(Math.max(...kept));
  const others = kept.reduce((sum, share, at) => (at === largest ? sum : sum + share), 0);
  kept[largest] = Number((1 - others).toFixed(DIGITS));
  return kept;
};

const element = (tag, name, attributes = {}) => {
  const made = document.createElement(tag);
  made.className = name;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

function render({ model, el }) {
  const root = element("div", "simplex");
  el.append(root);
  let rows = [];
  let bars = [];
  let busy = false;
  let sending = 0;

  const send = () => {
    if (sending) return;
    sending = requestAnimationFrame(() => {
      sending = 0;
      model.set("edited", rows.map(rounded));
      model.save_changes();
    });
  };

  const paint = (k) => {
    const { segments, handles } = bars[k];
    const names = model.get("names");
    let reached = 0;
    rows[k].forEach((share, j) => {
      const percent = `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
      segments[j].style.flexBasis = `${100 * share}%`;
      segments[j].title = `after ${names[k]}: ${names[j]} ${percent}`;
      segments[j].firstChild.textContent = share >= 0.15 ? (100 * share).toFixed(0) : "";
      segments[j].dataset.largest = String(share === Math.max(...rows[k]));
      reached += share;
      if (j < handles.length) {
        handles[j].style.left = `${100 * reached}%`;
        handles[j].setAttribute("aria-valuenow", (100 * share).toFixed(1));
        handles[j].setAttribute("aria-valuetext", `${names[j]} ${percent}`);
      }
    });
  };

  /* Move share across border j of row k; what a neighbour lacks is taken from the next one. */
  const move = (k, j, amount) => {
    const row = rows[k];
    const [from, to] = amount > 0 ? [j + 1, j] : [j, j + 1];
    const moved = Math.min(Math.abs(amount), Math.max(0, row[from] - LEAST));
    if (!moved) return;
    row[from] -= moved;
    row[to] += moved;
    paint(k);
    send();
  };

  const handle = (k, j, bar) => {
    const names = model.get("names");
    const thumb = element("span", "simplex-handle", {
      role: "slider", tabindex: "0", "aria-valuemin": "0", "aria-valuemax": "100",
      "aria-label": `border between ${names[j]} and ${names[j + 1]} after ${names[k]}`,
    });
    thumb.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      move(k, j, steps[event.key]);
    });
    thumb.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      thumb.focus();
      thumb.setPointerCapture(event.pointerId);
      busy = true;
    });
    thumb.addEventListener("pointermove", (event) => {
      if (!thumb.hasPointerCapture(event.pointerId)) return;
      const box = bar.getBoundingClientRect();
      const wanted = (event.clientX - box.left) / box.width;
      move(k, j, wanted - rows[k].slice(0, j + 1).reduce((sum, share) => sum + share, 0));
    });
    const release = () => { busy = false; };
    thumb.addEventListener("pointerup", release);
    thumb.addEventListener("pointercancel", release);
    return thumb;
  };

  /* The largest entry of a row changes places with its diagonal one, or with the next token's if it is the diagonal. */
  const turn = (k) => {
    const row = rows[k];
    const largest = row.indexOf(Math.max(...row));
    const other = largest === k ? (k + 1) % row.length : k;
    [row[largest], row[other]] = [row[other], row[largest]];
    paint(k);
    send();
  };

  const build = () => {
    rows = model.get("rows").map((row) => [...row]);
    const names = model.get("names");
    const colours = model.get("colours");
    bars = [];
    root.replaceChildren();
    rows.forEach((row, k) => {
      const line = element("div", "simplex-row");
      const label = element("span", "simplex-name");
      label.textContent = names[k];
      label.title = `what follows after ${names[k]}`;
      const bar = element("div", "simplex-bar", { role: "group", "aria-label": `what follows after ${names[k]}` });
      const segments = row.map((_, j) => {
        const segment = element("span", "simplex-share");
        segment.style.background = colours[j];
        segment.append(element("b", ""));
        bar.append(segment);
        return segment;
      });
      const handles = row.slice(1).map((_, j) => handle(k, j, bar));
      bar.append(...handles);
      const swap = element("button", "simplex-turn", {
        type: "button", title: "make the row's maximum off-diagonal, or diagonal again",
        "aria-label": `after ${names[k]}: move the row's maximum off or onto the diagonal`,
      });
      swap.textContent = "⇄";
      swap.addEventListener("click", () => turn(k));
      line.append(label, bar, swap);
      root.append(line);
      bars.push({ segments, handles });
      paint(k);
    });
    const back = element("button", "simplex-back", { type: "button" });
    back.textContent = "back to the sliders";
    back.hidden = !model.get("edited").length;
    back.addEventListener("click", () => {
      model.set("edited", []);
      model.save_changes();
    });
    root.append(back);
  };

  const refresh = () => {
    const shown = model.get("rows");
    const same = shown.length === rows.length && model.get("names").length === bars.length;
    if (!same) build();
    else if (!model.get("edited").length || (!busy && !root.querySelector(".simplex-handle:focus"))) {
      rows = shown.map((row) => [...row]);
      rows.forEach((_, k) => paint(k));
    }
    root.querySelector(".simplex-back").hidden = !model.get("edited").length;
  };
  build();
  model.on("change:rows", refresh);
  model.on("change:edited", refresh);
  model.on("change:names", build);
  model.on("change:colours", build);
  return () => {
    model.off("change:rows", refresh);
    model.off("change:edited", refresh);
    model.off("change:names", build);
    model.off("change:colours", build);
    if (sending) cancelAnimationFrame(sending);
  };
}

export default { render };
