// A conversation, to be read.

import { button, h } from "../dom.js";
import { count, time } from "../format.js";
import { attachment } from "./attachment.js";

const AT_ONCE = 200;

function message(said, store, signal) {
  return h("article", { class: `message ${said.side}`, "aria-label": said.who },
    h("header", {}, h("span", { class: "strong" }, said.who), said.time !== null && h("time", {}, time(said.time, String(said.time)))),
    h("p", { class: "said" }, said.text),
    said.attachments.map((each) => attachment(each, store, signal)));
}

/** The conversation, so many messages at once. */
export function talk({ title, messages, attachments }, store, signal) {
  const place = h("div", { class: "talk", id: "talk" });
  const more = button("Show more", async () => add());
  let shown = 0;
  function add() {
    const next = messages.slice(shown, shown + AT_ONCE);
    place.append(...next.map((said) => message(said, store, signal)));
    shown += next.length;
    more.hidden = shown >= messages.length;
  }
  add();
  return h("div", { class: "stack" },
    h("div", {}, title && h("h3", {}, title), h("p", { class: "muted small" }, count(messages.length, "message"))),
    place, more,
    attachments.length > 0 && h("div", { class: "stack tight" }, h("h3", {}, "Attachments"), h("div", { class: "thumbs" }, attachments.map((each) => attachment(each, store, signal)))));
}
