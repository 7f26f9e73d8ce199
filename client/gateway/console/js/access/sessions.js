// Sessions: end one, or sign everyone out.

import { sessions } from "../api.js";
import { ask } from "../dialog.js";
import { announce, button, card, h } from "../dom.js";
import { ago, time } from "../format.js";
import { loaded } from "../panel.js";

function end(session, reload, signedOut) {
  return ask({
    title: session.current ? "End this session?" : `End the session of ${session.label}?`,
    body: [h("p", {}, session.current ? "You are signed out here." : "That browser is signed out at its next request.")],
    yes: "End it",
    danger: true,
    act: async () => {
      await sessions.revoke(session.id);
      announce("The session was ended");
      if (session.current) signedOut();
      else await reload();
    },
  });
}

function line(session, reload, signedOut) {
  return h("li", { "data-session": session.id },
    h("div", { class: "grow" },
      h("div", { class: "row" }, h("span", { class: "strong" }, session.label), session.current && h("span", { class: "tag good" }, "this browser")),
      h("p", { class: "muted small" }, `${session.rp_id} · ${session.address || "address unknown"} · last used ${ago(session.last_used)} · ends ${time(session.expires)}`)),
    button("End", () => end(session, reload, signedOut), "quiet risky", { "aria-label": `End the session of ${session.label}` }));
}

/** The card with them. */
export function sessionsCard({ status, signedOut }) {
  const [place, reload] = loaded(async () => {
    const list = await sessions.list();
    if (list.length === 0) return h("p", { class: "muted" }, "Nobody is signed in with a browser.");
    return h("ul", { class: "list", id: "sessions" }, list.map((session) => line(session, reload, signedOut)));
  });
  const everyone = button("Sign everyone out", () => ask({
    title: "Sign everyone out?",
    body: [h("p", {}, "Every browser is signed out, this one included, and cookies get a new key. Passkeys and tokens stay.")],
    yes: "Sign everyone out",
    danger: true,
    act: async () => {
      await sessions.reset();
      if (status.principal === "session") signedOut();
      else await reload();
    },
  }), "", { id: "sign-everyone-out" });
  return card("Sessions", everyone, place);
}
