// `/device`: a program on another machine shows a code, and a person who is signed in approves it here.

import { logins } from "./api.js";
import { announce, busy, button, card, facts, field, h, notice, show } from "./dom.js";
import { time } from "./format.js";
import { begin } from "./panel.js";
import { problem } from "./problem.js";
import { scopeList } from "./scope_picker.js";
import { isEverything } from "./scopes.js";

/** What a request would allow, with a warning where that is everything. */
export function asked(label, scopes, more = []) {
  return [
    facts([["Who asks", h("span", { class: "strong" }, label)], ["For", scopeList(scopes)], ...more]),
    scopes.some(isEverything) && notice("warn", h("p", {}, "That is everything: it could read the whole vault, rotate keys and let others in.")),
  ];
}

/** Shows the page. */
export async function devicePage(main) {
  begin(main, "Let a program in", "Type the code that the program shows. It gets a token, which can be revoked under Access.");
  const place = h("div", { class: "stack", "aria-live": "polite" });
  const code = h("input", { type: "text", class: "code-entry", name: "code", required: true, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", placeholder: "ABCD-EFGH", maxlength: "16" });
  const submit = h("button", { type: "submit", class: "button main" }, "Go on");
  const form = h("form", { class: "stack" }, field("Code", code, "Only a code that you asked for yourself, just now. One that somebody sent you lets them in."), h("div", {}, submit));
  const first = card("What the program shows", null, form, place);

  async function decide(typed, request, approve) {
    try {
      await logins.decide(typed, approve);
      const words = approve ? `${request.label} is let in. You can close this page.` : `${request.label} was refused.`;
      form.hidden = true;
      show(place, notice(approve ? "good" : "warn", h("p", {}, words)), h("div", {}, h("a", { href: "./#/access", class: "button" }, "See all tokens")));
      announce(words);
    } catch (error) {
      show(place, problem(error));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = code.value.trim().toUpperCase();
    busy(submit, async () => {
      try {
        const request = await logins.describe(typed);
        const approve = button("Approve", () => decide(typed, request, true), "main");
        show(place, asked(request.label, request.scopes, [["Begun at", request.address], ["When", time(request.begun)]]),
          h("div", { class: "row" }, approve, button("Refuse", () => decide(typed, request, false))));
      } catch (error) {
        show(place, problem(error));
      }
    });
  });
  main.append(first);
  code.focus();
}
