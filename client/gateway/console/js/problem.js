// A failure, for a person: what the daemon said, and for some reasons what to do.

import { h, notice, prose } from "./dom.js";
import { sentence } from "./format.js";

const WAYS_OUT = {
  LOCKED: "Run `vaultctl unlock` on the vault's machine, then try again.",
  KEYRING_LOCKED: "Unlock the desktop keyring on the vault's machine, then try again.",
  UNAUTHENTICATED: "Sign in again.",
  PERMISSION_DENIED: "What you are signed in as may not do that.",
  CROSS_ORIGIN: "Another page asked for this, so it was refused. Do it from here.",
  PAIRING_CODE_WRONG: "Look again at what `vaultctl auth pair` printed, or run it anew.",
  CEREMONY_ENDED: "It took too long, or was used already. Begin again.",
  ALREADY_PAIRED: "Another browser was faster. Sign in, or have a signed-in browser add this one.",
  NO_DAEMON: "Run `vaultctl status` on the vault's machine: it says why.",
};

/** What to say of an error that the browser's passkey window gave. */
const BROWSER = {
  NotAllowedError: "The browser got no passkey: the window was closed, or none of yours fits.",
  InvalidStateError: "This authenticator has a passkey for this vault already.",
  SecurityError: "The browser allows no passkeys at this address.",
  AbortError: "It was given up.",
};

/** The words for an error. */
export function wordsFor(error) {
  return sentence(Object.hasOwn(BROWSER, error.name) ? BROWSER[error.name] : error.message);
}

/** A failure as an element. */
export function problem(error) {
  const wayOut = Object.hasOwn(WAYS_OUT, error.reason ?? "") && WAYS_OUT[error.reason];
  const wait = error.metadata?.retry_after_seconds;
  return notice("bad",
    h("p", {}, prose(wordsFor(error))),
    wayOut && h("p", { class: "small" }, prose(wayOut)),
    wait && h("p", { class: "small" }, `Try again in ${wait} seconds.`));
}
