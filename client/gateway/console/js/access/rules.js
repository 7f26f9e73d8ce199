// The rules in force, for whoever may administer. They are changed on the vault's machine.

import { card, facts, h, prose } from "../dom.js";

const onOff = (value) => (value ? "on" : "off");

/** The card with them; null for whoever is not told. */
export function rulesCard({ status }) {
  const rules = status.settings;
  if (!rules) return "";
  return card("Rules", null,
    facts([
      ["Sign-in", rules.require_auth ? "needed" : h("span", { class: "tag bad" }, "not needed: everybody is let in")],
      ["First passkey of an address", rules.first_pair === "code" ? "needs a code" : h("span", { class: "tag bad" }, "needs nothing, and everything is open until then")],
      ["Your own programs over loopback", rules.loopback_bypass ? "let in without a passkey" : "need a passkey or a token"],
      ["Clients on the socket", rules.strict ? "need a token" : "count as you"],
      ["Tokens in addresses (?api_token=)", onOff(rules.query_tokens)],
    ]),
    h("p", { class: "muted small" }, prose("`vaultctl auth configure` changes them.")));
}
