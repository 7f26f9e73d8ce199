// Light, dark, or as the system has it.

import { announce, h } from "./dom.js";

const NAMES = [["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]];
const STORED = "vault-theme";

function stored() {
  try {
    const name = localStorage.getItem(STORED);
    return NAMES.some(([known]) => known === name) ? name : "auto";
  } catch {
    return "auto";
  }
}

function apply(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

/** Puts the switch in its place. */
export function themeSwitch(place) {
  apply(stored());
  const buttons = NAMES.map(([name, label]) => h("button", {
    type: "button", class: "button", "aria-pressed": String(name === stored()), "data-name": name,
    onclick: () => {
      try {
        localStorage.setItem(STORED, name);
      } catch {
        // For this visit, then.
      }
      apply(name);
      for (const other of buttons) other.setAttribute("aria-pressed", String(other.dataset.name === name));
      announce(`Colours: ${label}`);
    },
  }, label));
  place.replaceChildren(h("div", { class: "theme", role: "group", "aria-label": "Colours" }, buttons));
}
