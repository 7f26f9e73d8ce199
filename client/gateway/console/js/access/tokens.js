// Tokens: create one, which is shown once, and revoke.

import { stores, tokens } from "../api.js";
import { secretBox } from "../clipboard.js";
import { ask } from "../dialog.js";
import { announce, button, card, field, h, notice, show } from "../dom.js";
import { ago, time } from "../format.js";
import { loaded } from "../panel.js";
import { scopeList, scopePicker } from "../scope_picker.js";

const DAY = 86_400;
const LIFETIMES = [[30 * DAY, "30 days"], [DAY, "1 day"], [90 * DAY, "90 days"], [365 * DAY, "1 year"], ["", "Until it is revoked"]];

async function create(shown, reload, signal) {
  // Only to help with the names: without them it works as well.
  const known = await stores.list(signal).catch(() => []);
  if (signal.aborted) return;
  const label = h("input", { type: "text", name: "label", required: true, maxlength: "64", autocomplete: "off" });
  const lifetime = h("select", { name: "lifetime" }, LIFETIMES.map(([seconds, name]) => h("option", { value: seconds }, name)));
  const done = await ask({
    title: "New token",
    body: [field("Name", label, "What it is for, such as “nightly backup”."), scopePicker(known.map((store) => store.name)), field("It expires after", lifetime)],
    yes: "Create",
    act: async (form) => {
      const scope = { stores: form.get("stores").trim(), permission: form.get("permission") };
      const seconds = form.get("lifetime");
      const { token, secret } = await tokens.create({
        label: form.get("label").trim(), scopes: [scope], ...(seconds ? { lifetime_seconds: Number(seconds) } : {}),
      });
      show(shown, notice("good",
        h("p", { class: "strong" }, `The token ${token.label}. Copy it now: it is shown this once, and only its hash is kept.`),
        secretBox(secret, "The token"),
        h("div", {}, button("I have it", async () => show(shown), "quiet"))));
      announce("The token was created. Copy it now.");
      await reload();
    },
  });
  if (done) shown.querySelector("code").focus();
}

function revoke(token, reload) {
  return ask({
    title: `Revoke ${token.label}?`,
    body: [h("p", {}, "Programs that use it are refused at once.")],
    yes: "Revoke",
    danger: true,
    act: async () => {
      await tokens.revoke(token.id);
      announce(`${token.label} was revoked`);
      await reload();
    },
  });
}

function line(token, reload) {
  return h("li", { "data-token": token.id },
    h("div", { class: "grow" },
      h("div", { class: "row" }, h("span", { class: "strong" }, token.label), token.expired && h("span", { class: "tag bad" }, "expired")),
      scopeList(token.scopes),
      h("p", { class: "muted small" }, `created ${time(token.created)} · last used ${ago(token.last_used)} · expires ${time(token.expires)}`)),
    button("Revoke", () => revoke(token, reload), "quiet risky", { "aria-label": `Revoke ${token.label}` }));
}

/** The card with them. */
export function tokensCard({ signal }) {
  const shown = h("div", {});
  const [place, reload] = loaded(async () => {
    const list = await tokens.list();
    if (list.length === 0) return h("p", { class: "muted" }, "No program has a token.");
    return h("ul", { class: "list", id: "tokens" }, list.map((token) => line(token, reload)));
  });
  return card("Tokens", button("New token", () => create(shown, reload, signal), "main", { id: "new-token" }), shown, place);
}
