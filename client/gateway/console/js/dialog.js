// Questions to the person, in the browser's own dialog: it keeps the focus inside, and gives it back.

import { h, show } from "./dom.js";
import { problem } from "./problem.js";

/**
 * Asks, and does it when the answer is yes. A failure is shown in the dialog, which stays open.
 * @param {{title: string, body?: unknown[], yes: string, danger?: boolean, typed?: string, act: (form: FormData) => Promise<unknown>}} question
 *   `typed` is a word to be typed before the answer can be yes.
 * @returns {Promise<boolean>} whether it was done
 */
export function ask({ title, body = [], yes, danger = false, typed, act }) {
  return new Promise((resolve) => {
    const failure = h("div", {});
    const confirm = h("button", { type: "submit", class: `button ${danger ? "danger" : "main"}`, disabled: Boolean(typed) }, yes);
    const cancel = h("button", { type: "button", class: "button" }, "Cancel");
    const word = typed && h("input", { type: "text", id: "typed-word", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    const form = h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, title), ...body,
      word && h("div", { class: "field" }, h("label", { for: "typed-word" }, "Type ", h("code", { class: "code" }, typed), " to go on"), word),
      failure, h("div", { class: "row" }, cancel, confirm));
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    let done = false;
    cancel.addEventListener("click", () => dialog.close());
    word?.addEventListener("input", () => { confirm.disabled = word.value.trim() !== typed; });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (confirm.disabled) return;
      confirm.disabled = true;
      show(failure);
      try {
        await act(new FormData(form));
        done = true;
        dialog.close();
      } catch (error) {
        show(failure, problem(error));
        confirm.disabled = false;
      }
    });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(done); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Closes what is asked and told: it belongs to what is left. */
export function dismiss() {
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
}

/** Shows a failure that nothing else has a place for. */
export function tell(error) {
  const close = h("button", { type: "submit", class: "button main" }, "Close");
  const dialog = h("dialog", { "aria-labelledby": "told-title" },
    h("form", { method: "dialog" }, h("h2", { id: "told-title" }, "That did not work"), problem(error), h("div", { class: "row" }, close)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
