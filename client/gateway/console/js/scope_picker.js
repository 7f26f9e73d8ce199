// Choosing what a token may reach.

import { choice, field, h } from "./dom.js";
import { describe } from "./scopes.js";

const PERMISSIONS = [["read", "Read"], ["write", "Read and change"], ["admin", "Administer"]];

/** A list of scopes, for reading. */
export function scopeList(scopes) {
  return h("ul", { class: "stack tight" }, scopes.map((scope) => h("li", {}, describe(scope))));
}

/** Controls for one scope, named `stores` and `permission` in their form. */
export function scopePicker(names) {
  const stores = h("input", { type: "text", name: "stores", value: "*", autocomplete: "off", autocapitalize: "off", spellcheck: "false", required: true });
  const hint = names.length > 0 ? `* for all, chat/* for those below chat, or one: ${names.slice(0, 4).join(", ")}.` : "* for all, or a store's name.";
  const radios = PERMISSIONS.map(([value, label], index) => choice(label, h("input", { type: "radio", name: "permission", value, checked: index === 0 })));
  return h("div", { class: "stack" }, field("Stores", stores, hint), h("fieldset", {}, h("legend", {}, "It may"), h("div", { class: "row" }, radios)));
}
