// The blobs of a store, as thumbnails.

import { blobs } from "../api.js";
import { save } from "../archive.js";
import { announce, button, card, h, notice, show } from "../dom.js";
import { bytes, count, short, time } from "../format.js";
import { problem } from "../problem.js";
import { isPicture, picture } from "./attachment.js";

const PAGE = 48;

function thumb(store, blob, signal) {
  const type = blob.content_type || "application/octet-stream";
  const place = h("div", { class: "picture" }, h("span", { class: "small" }, type));
  const name = short(blob.ref);
  const draw = async () => {
    const content = await blobs.content(store, blob.ref, signal);
    if (!signal.aborted) show(place, picture(new Blob([content], { type }), `Blob ${name}`, signal));
  };
  if (isPicture(type, blob.size)) whenSeen(place, signal, draw);
  return h("li", { class: "thumb" }, place,
    h("div", { class: "small" }, h("code", { title: blob.ref }, name), h("p", { class: "muted", title: time(blob.created) }, bytes(blob.size))),
    button("Save", async () => save(await blobs.content(store, blob.ref), blob.ref), "quiet", { "aria-label": `Save ${name}` }));
}

/** Fetches what is looked at, and no more. */
function whenSeen(element, signal, act) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    act().catch(() => { if (!signal.aborted) show(element, h("span", { class: "small" }, "It cannot be read.")); });
  }, { rootMargin: "200px" });
  watch.observe(element);
  signal.addEventListener("abort", () => watch.disconnect(), { once: true });
}

/** The card with them; each page is added below the last. */
export function blobsView(store, signal) {
  const grid = h("ul", { class: "thumbs", id: "blobs" });
  const told = h("p", { class: "muted small" }, "Loading…");
  const failure = h("div", {});
  const damage = h("div", { class: "stack tight" });
  const more = button("Show more", load, "", { hidden: true });
  let after = null;
  async function load() {
    show(failure);
    try {
      const { blobs: page, damaged, next } = await blobs.list(store, { after, limit: PAGE });
      grid.append(...page.map((blob) => thumb(store, blob, signal)));
      show(damage, damaged.map((what) => notice("bad", h("p", {}, what))));
      after = next;
      more.hidden = !next;
      told.textContent = `${count(grid.childElementCount, "blob")}${next ? " so far" : ""}`;
      announce(told.textContent);
    } catch (error) {
      show(failure, problem(error));
    }
  }
  load();
  return card("Blobs", told, damage, grid, failure, h("div", {}, more));
}
