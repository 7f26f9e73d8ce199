// The panel Browse: stores, and what is in them.

import { stores } from "./api.js";
import { blobsView } from "./browse/blobs.js";
import { documentView } from "./browse/document.js";
import { documentsView } from "./browse/documents.js";
import { card, h, notice, prose } from "./dom.js";
import { bytes, count } from "./format.js";
import { begin, loaded } from "./panel.js";

const WORDS = { documents: "document", blobs: "blob", files: "file", secrets: "secret", database: "database" };
const OTHERWISE = {
  database: "A database is read with SQL: `vaultctl db shell`.",
  files: "Files are ordinary files in the folder of the vault: `vaultctl file ls`.",
  secrets: "Secrets are never shown here: `vaultctl secret get` prints one on the vault's machine.",
};

/** Where a store or an object is shown. */
export const address = (...parts) => `#/browse${parts.map((part) => `/${encodeURIComponent(part)}`).join("")}`;

function crumbs(parts) {
  const links = [["Stores", address()], ...parts.map((part, index) => [part, address(...parts.slice(0, index + 1))])];
  return h("nav", { "aria-label": "Where this is" }, h("ol", { class: "crumbs" }, links.map(([name, href], index) =>
    h("li", {}, index === links.length - 1 ? h("span", { "aria-current": "page" }, name) : h("a", { href }, name)))));
}

function storeLine(store) {
  return h("li", {},
    h("a", { class: "entry grow", href: address(store.name) },
      h("span", { class: "strong" }, store.name),
      h("p", { class: "muted small" }, `${count(store.documents, WORDS[store.kind] ?? "object")} · ${bytes(store.body_bytes)}`)),
    store.plain && h("span", { class: "tag" }, "plain on purpose"),
    store.awaiting_migration > 0 && h("span", { class: "tag warn" }, `${store.awaiting_migration} await migration`),
    store.damaged && h("span", { class: "tag bad" }, "damaged"));
}

function storesView(main) {
  begin(main, "Browse", "What is in the vault, opened for you alone.");
  const [place] = loaded(async () => {
    const list = await stores.list();
    if (list.length === 0) return [h("p", {}, "There are no stores yet."), h("pre", { class: "command", tabindex: "0" }, "vaultctl import chat/conversations export.json")];
    return h("ul", { class: "list", id: "stores" }, list.map(storeLine));
  });
  main.append(card("Stores", null, place));
}

/** Shows the panel: the stores, one of them, or an object of it. */
export async function browsePanel(main, { signal, path }) {
  const [name, id] = path;
  if (name === undefined) return storesView(main);
  begin(main, id ?? name, null);
  main.prepend(crumbs(path));
  if (id !== undefined) {
    const view = await documentView(name, id, signal);
    // Whoever has left, or was signed out, is not shown it any more.
    if (!signal.aborted) main.append(view);
    return undefined;
  }
  const store = (await stores.list(signal)).find((candidate) => candidate.name === name);
  if (signal.aborted) return undefined;
  if (store === undefined) main.append(notice("warn", h("p", {}, "There is no such store.")));
  else if (store.kind === "documents") main.append(documentsView(name));
  else if (store.kind === "blobs") main.append(blobsView(name, signal));
  else main.append(card("Elsewhere", null, h("p", {}, prose(OTHERWISE[store.kind] ?? "This kind of store is not shown here."))));
  return undefined;
}
