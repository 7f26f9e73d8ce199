// Which screen a visitor gets. Pure.

const INSIDE = new Set(["owner", "session", "loopback", "open", "token"]);
const WAITS = new Set([
  "LOCKED", "KEYRING_UNAVAILABLE", "KEYRING_LOCKED", "KEYRING_DENIED", "KEYRING_TIMEOUT", "KEY_MISSING", "WRONG_KEY",
]);

/** The screen for a failure of the status. */
export function screenOfFailure(reason) {
  if (reason === "AUTH_ROLLED_BACK") return "rolled-back";
  if (reason === "AUTH_UNAVAILABLE" || reason === "CORRUPT") return "unavailable";
  if (reason === "HOST_NOT_ADMITTED") return "unlisted";
  if (reason === "ORIGIN_UNFIT") return "unfit";
  return WAITS.has(reason) ? "locked" : "unreachable";
}

/** The screen for a status as `/api/auth/status` gives it. */
export function screen(status) {
  // The tables that would let anybody in are closed: there is a reason in place of them.
  if (status.unavailable) return screenOfFailure(status.unavailable);
  if (INSIDE.has(status.principal)) return "console";
  // An address that can never have a passkey is told so before anything about pairing.
  if (!status.rp_id) return "unfit";
  if (!status.host_admitted) return "unlisted";
  return status.paired ? "sign-in" : "pair";
}

/** Whether a host is an IP address, as `location.hostname` writes it. */
export const isNumber = (host) => host.startsWith("[") || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);

/** The address to use in place of an IP address of the loopback; null where none is known. */
export function betterAddress(address) {
  const url = new URL(address);
  const host = url.hostname;
  if (host !== "[::1]" && !/^127(\.\d{1,3}){3}$/.test(host)) return null;
  url.hostname = "localhost";
  return url.href;
}
