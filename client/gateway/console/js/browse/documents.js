// The documents of a store, a page at a time.

import { stores } from "../api.js";
import { announce, busy, button, card, field, h, notice, show } from "../dom.js";
import { ago, bytes, count, time } from "../format.js";
import { problem } from "../problem.js";

const PAGE = 50;

function line(store, head) {
  const href = `#/browse/${encodeURIComponent(store)}/${encodeURIComponent(head.id)}`;
  return h("tr", {},
    h("td", {}, h("a", { href, class: "strong" }, head.id), head.awaiting_migration && [" ", h("span", { class: "tag warn" }, "awaits migration")]),
    h("td", { class: "number" }, head.revision), h("td", { class: "number" }, bytes(head.body_bytes)),
    h("td", { class: "nowrap", title: time(head.modified) }, ago(head.modified)));
}

/** The card with them; each page is added below the last. */
export function documentsView(store) {
  const rows = h("tbody", { id: "documents" });
  const head = [["Document", ""], ["Revision", "number"], ["Size", "number"], ["Changed", ""]].map(([name, kind]) => h("th", { scope: "col", class: kind }, name));
  const table = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "List of documents" }, h("table", {}, h("thead", {}, h("tr", {}, head)), rows));
  const told = h("p", { class: "muted small" }, "Loading…");
  const failure = h("div", {});
  const damage = h("div", { class: "stack tight" });
  const more = button("Show more", load, "", { hidden: true });
  const prefix = h("input", { type: "search", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const find = h("button", { type: "submit", class: "button" }, "Find");
  const search = h("form", { class: "row", role: "search" }, h("div", { class: "grow" }, field("Ids that begin with", prefix)), find);
  let after = null;
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    after = null;
    show(rows);
    show(damage);
    busy(find, load);
  });
  async function load() {
    show(failure);
    try {
      const { documents, damaged, next } = await stores.documents(store, { after, prefix: prefix.value.trim(), limit: PAGE });
      rows.append(...documents.map((document) => line(store, document)));
      damage.append(...damaged.map((what) => notice("bad", h("p", {}, what))));
      after = next;
      more.hidden = !next;
      told.textContent = `${count(rows.childElementCount, "document")}${next ? " so far" : ""}`;
      announce(told.textContent);
    } catch (error) {
      show(failure, problem(error));
    }
  }
  load();
  return card("Documents", told, search, damage, table, failure, h("div", {}, more));
}
