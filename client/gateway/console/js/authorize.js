// `/authorize`: a program on this machine opened this page and listens for the answer (RFC 8252).

import { logins } from "./api.js";
import { answerAddress, authorization } from "./authorization.js";
import { button, card, h, notice, show } from "./dom.js";
import { asked } from "./device.js";
import { begin } from "./panel.js";
import { problem } from "./problem.js";

/** Shows the page. */
export async function authorizePage(main) {
  begin(main, "Let a program in", "A program on this machine asks for a token. It can be revoked under Access.");
  const { request, problem: wrong } = authorization(location.search);
  if (wrong) {
    main.append(notice("bad", h("p", {}, wrong)));
    return;
  }
  const { state, ...wanted } = request;
  const failure = h("div", {});
  const answer = (parameters) => location.assign(answerAddress(request.redirect_uri, { ...parameters, state }));
  const approve = button("Approve", async () => {
    show(failure);
    try {
      const { code } = await logins.authorize(wanted);
      answer({ code });
    } catch (error) {
      show(failure, problem(error));
    }
  }, "main", { id: "approve" });
  const refuse = button("Refuse", async () => answer({ error: "access_denied" }), "", { id: "refuse" });
  main.append(card("Request", null, asked(request.label, request.scopes, [["The answer goes to", h("code", { class: "code" }, request.redirect_uri)]]),
    h("p", { class: "muted" }, "Approve only if you have just asked the program to sign in."), failure, h("div", { class: "row" }, approve, refuse)));
}
