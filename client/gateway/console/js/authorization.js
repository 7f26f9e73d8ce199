// What a program on this machine asks for, from the address it opened. Pure.

import { parse } from "./scopes.js";

/**
 * A listener on the loopback: the only place that an answer is ever sent to (RFC 8252, section 7.3). The
 * daemon judges an approval by the same rules; a refusal is sent by this page alone.
 */
export function isLoopbackListener(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return false;
  }
  // Written as it is read, nothing for a second reader to take for something else; an empty query counts.
  const plain = url.protocol === "http:" && url.href === address && !/[?#@]/.test(address);
  return plain && url.port !== "" && (url.hostname === "127.0.0.1" || url.hostname === "[::1]");
}

/**
 * The request in a query, or what is wrong with it.
 * @returns {{request: object} | {problem: string}}
 */
export function authorization(query) {
  const parameters = new URLSearchParams(query);
  const one = (name) => (parameters.getAll(name).length === 1 ? parameters.get(name) : "");
  const redirect = one("redirect_uri");
  if (!isLoopbackListener(redirect)) {
    return { problem: "The answer would go to an address that is not on this machine, so it is refused." };
  }
  const challenge = one("code_challenge");
  if (!/^[A-Za-z0-9_-]{43}$/.test(challenge) || one("code_challenge_method") !== "S256") {
    return { problem: "The program did not bind its request with PKCE (S256), so it is refused." };
  }
  const state = one("state");
  if (state === "") return { problem: "The program sent no state, so it is refused." };
  const scopes = parameters.getAll("scope").flatMap((text) => text.split(" ")).filter((text) => text !== "").map(parse);
  if (scopes.length === 0 || scopes.includes(null)) {
    return { problem: "The program did not say what it wants to reach, so it is refused." };
  }
  const label = one("label").trim();
  return { request: { label: label || "A program", scopes, code_challenge: challenge, redirect_uri: redirect, state } };
}

/** Where the browser goes with the answer. */
export function answerAddress(redirect, answer) {
  const url = new URL(redirect);
  for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
  return url.href;
}
