// The panel Activity: sign-ins, refusals, what was granted and revoked, work on keys.

import { auth } from "./api.js";
import { button, card, choice, h } from "./dom.js";
import { ago, deed, time } from "./format.js";
import { begin, loaded } from "./panel.js";

const PRINCIPALS = { owner: "on this machine", token: "token", session: "browser", loopback: "loopback", open: "anybody", nobody: "nobody" };
const LIMIT = 200;

function line(event) {
  const whence = [event.who, PRINCIPALS[event.principal] ?? event.principal, event.from].filter(Boolean).join(" · ");
  return h("li", {},
    h("div", { class: "grow" }, h("div", { class: "row" }, h("span", { class: "strong" }, deed(event.action)), event.detail && h("span", { class: "mono small" }, event.detail),
      !event.admitted && h("span", { class: "tag bad" }, "refused")), h("p", { class: "muted small" }, whence)),
    h("time", { class: "muted small nowrap", datetime: event.at, title: time(event.at) }, ago(event.at)));
}

/** Shows the panel. */
export async function activityPanel(main) {
  begin(main, "Activity", "What happened last, the newest first. The daemon keeps it in memory, until it ends.");
  const refused = h("input", { type: "checkbox" });
  const [place, reload] = loaded(async () => {
    const events = (await auth.activity(LIMIT)).filter((event) => !refused.checked || !event.admitted);
    if (events.length === 0) return h("p", { class: "muted" }, refused.checked ? "Nothing was refused." : "Nothing has happened yet.");
    return h("ul", { class: "list", id: "events" }, events.map(line));
  });
  refused.addEventListener("change", reload);
  main.append(card("Events", h("div", { class: "row" }, choice("Refusals only", refused), button("Refresh", reload, "quiet")), place));
}
