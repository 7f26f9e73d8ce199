// The panel Storage: whether everything is encrypted, by which key, and how much of it there is.

import { auth, vault } from "./api.js";
import { archiveCard } from "./archive.js";
import { badge, badgeOfFailure } from "./badge.js";
import { announce, card, facts, h, notice, prose, show, svg } from "./dom.js";
import { ago, bytes, count, percent, sentence } from "./format.js";
import { begin } from "./panel.js";
import { problem } from "./problem.js";
import { RotationCard } from "./rotation.js";

const BACKENDS = {
  os: "The system's keyring",
  passphrase: "A key file under a passphrase",
  "systemd-creds": "A credential from systemd",
  memory: "Memory only: it ends with the daemon",
};

const SECRETS = { keyring: "The keyring", vault: "The vault, sealed" };

/** Bars of sizes: the longest is the largest store. */
function bars(stores) {
  if (stores.length === 0) return h("p", { class: "muted" }, "There are no stores yet.");
  const sorted = [...stores].sort((one, other) => other.body_bytes - one.body_bytes);
  const largest = Math.max(1, sorted[0].body_bytes);
  return h("ul", { class: "bars" }, sorted.map((store) => {
    // A sliver stands for what is there and small.
    const width = store.body_bytes > 0 ? Math.max(0.6, percent(store.body_bytes, largest)) : 0;
    return h("li", { class: store.plain ? "bar plain" : "bar" },
      h("div", { class: "row" },
        h("a", { class: "strong", href: `#/browse/${encodeURIComponent(store.name)}` }, store.name),
        h("span", { class: "muted small" }, store.kind),
        store.plain && h("span", { class: "tag" }, "plain on purpose"),
        store.awaiting_migration > 0 && h("span", { class: "tag warn" }, `${store.awaiting_migration} await migration`),
        store.damaged && h("span", { class: "tag bad" }, "damaged")),
      h("span", { class: "number" }, bytes(store.body_bytes), h("span", { class: "muted small" }, ` · ${count(store.documents, "object")}`)),
      svg("svg", { viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { x: 0, y: 0, width, height: 1 })));
  }));
}

function storesCard(stores) {
  const total = stores.reduce((sum, store) => sum + store.body_bytes, 0);
  return card("Stores", h("span", { class: "muted small" }, `${count(stores.length, "store")}, ${bytes(total)}`), bars(stores));
}

function badgeRow(said) {
  const before = document.getElementById("badge")?.textContent;
  if (before && before !== said.label) announce(`Encryption: ${said.label}`);
  const label = h("span", { id: "badge", class: `badge large ${said.tone}`, "data-state": said.state }, said.label);
  return h("div", { class: "row" }, label, h("p", { class: "grow" }, prose(said.line)));
}

function badgeCard(status, anchored) {
  const said = badge(status);
  const { active_root: root, storage_key: backend, secrets } = status.storage_locations;
  return card("Encryption", null,
    badgeRow(said),
    status.explanation && notice("warn", h("p", {}, prose(sentence(status.explanation)))),
    status.remedies?.length > 0 && h("ul", { class: "stack tight" }, status.remedies.map((remedy) => h("li", {}, prose(remedy)))),
    facts([
      ["Key fingerprint", status.key_fingerprint && h("code", { class: "code", id: "fingerprint" }, status.key_fingerprint)],
      ["Key kept in", BACKENDS[backend] ?? backend],
      ["Secrets kept in", SECRETS[secrets]],
      ["Older copies put back", anchored ? "Noticed: the keyring remembers the newest state" : "Not noticed after a restart: this backend holds the key only"],
      ["Vault", status.vault_id && h("code", { class: "mono small" }, status.vault_id)],
      ["Stored in", h("span", { class: "mono small" }, root)],
      ["Daemon", `vaultd ${status.version}, started ${ago(status.started)}`],
    ]));
}

/** The badge where no status came: what was true a moment ago is no answer. */
function failedCard(error) {
  return card("Encryption", null, badgeRow(badgeOfFailure(error.reason)), problem(error));
}

/** How often the status is asked for while somebody looks, and how long that may take; in milliseconds. */
const INTERVAL = 3000;
const PATIENCE = 10_000;

/** Asks again and again, as long as the page is looked at: at once when it is looked at anew. */
function whileLookedAt(act, signal) {
  let timer = null;
  const turn = async () => {
    clearTimeout(timer);
    if (document.hidden || signal.aborted) return;
    await act();
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(turn, INTERVAL);
  };
  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return turn();
}

/** Draws into `place` what differs from what it shows, and leaves the focus where it is. */
function drawer(place) {
  let drawn = "";
  return (basis, draw) => {
    const key = JSON.stringify(basis);
    if (key === drawn) return;
    drawn = key;
    const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    show(place, draw());
    if (focused !== null) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  };
}

/** Shows the panel, until `signal` aborts. */
export async function storagePanel(main, { signal }) {
  begin(main, "Storage", "What the vault holds, and by which key it is sealed.");
  const top = h("div", { class: "stack" }, h("p", { class: "muted" }, "Loading…"));
  const below = h("div", { class: "stack" });
  const draw = drawer(top);
  const rotation = new RotationCard(signal, { begun: () => shown && drawStatus(), changed: () => refresh() });
  main.append(top, below);
  let shown = null;
  let newest = 0;

  function drawStatus() {
    const { anchored } = shown;
    // From the click on, whatever the last answer said.
    const status = rotation.asked ? { ...shown.status, key: { ...shown.status.key, rotation: {} } } : shown.status;
    draw({ status, anchored }, () => [badgeCard(status, anchored), status.stores && storesCard(status.stores)]);
  }

  async function refresh() {
    newest += 1;
    const mine = newest;
    const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
    let failure = null;
    let status, anchored;
    try {
      [status, { anchored }] = await Promise.all([vault.status(patience), auth.status(patience)]);
    } catch (error) {
      failure = error;
    }
    // One that was asked later knows better.
    if (signal.aborted || mine !== newest) return;
    if (failure !== null) {
      shown = null;
      // What cannot be done now is not offered; a rotation that is followed stays in sight.
      below.hidden = !rotation.isFollowing;
      draw({ failure: [failure.reason, failure.message] }, () => failedCard(failure));
      return;
    }
    shown = { status, anchored };
    below.hidden = false;
    drawStatus();
    rotation.update(status);
    if (below.childElementCount === 0 && status.key) show(below, rotation.element, archiveCard());
  }
  await whileLookedAt(refresh, signal);
}
