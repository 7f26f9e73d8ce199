// Something that is shown once, with a button that copies it.

import { announce, button, h } from "./dom.js";

/** `text` in a box, to be selected or copied. */
export function secretBox(text, label, kind = "") {
  const shown = h("code", { tabindex: "0", "aria-label": label }, text);
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
      announce("Copied");
    } catch {
      getSelection().selectAllChildren(shown);
      announce("Selected. Copy it with the keyboard.");
    }
  });
  return h("div", { class: `secret ${kind}` }, shown, copy);
}
