// A document: as a conversation where it is one, and as JSON.

import { stores } from "../api.js";
import { button, card, facts, h, show } from "../dom.js";
import { conversation } from "../conversation.js";
import { bytes, time } from "../format.js";
import { problem } from "../problem.js";
import { save } from "../archive.js";
import { jsonView } from "./json.js";
import { talk } from "./talk.js";

// Beyond this a page of text helps nobody, and the browser suffers.
const READABLE = 4 << 20;

function views(body, blobStore, signal) {
  const found = conversation(body);
  const place = h("div", { class: "stack" });
  const json = () => jsonView(body);
  if (found === null) {
    show(place, json());
    return [null, place];
  }
  const kinds = [["Reading", () => talk(found, blobStore, signal)], ["JSON", json]];
  const buttons = kinds.map(([label, view], index) => button(label, async () => {
    buttons.forEach((other, at) => other.setAttribute("aria-pressed", String(at === index)));
    show(place, view());
  }, "", { "aria-pressed": String(index === 0) }));
  show(place, kinds[0][1]());
  return [h("div", { class: "tabs", role: "group", "aria-label": "View" }, buttons), place];
}

async function bodyOf(content, type) {
  if (content.size > READABLE || !/^(application\/json|text\/)/.test(type)) return undefined;
  const text = await content.text();
  if (!type.startsWith("application/json")) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The cards of a document. */
export async function documentView(store, id, signal) {
  let document;
  try {
    document = await stores.document(store, id, signal);
  } catch (error) {
    return problem(error);
  }
  const { head, content } = document;
  const blobStore = (await stores.get(store, signal)).attachments?.blobs ?? "";
  const body = await bodyOf(content, head.content_type);
  const [tabs, place] = body === undefined ? [null, h("p", { class: "muted" }, "It is too large, or no text, to be shown here.")] : views(body, blobStore, signal);
  return h("div", { class: "stack" },
    card("Content", tabs, place),
    card("Document", button("Save as a file", async () => save(content, `${id.replaceAll("/", "_")}${head.content_type === "application/json" ? ".json" : ""}`)), facts([
      ["Store", store], ["Revision", head.revision], ["Size", bytes(content.size)], ["Type", head.content_type],
      ["Changed", head.modified && time(head.modified)], ["Created", head.created && time(head.created)],
    ])));
}
