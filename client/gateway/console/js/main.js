// The page: who is here, which panel it is, and the way between them.

import { auth, onSignedOut } from "./api.js";
import { accessPanel } from "./access.js";
import { activityPanel } from "./activity.js";
import { authorizePage } from "./authorize.js";
import { browsePanel } from "./browse.js";
import { devicePage } from "./device.js";
import { dismiss, tell } from "./dialog.js";
import { announce, busy, h, notice, prose, show } from "./dom.js";
import { screen, screenOfFailure } from "./entry.js";
import { sentence } from "./format.js";
import { problem } from "./problem.js";
import { signOut, stopWaiting, visitorScreen } from "./signin.js";
import { storagePanel } from "./storage.js";
import { themeSwitch } from "./theme.js";
import { upkeepPanel } from "./upkeep.js";

const PANELS = [
  ["storage", "Storage", storagePanel],
  ["browse", "Browse", browsePanel],
  ["access", "Access", accessPanel],
  ["activity", "Activity", activityPanel],
  ["upkeep", "Upkeep", upkeepPanel],
];
const PAGES = { device: devicePage, authorize: authorizePage };
const WHO = { owner: "On this machine", loopback: "On this machine", open: "Nobody has to sign in", token: "Signed in by a token" };

/** The page of its own that the address names, if it is one. */
const page = PAGES[location.pathname.split("/").at(-1)];
const element = (id) => document.getElementById(id);
const main = element("main");
let status = null;
/** Ends what the panel that is left still does. */
let leaving = new AbortController();
/** The look that counts: an answer to an earlier one is old news. */
let newest = 0;

function showWarnings(warnings) {
  const place = element("warnings");
  place.hidden = warnings.length === 0;
  show(place, warnings.map((warning) => notice("warn", h("p", {}, prose(sentence(warning))))));
}

function showFrame(inside) {
  element("nav").hidden = !inside || Boolean(page);
  element("sign-out").hidden = !inside || status.principal !== "session";
  element("who").textContent = inside ? WHO[status.principal] ?? "" : "";
  showWarnings(status?.warnings ?? []);
}

function showNav(current) {
  const links = PANELS.map(([name, label]) => h("li", {}, h("a", { href: `./#/${name}`, "aria-current": name === current ? "page" : undefined }, label)));
  show(element("nav"), h("ul", {}, links));
}

/** The panel that the address names, and what in it. */
function route() {
  const parts = location.hash.startsWith("#/") ? location.hash.slice(2).split("/") : [];
  const [name, ...path] = parts.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  const panel = PANELS.find(([known]) => known === name) ?? PANELS[0];
  return { panel, path: path.filter((part) => part !== "") };
}

async function showPanel() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const { panel: [name, , draw], path } = route();
  showNav(page ? null : name);
  try {
    await (page ?? draw)(main, { status, signal, path, signedOut: () => look("Signed out"), signedIn: () => look("Signed in") });
  } catch (error) {
    if (!signal.aborted) main.append(problem(error));
  }
}

/** Looks who is here, and shows what they may see. */
async function look(news) {
  leaving.abort();
  newest += 1;
  const mine = newest;
  let found = null;
  let failure = null;
  try {
    found = await auth.status();
  } catch (error) {
    failure = error;
  }
  if (mine !== newest) return;
  status = found;
  const name = failure ? screenOfFailure(failure.reason) : screen(status);
  showFrame(name === "console");
  if (name === "console") {
    stopWaiting();
    await showPanel();
  } else {
    dismiss();
    visitorScreen(main, name, { status, told: failure?.message ?? status.explanation, enter: look, again: () => look() });
  }
  if (news) announce(news);
}

themeSwitch(element("theme"));
element("sign-out").addEventListener("click", ({ currentTarget }) => busy(currentTarget, async () => {
  await signOut();
  await look("Signed out");
}));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
const inside = () => status !== null && screen(status) === "console";
window.addEventListener("hashchange", () => {
  if (inside()) showPanel();
});
document.addEventListener("failed", ({ detail }) => {
  if (detail.name !== "AbortError" && inside()) tell(detail);
});
// What let somebody in, a session, a token or a rule, may end elsewhere: it ends here at the next request.
let doubted = false;
onSignedOut(async () => {
  if (doubted || !inside()) return;
  doubted = true;
  const now = await auth.status().catch(() => null);
  doubted = false;
  // Whoever is let in still sees the refusal where it came, and not the panel drawn anew for ever.
  if (now === null || screen(now) !== "console") await look("Signed out");
});
look();
