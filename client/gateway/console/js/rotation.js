// Replacing the storage key, with what comes of it as it happens.

import { vault } from "./api.js";
import { backUp } from "./archive.js";
import { announce, button, card, choice, h, notice, show } from "./dom.js";
import { ask } from "./dialog.js";
import { bytes, count, percent, time } from "./format.js";
import { problem } from "./problem.js";

const DEPTHS = [
  ["rewrap", "Replace the storage key", "A moment, however much the vault holds."],
  ["reencrypt", "Replace every key and rewrite everything", "Takes as long as reading and writing it all. The vault stays usable meanwhile."],
];

/** The card with the key, its rotation and how far that has come. */
export class RotationCard {
  #signal;
  #changed;
  #begun;
  #following = false;
  #timer = null;
  #told = 0;
  #progress = h("progress", { max: "100", "aria-label": "Rotation" });
  #line = h("p", { class: "small muted", id: "rotation-line" });
  #working = h("div", { class: "stack tight", hidden: true }, this.#progress, this.#line);
  #result = h("div", { class: "stack tight", "aria-live": "polite" });
  #controls = h("div", { class: "row" });
  #exported = h("p", { class: "small muted" });
  #depth = h("fieldset", {}, h("legend", {}, "How deep"), DEPTHS.map(([value, label, help], index) => h("div", {},
    choice(label, h("input", { type: "radio", name: "depth", value, checked: index === 0 })), h("p", { class: "muted small hint" }, help))));
  element;

  /** Whether one was asked for of which the daemon has told nothing yet. */
  asked = false;

  /** `begun` is called when one is asked for, `changed` when the status may be another. */
  constructor(signal, { begun, changed }) {
    this.#signal = signal;
    this.#begun = begun;
    this.#changed = changed;
    this.element = card("Storage key", null,
      h("p", {}, "A new key makes older copies of it useless, whoever has them: earlier exports do not open the vault afterwards. ",
        h("code", { class: "code" }, "vaultctl key export FILE"), " makes a new one."),
      this.#exported, this.#depth, this.#working, this.#result, this.#controls);
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Whether this page follows one. */
  get isFollowing() {
    return this.#following;
  }

  /** Takes up a new status. */
  update(status) {
    const { rotation, last_export: exported } = status.key ?? {};
    const byHand = status.keyring_backend === "systemd-creds";
    this.#exported.textContent = exported
      ? `Last export of the key: ${time(exported.at)}${exported.opens ? "" : "; it does not open the vault any more"}.`
      : "The key was never exported.";
    if (this.#following) return;
    const stopped = rotation && (rotation.paused || rotation.error) && !rotation.awaits_credential;
    this.#depth.hidden = Boolean(rotation) || byHand;
    this.#working.hidden = !rotation;
    if (rotation) this.#show(rotation);
    show(this.#controls,
      stopped && button("Resume", () => this.#run((seen) => vault.resume(seen, this.#signal)), "main"),
      rotation && !stopped && button("Pause", async () => { await vault.pause(); await this.#changed(); }),
      !rotation && button("Back up first", backUp),
      // The new credential comes once, and belongs in a file on that machine rather than in a browser.
      !rotation && byHand && h("p", {}, "This backend hands out a credential for the next start: rotate with ", h("code", { class: "code" }, "vaultctl key rotate"), "."),
      !rotation && !byHand && button("Rotate", () => this.#ask(), "main", { id: "rotate" }));
    clearTimeout(this.#timer);
    if (rotation?.running) this.#timer = setTimeout(this.#changed, 1000);
  }

  async #ask() {
    const depth = this.#depth.querySelector("input:checked").value;
    const deep = depth === "reencrypt";
    await ask({
      title: deep ? "Replace every key?" : "Replace the storage key?",
      body: [h("p", {}, "Exports of the key that were made before will not open the vault any more. Make a new one afterwards."),
        deep && h("p", {}, "Every object is rewritten. If this is interrupted it goes on where it was, after a crash as well.")],
      yes: "Rotate",
      act: async () => { this.#run((seen) => vault.rotate(depth, seen, this.#signal)); },
    });
  }

  #show(progress) {
    const { state, store, objects_done: done = 0, objects_total: total = 0, bytes_done: read = 0, bytes_total: all = 0 } = progress;
    const share = state === "promoted" ? 100 : total > 0 ? percent(done, total) : 0;
    this.#progress.value = share;
    const objects = total > 0 ? `${done.toLocaleString("en")} of ${count(total, "object")}, ${bytes(read)} of ${bytes(all)}` : "";
    this.#line.textContent = [state, store, objects].filter(Boolean).join(" · ");
    // A screen reader hears every quarter, not every object.
    const quarter = Math.floor(share / 25);
    if (quarter > this.#told) {
      this.#told = quarter;
      announce(`Rotation: ${quarter * 25} percent`);
    }
  }

  async #run(follow) {
    this.#following = true;
    this.#told = 0;
    clearTimeout(this.#timer);
    show(this.#result);
    show(this.#controls, button("Pause", () => vault.pause()));
    this.#depth.hidden = true;
    this.#working.hidden = false;
    this.#show({ state: "starting" });
    let outcome = null;
    // The badge is not green from here on.
    this.asked = true;
    this.#begun();
    try {
      await follow((event, content) => {
        if (this.asked) {
          this.asked = false;
          this.#changed();
        }
        if (event === "progress") this.#show(content);
        if (event === "done") outcome = content;
      });
      show(this.#result, told(outcome));
    } catch (error) {
      if (!this.#signal.aborted) show(this.#result, problem(error));
    }
    this.#following = false;
    this.asked = false;
    if (!this.#signal.aborted) await this.#changed();
  }
}

function told(outcome) {
  if (outcome === null) return notice("warn", h("p", {}, "The connection ended before the rotation did. It goes on."));
  if (outcome.paused) return notice("warn", h("p", {}, "Paused."));
  if (outcome.rolled_back) return notice("warn", h("p", {}, "The rotation was undone: the key is what it was."));
  const kept = outcome.kept_keys ?? [];
  return notice("good",
    h("p", { class: "strong" }, "The vault is sealed by a new key."),
    outcome.exports_outdated && h("p", {}, "Earlier exports of the key do not open it. Make a new one: ", h("code", { class: "code" }, "vaultctl key export FILE")),
    kept.length > 0 && h("p", {}, `The old key of ${kept.join(", ")} was kept, since damaged objects name it. `, h("code", { class: "code" }, "vaultctl doctor"), " tells more."));
}
