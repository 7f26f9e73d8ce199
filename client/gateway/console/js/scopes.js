// Scopes in words. Pure.

const VERBS = { read: "Read", write: "Read and change", admin: "Administer" };

/** "Read chat/conversations"; "Administer everything: keys, access and all stores". */
export function describe({ stores, permission }) {
  const verb = Object.hasOwn(VERBS, permission) ? VERBS[permission] : `“${permission}”`;
  if (stores === "*") return permission === "admin" ? "Administer everything: keys, secrets, access and all stores" : `${verb} every store`;
  return stores.endsWith("/*") ? `${verb} every store below ${stores.slice(0, -2)}` : `${verb} ${stores}`;
}

/** `chat/*:write` as a scope; null where it is none. */
export function parse(text) {
  const at = text.lastIndexOf(":");
  const [stores, permission] = [text.slice(0, at), text.slice(at + 1)];
  return at > 0 && Object.hasOwn(VERBS, permission) ? { stores, permission } : null;
}

/** Whether a scope reaches the keys and the access of the whole vault. */
export const isEverything = ({ stores, permission }) => stores === "*" && permission === "admin";
