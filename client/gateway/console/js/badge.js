// What the badge says of the vault. Pure.
//
// "Encrypted" is a promise, so it is the last answer and never the default: it comes only after every
// other state has been ruled out, and a status that lacks what would rule one out is "Unknown".

const KEY_STATES = {
  starting: ["warn", "Starting", "The daemon is asking the keyring for the storage key."],
  uninitialized: ["warn", "No vault yet", "The first use, or `vaultctl init`, sets the vault up."],
  locked: ["warn", "Locked", "The vault was locked on purpose. Its files stay sealed until it is unlocked."],
  "keyring-locked": ["warn", "Keyring locked", "The keyring that holds the storage key waits to be unlocked."],
  "keyring-unavailable": ["bad", "No keyring", "No keyring answers, so the storage key is out of reach."],
  "keyring-denied": ["bad", "Keyring refused", "The keyring refused to hand the storage key to the daemon."],
  "keyring-timeout": ["bad", "Keyring silent", "The keyring did not answer in time."],
  "key-missing": ["bad", "Key missing", "There is sealed data here, and the keyring has no key for it."],
  "wrong-key": ["bad", "Wrong key", "The key in the keyring is not the one that this vault was sealed with."],
  damaged: ["bad", "Damaged", "The vault's own files cannot be read. `vaultctl doctor` tells what to do."],
};

const answer = (state, tone, label, line) => ({ state, tone, label, line });
const unknown = (line) => answer("unknown", "warn", "Unknown", line);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;
const isFingerprint = (value) => typeof value === "string" && /^[0-9a-f]{16}$/.test(value);

/** The state of a rotation that is open, in whatever way it is. */
function rotating(rotation) {
  const back = rotation.back ? "being undone" : "open";
  if (rotation.error) {
    return answer("rotation-stopped", "bad", "Rotation stopped", `It is ${back} and stopped: ${rotation.error}`);
  }
  if (rotation.awaits_credential) {
    return answer("rotation-awaits-credential", "warn", "Rotation waits",
      "The next key was handed out as a credential; the next start of the service with it completes the rotation.");
  }
  if (rotation.paused) {
    return answer("rotation-paused", "warn", "Rotation paused",
      "Files are sealed partly by the old and partly by the next key. Resume it to finish.");
  }
  if (rotation.back) {
    return answer("rotation-back", "warn", "Undoing a rotation", "The storage key becomes again what it was.");
  }
  return answer("rotating", "warn", "Rotating keys", "Everything stays sealed and readable while the key is replaced.");
}

/**
 * The badge for a status as `/api/status` gives it.
 * @returns {{state: string, tone: "good" | "warn" | "bad", label: string, line: string}}
 */
export function badge(status) {
  if (status === null || typeof status !== "object") {
    return unknown("The daemon has not told the state of the vault.");
  }
  if (status.key_state !== "open") {
    const known = Object.hasOwn(KEY_STATES, status.key_state) && KEY_STATES[status.key_state];
    return known ? answer(status.key_state, ...known) : unknown("The daemon reports a state that this page does not know.");
  }
  const { key, stores } = status;
  if (key === null || typeof key !== "object" || key.rotation === undefined || !Array.isArray(stores)) {
    return unknown("The status lacks what would show that everything is encrypted.");
  }
  if (key.rotation !== null) {
    return typeof key.rotation === "object" ? rotating(key.rotation) : unknown("The rotation's state cannot be read.");
  }
  if (key.moving_to) {
    return answer("key-moving", "warn", "Key is moving", `The storage key is on its way to the backend ${key.moving_to}.`);
  }
  if (!isFingerprint(key.fingerprint) || key.fingerprint !== status.key_fingerprint) {
    return answer("key-unverified", "bad", "Key not verified", "The storage key has not been checked against this vault.");
  }
  return judgeStores(status, stores);
}

/** The badge where no status came: the reason may tell the state of the key, and nothing else counts. */
export function badgeOfFailure(reason) {
  const state = String(reason).toLowerCase().replaceAll("_", "-");
  return badge(Object.hasOwn(KEY_STATES, state) ? { key_state: state } : null);
}

function judgeStores(status, stores) {
  if (!stores.every((store) => store !== null && typeof store === "object" && isCount(store.awaiting_migration))) {
    return unknown("The status lacks how many files await migration.");
  }
  const damaged = stores.filter((store) => store.damaged);
  if (damaged.length > 0) {
    return answer("store-damaged", "bad", "Attention", `${plural(damaged.length, "store")} cannot be opened: ${damaged[0].name}.`);
  }
  const waiting = stores.reduce((sum, store) => sum + store.awaiting_migration, 0);
  if (waiting > 0) {
    return answer("awaiting-migration", "warn", "Partly plaintext",
      `${plural(waiting, "file")} of an earlier application ${waiting === 1 ? "is" : "are"} still plaintext. \`vaultctl store migrate\` seals ${waiting === 1 ? "it" : "them"}.`);
  }
  return answer("encrypted", "good", "Encrypted", sealedLine(status, stores));
}

function sealedLine(status, stores) {
  const plain = stores.filter((store) => store.plain).length;
  const sealed = plain > 0 ? `Every file outside plain stores is sealed; ${plural(plain, "store")} ${plain === 1 ? "is" : "are"} plain on purpose.` : "Every file is sealed.";
  const end = status.ephemeral ? " The key ends with the daemon." : "";
  return `${sealed} The key was verified.${end}`;
}
