// An attachment: a picture where it is one, and a file to save.

import { blobs } from "../api.js";
import { save } from "../archive.js";
import { button, h, show } from "../dom.js";
import { bytes } from "../format.js";
import { problem } from "../problem.js";

// What is pixels and nothing else, SVG not among them; its type is the one we say, never one the content claims.
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const LARGEST_PICTURE = 20 << 20;

/** Whether content of this type can be shown as a picture. */
export const isPicture = (type, size) => PICTURES.has(type) && (size ?? 0) <= LARGEST_PICTURE;

/** An image out of content, whose address ends with the panel. */
export function picture(content, name, signal) {
  const address = URL.createObjectURL(content);
  signal.addEventListener("abort", () => URL.revokeObjectURL(address), { once: true });
  return h("img", { src: address, alt: name });
}

function inline(data, type) {
  try {
    return new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], { type });
  } catch {
    return null;
  }
}

/** An attachment of a conversation; `store` is the one of its blobs. */
export function attachment({ name, type, ref, data, size }, store, signal) {
  const place = h("div", { class: "picture" }, type);
  const fetched = async () => {
    if (data !== null) return inline(data, type);
    return ref === null ? null : new Blob([await blobs.content(store, ref, signal)], { type });
  };
  const load = async () => {
    try {
      const content = await fetched();
      if (content !== null && !signal.aborted) show(place, picture(content, name, signal));
    } catch (error) {
      if (!signal.aborted) show(place, problem(error));
    }
  };
  if (isPicture(type, size)) load();
  return h("figure", { class: "thumb" }, place,
    h("figcaption", { class: "small" }, name, size !== null && h("span", { class: "muted" }, ` ${bytes(size)}`)),
    button("Save", async () => {
      const content = await fetched();
      if (content !== null) save(content, name);
    }, "quiet", { "aria-label": `Save ${name}` }));
}
