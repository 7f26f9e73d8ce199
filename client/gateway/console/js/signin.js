// The first thing a visitor sees: sign in, pair, or why neither is possible here.

import { auth } from "./api.js";
import { busy, button, card, field, h, notice, prose, show } from "./dom.js";
import { betterAddress, isNumber } from "./entry.js";
import { sentence } from "./format.js";
import { begin } from "./panel.js";
import { problem } from "./problem.js";
import { canAutofill, canUsePasskeys, register, signIn } from "./webauthn.js";

/** A ceremony counts for 300 s: one that waits in a form is begun anew before that. */
const RENEWAL = 240_000;

let waiting = null;
/** Ends an autofill that waits: there can be one ceremony at a time. */
export function stopWaiting() {
  waiting?.abort();
  waiting = null;
}

async function waitInAutofill(enter, place) {
  stopWaiting();
  if (!(await canAutofill())) return;
  const mine = new AbortController();
  waiting = mine;
  const renewal = setTimeout(() => waitInAutofill(enter, place), RENEWAL);
  mine.signal.addEventListener("abort", () => clearTimeout(renewal));
  try {
    await signIn({ conditional: true, signal: mine.signal });
    clearTimeout(renewal);
    await enter("Signed in");
  } catch (error) {
    if (mine.signal.aborted) return;
    clearTimeout(renewal);
    if (error.name !== "NotAllowedError") show(place, problem(error));
  }
}

/** Does a ceremony for a button or a form; what goes wrong is shown beside it. */
async function attempt(place, ceremony, enter, news) {
  stopWaiting();
  show(place);
  try {
    await ceremony();
    await enter(news);
  } catch (error) {
    show(place, problem(error));
  }
}

const failures = () => h("div", {});

/** Form for a pairing code, which `command` prints. */
function pairingForm(enter, command = "vaultctl auth pair") {
  const place = failures();
  const code = h("input", { type: "text", class: "code-entry", name: "code", required: true, autocomplete: "one-time-code", autocapitalize: "characters", spellcheck: "false", placeholder: "ABCD-EFGH", maxlength: "16" });
  const label = h("input", { type: "text", name: "label", autocomplete: "off", maxlength: "64" });
  const submit = h("button", { type: "submit", class: "button main" }, "Create a passkey");
  const form = h("form", { class: "stack" },
    field("Pairing code", code, prose(`Run \`${command}\` on the vault's machine. A code counts for 10 minutes, and once.`)),
    field("Name of the passkey (optional)", label, "Such as the name of this computer. By default what the browser says of itself."),
    place, h("div", {}, submit));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = { code: code.value.trim().toUpperCase(), label: label.value.trim() };
    busy(submit, () => attempt(place, () => register(given), enter, "Paired and signed in"));
  });
  return form;
}

function signInScreen(main, status, enter) {
  begin(main, "Sign in", `With a passkey for ${status.rp_id}.`);
  const place = failures();
  const go = button("Sign in with a passkey", () => attempt(place, () => signIn(), enter, "Signed in"), "main");
  // Conditional UI hangs on a field that says webauthn; the browser lists its passkeys there.
  const autofill = h("input", { type: "text", name: "username", autocomplete: "username webauthn", placeholder: "Your passkeys are offered here" });
  main.append(card("Passkey", null, place, h("div", {}, go), field("Or choose one from the browser's list", autofill)));
  main.append(h("details", { class: "card" }, h("summary", {}, "This browser has no passkey yet"),
    h("p", { class: "muted" }, "Have a browser that is signed in make a code (Access, Pair another device), or run ", h("code", { class: "code" }, "vaultctl auth pair"), "."),
    pairingForm(enter)));
  go.focus();
  waitInAutofill(enter, place);
}

function pairScreen(main, status, enter) {
  begin(main, "Pair this browser", `No passkey opens the vault at ${status.rp_id} yet. The first one needs a code, so that nobody else who finds this page can claim the vault.`);
  main.append(card("Pair", null, pairingForm(enter)));
}

function unlistedScreen(main, status, enter) {
  const host = location.hostname;
  begin(main, "This address is not listed", `The vault answers at addresses that were admitted. ${host} was not, so all that can be done here is to pair.`);
  main.append(card("Admit this address", null,
    h("p", {}, "If it is yours, a code from the vault's machine admits it."),
    pairingForm(enter, `vaultctl auth pair --host ${host}`)));
}

function unfitScreen(main, status) {
  const better = betterAddress(location.href);
  const number = isNumber(location.hostname);
  begin(main, "No passkeys at this address", number ? "A passkey belongs to a name. An IP address is none, and browsers refuse it." : "Browsers use passkeys where a name is proven to be its owner's: over HTTPS, or on the vault's own machine.");
  // Of the loopback the page knows the name; of other addresses the daemon may.
  main.append(better ? card("Use this address instead", null, h("div", {}, h("a", { class: "button main", href: better, id: "better-address" }, better)))
    : card("What to do", null, status.explanation && h("p", {}, prose(sentence(status.explanation))),
      number && h("p", {}, "Reach the vault by a name of its machine, such as one of your tailnet or your local network, and admit that with ", h("code", { class: "code" }, "vaultctl auth pair --host NAME"), ".")));
}

function waitScreen(main, { title, intro, tone, text, command, after }, again) {
  begin(main, title, intro);
  main.append(card("What to do", null, notice(tone, h("p", {}, prose(sentence(text)))),
    command && h("pre", { class: "command", tabindex: "0" }, command), after && h("p", { class: "muted" }, after),
    h("div", {}, button("Try again", again, "main"))));
}

const WAITS = {
  locked: { title: "The vault is locked", intro: "Its keys are not at hand, so nobody can sign in now. Nothing is lost.", tone: "warn", command: "vaultctl unlock", after: "`vaultctl doctor` explains the state and every way out." },
  "rolled-back": { title: "An older copy was put back", intro: "The tables of passkeys, sessions and tokens are older than the keyring remembers, so nobody is let in by them.", tone: "bad", command: "vaultctl auth accept",
    after: "It takes the tables as they are, on purpose. Passkeys, hosts and settings stay as they stand in the copy: one that was revoked since could be back. Every session and token ends. Look through the passkeys afterwards." },
  unavailable: { title: "Access cannot be checked", intro: "The tables of passkeys, sessions and tokens cannot be read. Until they can, nobody is let in.", tone: "bad", command: "vaultctl doctor" },
  unreachable: { title: "The vault does not answer", intro: "The gateway or the daemon behind it is not there.", tone: "bad", command: "vaultctl status" },
};

/** Shows the screen `name` of a visitor. `enter` is told when somebody got in, `again` looks anew. */
export function visitorScreen(main, name, { status, told, enter, again }) {
  stopWaiting();
  const wait = WAITS[name];
  if (wait) {
    waitScreen(main, { ...wait, text: told || wait.intro, after: wait.after && prose(wait.after) }, again);
    return;
  }
  if (!canUsePasskeys() && name !== "unfit") {
    begin(main, "No passkeys here", "This browser offers none at this address. It takes HTTPS, or http://localhost on the vault's own machine.");
    return;
  }
  const screens = { "sign-in": signInScreen, pair: pairScreen, unlisted: unlistedScreen, unfit: unfitScreen };
  screens[name](main, status ?? { rp_id: location.hostname, explanation: told }, enter);
}

/** Ends the session. */
export const signOut = () => auth.logout();
