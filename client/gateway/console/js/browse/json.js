// JSON, to be read.

import { h } from "../dom.js";

// What is deeper or longer stays closed, or is cut, so that no document can hold the page up.
const OPEN_DEPTH = 2;
const LONGEST = 500;

const quoted = (text) => JSON.stringify(text);

function scalar(value) {
  return h("span", { class: typeof value === "string" ? "text" : "literal" }, quoted(value));
}

function member(key, value, depth) {
  const name = key === null ? null : [h("span", { class: "key" }, typeof key === "number" ? String(key) : quoted(key)), ": "];
  if (value === null || typeof value !== "object") return h("div", {}, name, scalar(value));
  const entries = Array.isArray(value) ? value.map((item, index) => [index, item]) : Object.entries(value);
  const [left, right] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return h("div", {}, name, left + right);
  const inside = h("div", { class: "members" });
  const fill = () => {
    if (inside.childElementCount > 0) return;
    inside.append(...entries.slice(0, LONGEST).map(([innerKey, item]) => member(innerKey, item, depth + 1)));
    if (entries.length > LONGEST) inside.append(h("div", { class: "muted" }, `… ${entries.length - LONGEST} more`));
  };
  const details = h("details", { open: depth < OPEN_DEPTH }, h("summary", {}, name, `${left} ${entries.length} ${right}`), inside);
  if (details.open) fill();
  details.addEventListener("toggle", () => { if (details.open) fill(); });
  return details;
}

/** A value as a tree that opens and closes. */
export function jsonView(body) {
  if (typeof body === "string") return h("pre", { class: "json", tabindex: "0" }, body);
  return h("div", { class: "json mono", tabindex: "0", role: "region", "aria-label": "JSON" }, member(null, body, 0));
}
