import assert from "node:assert/strict";
import test from "node:test";

import { badge, badgeOfFailure } from "../../console/js/badge.js";

const FINGERPRINT = "0123456789abcdef";

/** A status of which everything is as it should be. */
function sound() {
  return {
    key_state: "open",
    key_fingerprint: FINGERPRINT,
    ephemeral: false,
    key: { fingerprint: FINGERPRINT, rotation: null, moving_to: "" },
    stores: [{ name: "chat", plain: false, awaiting_migration: 0, damaged: "" }],
  };
}

function rotation(change) {
  return { state: "rewriting", back: false, paused: false, running: true, error: "", awaits_credential: false, ...change };
}

/** What differs from a sound status, and the state that it is. */
const OTHERS = [
  ...["starting", "uninitialized", "locked", "keyring-locked", "keyring-unavailable", "keyring-denied",
    "keyring-timeout", "key-missing", "wrong-key", "damaged"].map((state) => [(status) => { status.key_state = state; }, state]),
  [(status) => { status.key_state = "unknown"; }, "unknown"],
  [(status) => { status.key_state = "constructor"; }, "unknown"],
  [(status) => { delete status.key_state; }, "unknown"],
  [(status) => { status.key.rotation = rotation({}); }, "rotating"],
  [(status) => { status.key.rotation = rotation({ running: false }); }, "rotating"],
  [(status) => { status.key.rotation = rotation({ state: "staged" }); }, "rotating"],
  [(status) => { status.key.rotation = rotation({ state: "promoted" }); }, "rotating"],
  [(status) => { status.key.rotation = rotation({ back: true }); }, "rotation-back"],
  [(status) => { status.key.rotation = rotation({ paused: true }); }, "rotation-paused"],
  [(status) => { status.key.rotation = rotation({ back: true, paused: true }); }, "rotation-paused"],
  [(status) => { status.key.rotation = rotation({ error: "the disk is full" }); }, "rotation-stopped"],
  [(status) => { status.key.rotation = rotation({ awaits_credential: true }); }, "rotation-awaits-credential"],
  [(status) => { status.key.rotation = {}; }, "rotating"],
  [(status) => { status.key.rotation = "none"; }, "unknown"],
  [(status) => { delete status.key.rotation; }, "unknown"],
  [(status) => { status.key = null; }, "unknown"],
  [(status) => { delete status.key; }, "unknown"],
  [(status) => { status.key.moving_to = "passphrase"; }, "key-moving"],
  [(status) => { status.key.fingerprint = ""; }, "key-unverified"],
  [(status) => { status.key_fingerprint = ""; }, "key-unverified"],
  [(status) => { status.key_fingerprint = "fedcba9876543210"; }, "key-unverified"],
  [(status) => { status.key.fingerprint = status.key_fingerprint = "short"; }, "key-unverified"],
  [(status) => { status.stores[0].awaiting_migration = 1; }, "awaiting-migration"],
  [(status) => { status.stores.push({ name: "b", plain: false, awaiting_migration: 9, damaged: "" }); }, "awaiting-migration"],
  [(status) => { status.stores[0].damaged = "its head cannot be read"; }, "store-damaged"],
  [(status) => { delete status.stores[0].awaiting_migration; }, "unknown"],
  [(status) => { status.stores[0].awaiting_migration = "0"; }, "unknown"],
  [(status) => { status.stores[0].awaiting_migration = -1; }, "unknown"],
  [(status) => { status.stores = [null]; }, "unknown"],
  [(status) => { delete status.stores; }, "unknown"],
];

test("a sound vault is encrypted, with or without stores", () => {
  assert.equal(badge(sound()).label, "Encrypted");
  assert.equal(badge(sound()).tone, "good");
  assert.equal(badge({ ...sound(), stores: [] }).state, "encrypted");
});

test("the line tells of what is plain on purpose, and of a key that does not last", () => {
  const status = sound();
  status.ephemeral = true;
  status.stores.push({ name: "skills", plain: true, awaiting_migration: 0, damaged: "" });
  const { line } = badge(status);
  assert.match(line, /^Every file outside plain stores is sealed; 1 store is plain on purpose\./);
  assert.match(line, /ends with the daemon/);
});

for (const [index, [change, state]] of OTHERS.entries()) {
  test(`${index}: ${state} is not encrypted`, () => {
    const status = sound();
    change(status);
    const said = badge(status);
    assert.equal(said.state, state);
    assert.notEqual(said.tone, "good");
    assert.doesNotMatch(said.label, /Encrypted/);
    assert.ok(said.line.length > 10, "it says why");
  });
}

test("any two of these together are not encrypted either", () => {
  for (const [one] of OTHERS) {
    for (const [other] of OTHERS) {
      const status = sound();
      // What the first took away, the second may not find.
      try {
        one(status);
        other(status);
      } catch (error) {
        assert.ok(error instanceof TypeError);
      }
      const both = JSON.stringify(status) === JSON.stringify(sound());
      assert.ok(both || badge(status).tone !== "good", JSON.stringify(status));
    }
  }
});

test("where no status came, the reason may tell the state, and nothing is green", () => {
  const states = [["LOCKED", "locked"], ["KEYRING_LOCKED", "keyring-locked"], ["WRONG_KEY", "wrong-key"], ["NO_GATEWAY", "unknown"],
    ["UNAUTHENTICATED", "unknown"], ["OPEN", "unknown"], ["CONSTRUCTOR", "unknown"], ["", "unknown"], [undefined, "unknown"]];
  for (const [reason, state] of states) {
    assert.equal(badgeOfFailure(reason).state, state, reason);
    assert.notEqual(badgeOfFailure(reason).tone, "good");
  }
});

test("no status at all is unknown", () => {
  for (const nothing of [null, undefined, "", 7, {}]) assert.equal(badge(nothing).state, "unknown");
});
