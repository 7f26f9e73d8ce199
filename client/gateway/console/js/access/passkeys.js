// Passkeys: add, rename, revoke.

import { passkeys } from "../api.js";
import { ask } from "../dialog.js";
import { announce, button, card, field, h, show } from "../dom.js";
import { ago, time } from "../format.js";
import { loaded } from "../panel.js";
import { problem } from "../problem.js";
import { canUsePasskeys, register } from "../webauthn.js";

function rename(passkey, reload) {
  const label = h("input", { type: "text", name: "label", value: passkey.label, required: true, maxlength: "64", autocomplete: "off" });
  return ask({
    title: "Rename the passkey",
    body: [field("Name", label)],
    yes: "Rename",
    act: async (form) => {
      await passkeys.rename(passkey.id, form.get("label").trim());
      await reload();
    },
  });
}

function revoke(passkey, only, reload) {
  return ask({
    title: `Revoke ${passkey.label}?`,
    body: [h("p", {}, "It signs in no more, and the sessions that began with it end at once."),
      only && h("p", { class: "strong" }, `It is the only one for ${passkey.rp_id}: the next sign-in there needs a pairing code.`)],
    yes: "Revoke",
    danger: true,
    act: async () => {
      await passkeys.revoke(passkey.id);
      announce(`${passkey.label} was revoked`);
      await reload();
    },
  });
}

function line(passkey, all, reload) {
  const only = all.filter((other) => other.rp_id === passkey.rp_id).length === 1;
  return h("li", { "data-passkey": passkey.id },
    h("div", { class: "grow" }, h("p", { class: "strong" }, passkey.label),
      h("p", { class: "muted small" }, `${passkey.rp_id} · added ${time(passkey.created)} · last used ${ago(passkey.last_used)}`)),
    h("div", { class: "row" },
      button("Rename", () => rename(passkey, reload), "quiet", { "aria-label": `Rename ${passkey.label}` }),
      button("Revoke", () => revoke(passkey, only, reload), "quiet risky", { "aria-label": `Revoke ${passkey.label}` })));
}

/** The card with them. */
export function passkeysCard({ status, signedIn }) {
  const failure = h("div", {});
  const [place, reload] = loaded(async () => {
    const list = await passkeys.list();
    if (list.length === 0) return h("p", { class: "muted" }, "There is none yet.");
    return h("ul", { class: "list", id: "passkeys" }, list.map((passkey) => line(passkey, list, reload)));
  });
  const add = button("Add a passkey", async () => {
    show(failure);
    try {
      const { passkey, session } = await register();
      announce(`${passkey.label} was added`);
      // Whoever was let in without a session has one now.
      if (session) await signedIn();
      else await reload();
    } catch (error) {
      show(failure, problem(error));
    }
  }, "main", { id: "add-passkey" });
  const possible = status.rp_id && canUsePasskeys();
  return card("Passkeys", possible && add, failure, place);
}
