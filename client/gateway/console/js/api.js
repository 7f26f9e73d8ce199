// Every call to the gateway. Nothing else in the console knows an address.

import { EventParser } from "./events.js";

/** A refusal: `reason` for programs, `message` for people. */
export class ApiError extends Error {
  constructor(status, error) {
    super(error.message || `the gateway answered with ${status}`);
    this.name = "ApiError";
    this.status = status;
    this.reason = error.reason ?? "";
    this.metadata = error.metadata ?? {};
  }
}

/** Where the gateway is, which may be below a path of a proxy's: this file is at `js/api.js` of it. */
const GATEWAY = new URL("../", import.meta.url);

const whenSignedOut = new EventTarget();

/** Calls `act` when an answer says that nobody is signed in any more. */
export function onSignedOut(act) {
  whenSignedOut.addEventListener("out", act);
}

async function failure(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // Not the gateway's own words: the status is all there is.
  }
  const refused = new ApiError(response.status, error);
  // A passkey that was refused says nothing of who is signed in.
  if (response.status === 401 && refused.reason !== "PASSKEY_REFUSED") whenSignedOut.dispatchEvent(new Event("out"));
  return refused;
}

async function send(method, path, { body, headers = {}, signal } = {}) {
  const options = { method, headers, signal, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers["content-type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(new URL(path, GATEWAY), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { reason: "NO_GATEWAY", message: "The gateway does not answer. Is it running?" });
  }
  if (!response.ok) throw await failure(response);
  return response;
}

async function call(method, path, body, options = {}) {
  const response = await send(method, path, { body, ...options });
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

const part = encodeURIComponent;

/** What stands behind the `?`; nothing is said of what is empty. */
const query = (members) => new URLSearchParams(Object.entries(members).filter(([, value]) => value));

/** A part of an address: a store's name has slashes of its own. */
const storePath = (store) => `api/stores/${part(store)}`;

/** Reads server-sent events until they end. */
async function follow(method, path, body, onEvent, signal) {
  const response = await send(method, path, { body, signal, headers: { accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const { event, data } of parser.push(value)) {
      const content = JSON.parse(data);
      if (event === "error") throw new ApiError(response.status, content.error ?? content);
      onEvent(event, content);
    }
  }
}

/** Who asks, and how it gets in. */
export const auth = {
  status: (signal) => call("GET", "api/auth/status", undefined, { signal }),
  beginRegistration: (request) => call("POST", "api/auth/register/begin", request),
  finishRegistration: (answer) => call("POST", "api/auth/register/finish", answer),
  beginLogin: (conditional, signal) => call("POST", "api/auth/login/begin", { conditional }, { signal }),
  finishLogin: (answer) => call("POST", "api/auth/login/finish", answer),
  logout: () => call("POST", "api/auth/logout"),
  activity: async (limit) => (await call("GET", `api/auth/activity?limit=${limit}`)).events,
};

export const passkeys = {
  list: async () => (await call("GET", "api/auth/passkeys")).passkeys,
  rename: (id, label) => call("PATCH", `api/auth/passkeys/${part(id)}`, { label }),
  revoke: (id) => call("DELETE", `api/auth/passkeys/${part(id)}`),
};

export const sessions = {
  list: async () => (await call("GET", "api/auth/sessions")).sessions,
  revoke: (id) => call("DELETE", `api/auth/sessions/${part(id)}`),
  reset: () => call("DELETE", "api/auth/sessions"),
};

export const tokens = {
  list: async () => (await call("GET", "api/auth/token")).tokens,
  create: (request) => call("POST", "api/auth/token", request),
  revoke: (id) => call("DELETE", `api/auth/token/${part(id)}`),
};

export const pairing = {
  create: (host) => call("POST", "api/auth/pair", host ? { host } : {}),
  cancel: () => call("DELETE", "api/auth/pair"),
  hosts: async () => (await call("GET", "api/auth/hosts")).hosts,
  addHost: (host) => call("POST", "api/auth/hosts", { host }),
  removeHost: (host) => call("DELETE", `api/auth/hosts/${part(host)}`),
};

/** Programs that ask to be let in. */
export const logins = {
  describe: (code) => call("GET", `api/auth/device/${part(code)}`),
  decide: (code, approve) => call("POST", `api/auth/device/${part(code)}`, { approve }),
  authorize: (request) => call("POST", "api/auth/authorize", request),
};

/** The whole vault as a file. One that breaks off is none. */
async function archive(request) {
  const response = await send("POST", "api/export", { body: request });
  try {
    return await response.blob();
  } catch {
    throw new ApiError(0, { reason: "NO_GATEWAY", message: "The file broke off on the way, so it was not saved." });
  }
}

export const vault = {
  status: (signal) => call("GET", "api/status", undefined, { signal }),
  rotate: (depth, onEvent, signal) => follow("POST", "api/key/rotate", { depth }, onEvent, signal),
  pause: () => call("POST", "api/key/pause"),
  resume: (onEvent, signal) => follow("POST", "api/key/resume", undefined, onEvent, signal),
  backup: (passphrase) => archive({ form: "sealed", passphrase }),
  exportPlaintext: () => archive({ form: "plaintext" }),
};

export const stores = {
  list: async (signal) => (await call("GET", "api/stores", undefined, { signal })).stores,
  get: (store, signal) => call("GET", storePath(store), undefined, { signal }),
  documents: (store, page) => call("GET", `${storePath(store)}/documents?${query(page)}`),
  /** A document's head, as its headers tell it, and its body as it is stored. */
  document: async (store, id, signal) => {
    const response = await send("GET", `${storePath(store)}/documents/${part(id)}`, { signal });
    const header = (name) => response.headers.get(name);
    const head = {
      revision: header("etag")?.replaceAll('"', ""),
      content_type: header("vault-content-type") ?? header("content-type") ?? "",
      created: header("vault-created"),
      modified: header("vault-modified"),
    };
    return { head, content: await response.blob() };
  },
};

export const blobs = {
  list: (store, page) => call("GET", `api/blobs?${query({ store, ...page })}`),
  content: async (store, ref, signal) => (await send("GET", `api/blobs/${part(ref)}?store=${part(store)}`, { signal })).blob(),
};

export const upkeep = {
  status: () => call("GET", "api/maintenance"),
  run: (request, onEvent) => follow("POST", "api/maintenance", request, onEvent),
};
