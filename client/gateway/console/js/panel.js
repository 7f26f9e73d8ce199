// What every panel is made of: a heading that takes the focus, and parts that load by themselves.

import { h, show } from "./dom.js";
import { problem } from "./problem.js";

/** Begins a panel in `main`: its heading takes the focus, so that a screen reader reads on from there. */
export function begin(main, title, intro, { quietly = false } = {}) {
  const heading = h("h1", { tabindex: "-1" }, title);
  show(main, h("div", { class: "stack tight" }, heading, intro && h("p", { class: "muted" }, intro)));
  document.title = `${title} · Vault`;
  if (!quietly) heading.focus({ preventScroll: true });
  window.scrollTo(0, 0);
  return heading;
}

/**
 * A part that is filled by `load`, and again by the function that comes back with it.
 * @returns {[HTMLElement, () => Promise<void>]}
 */
export function loaded(load) {
  const place = h("div", { class: "stack", "aria-busy": "true" }, h("p", { class: "muted" }, "Loading…"));
  // The last one to begin is the one that shows.
  let newest = 0;
  const reload = async () => {
    newest += 1;
    const mine = newest;
    let content;
    try {
      content = await load();
    } catch (error) {
      content = problem(error);
    }
    if (mine !== newest) return;
    show(place, content);
    place.setAttribute("aria-busy", "false");
  };
  reload();
  return [place, reload];
}
