// The whole vault as a file: sealed, to keep; in the clear, to leave.

import { vault } from "./api.js";
import { ask } from "./dialog.js";
import { announce, button, card, field, h, notice } from "./dom.js";

const today = () => new Date().toISOString().slice(0, 10);

/** Hands a file to the person. */
export function save(content, name) {
  const address = URL.createObjectURL(content);
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Asks for a passphrase, and saves a backup that it seals. */
export function backUp() {
  const passphrase = (name) => h("input", { type: "password", name, required: true, minlength: "12", autocomplete: "new-password" });
  return ask({
    title: "Back up the vault",
    body: [
      h("p", {}, "One file with everything, sealed under a passphrase. Nobody can open it without, you included."),
      field("Passphrase", passphrase("first"), "12 characters at least."),
      field("The same again", passphrase("second")),
    ],
    yes: "Save the backup",
    act: async (form) => {
      if (form.get("first") !== form.get("second")) throw new Error("The two are not the same.");
      announce("The backup is being made");
      save(await vault.backup(form.get("first")), `vault-${today()}.tar.zst.age`);
      announce("The backup was saved");
    },
  });
}

function exportPlaintext() {
  return ask({
    title: "Export everything in the clear?",
    body: [notice("bad", h("p", {}, "The file is not encrypted. Whoever gets it reads every conversation, document and attachment in it, and so does every program that sees your downloads.")),
      h("p", {}, "To keep a copy, make a backup instead: it is sealed.")],
    yes: "Export in the clear",
    danger: true,
    typed: "plaintext",
    act: async () => {
      announce("The export is being made");
      save(await vault.exportPlaintext(), `vault-${today()}-plaintext.tar`);
      announce("The export was saved");
    },
  });
}

/** The card with both. */
export function archiveCard() {
  return card("Take it with you", null,
    h("p", {}, "A backup is sealed and can be restored. A plaintext export is an ordinary tar file that any program reads."),
    h("div", { class: "row" }, button("Back up", backUp), button("Export plaintext", exportPlaintext, "", { id: "export-plaintext" })));
}
