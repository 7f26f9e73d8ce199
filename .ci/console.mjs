// What a person does with the console, one thing after another.
//
// usage: console.mjs BIN_DIR CONVERSATIONS WORK

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Browser } from "./console_browser.mjs";
import { letIn, letInOnThisMachine } from "./console_programs.mjs";
import { Vault, until } from "./console_vault.mjs";

const STORE = "chat/conversations";
const DOCUMENTS = 1500;
const HOSTILE = "<img src=x onerror=\"globalThis.pwned = true\"><script>globalThis.pwned = true</script>";

const [bin, data, work] = process.argv.slice(2);
const step = (text) => console.log(`-- ${text}`);
const button = (page, name) => page.getByRole("button", { name, exact: true });
const dialog = (page) => page.getByRole("dialog");
const panel = async (page, name) => {
  await page.getByRole("navigation", { name: "Panels" }).getByRole("link", { name, exact: true }).click();
  await heading(page, name);
};
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

/** Whether the person touches an authenticator when it asks. */
const touched = (page, authenticatorId, enabled) => page.cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });

/** Real conversations, one of them with a picture, and one that would do harm as markup. */
async function fill(vault, picture) {
  const all = JSON.parse(readFileSync(data, "utf8"));
  const chosen = Object.entries(all).slice(0, DOCUMENTS);
  // One that is worth reading, and that axe-core is done with in a moment.
  const [id, read] = chosen.find(([, { messages }]) => messages.length > 15 && messages.length < 30);
  read.attachments = [{ name: "window.png", content_type: "image/png", data: picture.toString("base64") }];
  const hostile = { title: HOSTILE, messages: [{ role: "user", content: HOSTILE }, { role: HOSTILE, content: "javascript:alert(1)" }] };
  const file = join(work, "conversations.json");
  writeFileSync(file, JSON.stringify({ ...Object.fromEntries(chosen), hostile }));
  await vault.vaultctl("import", STORE, file);
  return { id, texts: read.messages.flat().map((message) => message.text) };
}

async function atAnAddress(vault, browser) {
  step("at an IP address: why there can be no passkey, and where there can");
  const page = await browser.page(`http://127.0.0.1:${vault.port}`);
  await page.goto("/");
  await heading(page, "No passkeys at this address");
  await browser.look(page, "ip-address");
  await page.locator("#better-address").click();
  await heading(page, "Pair this browser");
  assert.equal(new URL(page.url()).origin, vault.origin);
  await page.context().close();
}

async function pair(vault, browser, page) {
  step("pair with a code; a wrong one is refused");
  await page.goto("/");
  await heading(page, "Pair this browser");
  const code = await vault.pairingCode();
  browser.expect(403);
  await page.getByLabel("Pairing code").fill(code === "AAAA-AAAA" ? "BBBB-BBBB" : "AAAA-AAAA");
  await button(page, "Create a passkey").click();
  await page.getByRole("alert").waitFor();
  await browser.look(page, "pair");
  await page.getByLabel("Pairing code").fill(code.toLowerCase());
  await button(page, "Create a passkey").click();
  await heading(page, "Storage");
  browser.check();
}

/** Opens a document that is long on its way, and signs out meanwhile. */
async function signOutMeanwhile(page, { id }) {
  let arrive;
  const arrived = new Promise((resolve) => { arrive = resolve; });
  let sent;
  const under = new Promise((resolve) => { sent = resolve; });
  const address = `**/documents/${id}`;
  await page.route(address, async (route) => {
    const response = await route.fetch();
    sent();
    await arrived;
    await route.fulfill({ response }).catch(() => {});
  });
  await page.goto(`/#/browse/${encodeURIComponent(STORE)}/${id}`);
  await under;
  await button(page, "Sign out").click();
  await heading(page, "Sign in");
  arrive();
  await page.unrouteAll({ behavior: "wait" });
  await page.evaluate(() => fetch("api/auth/status").then((response) => response.text()));
  assert.equal(await page.locator("#talk").count(), 0, "nobody is signed in, and nothing is shown");
  await page.goto("/#/storage");
}

async function signOutAndIn(browser, page, authenticator, conversation) {
  step("sign out while a document is on its way, and in again: by the button, and by the browser's own list");
  await touched(page, authenticator, false);
  await signOutMeanwhile(page, conversation);
  await heading(page, "Sign in");
  await browser.look(page, "sign-in");
  // By then the list's own request has been given up, so it is the button's that is touched.
  await page.route("**/login/begin", async (route) => {
    await touched(page, authenticator, true);
    await route.continue();
  }, { times: 1 });
  await button(page, "Sign in with a passkey").click();
  await heading(page, "Storage");
  // An authenticator that is touched at once stands for a person who chooses from the list.
  const again = page.waitForResponse("**/login/finish");
  await button(page, "Sign out").click();
  assert.equal((await again).status(), 200);
  await button(page, "Sign out").waitFor();
  await heading(page, "Storage");
  browser.check();
}

async function secondPasskey(browser, page, first) {
  step("a second passkey, with another name, and revoked");
  await panel(page, "Access");
  const list = page.locator("#passkeys > li");
  await until(async () => (await list.count()) === 1, "one passkey is listed");
  // The first authenticator has a passkey already; the person touches the second.
  await touched(page, first, false);
  const second = await browser.authenticator(page, "usb");
  await button(page, "Add a passkey").click();
  await until(async () => (await list.count()) === 2, "two passkeys are listed");
  await list.nth(1).getByRole("button", { name: /^Rename/ }).click();
  await dialog(page).getByLabel("Name").fill(HOSTILE.slice(0, 60));
  await dialog(page).getByRole("button", { name: "Rename" }).click();
  await list.filter({ hasText: HOSTILE.slice(0, 60) }).waitFor();
  await list.nth(1).getByRole("button", { name: /^Rename/ }).click();
  await dialog(page).getByLabel("Name").fill("A key on my ring");
  await dialog(page).getByRole("button", { name: "Rename" }).click();
  const renamed = list.filter({ hasText: "A key on my ring" });
  await renamed.waitFor();
  await browser.look(page, "access");
  await renamed.getByRole("button", { name: /^Revoke/ }).click();
  await dialog(page).waitFor();
  await browser.look(page, "revoke");
  await dialog(page).getByRole("button", { name: "Revoke", exact: true }).click();
  await until(async () => (await list.count()) === 1, "the passkey is gone");
  await page.cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId: second });
  browser.check();
}

async function token(vault, browser, page) {
  step("a token: shown once, used with curl, bounded by its scope, revoked");
  await panel(page, "Access");
  await button(page, "New token").click();
  await dialog(page).getByLabel("Name").fill("reader");
  await dialog(page).getByLabel("Stores").fill(STORE);
  await browser.look(page, "new-token");
  await dialog(page).getByRole("button", { name: "Create" }).click();
  const secret = await page.getByLabel("The token").textContent();
  assert.match(secret, /^vaultd_/);
  await browser.look(page, "token-shown");
  const bearer = ["--header", `authorization: Bearer ${secret}`];
  const path = `/api/stores/${encodeURIComponent(STORE)}/documents`;
  assert.equal((await vault.curl(path)).status, 401, "nobody reads");
  const read = await vault.curl(path, ...bearer);
  assert.equal(read.status, 200);
  assert.equal(JSON.parse(read.body).documents.length, 100);
  const write = ["--request", "PUT", "--header", "content-type: application/json", "--data", "{}"];
  assert.equal((await vault.curl(`${path}/new`, ...bearer, ...write)).status, 403, "a reader does not write");
  await page.reload();
  const listed = page.locator("#tokens > li").filter({ hasText: "reader" });
  await listed.waitFor();
  assert.equal((await page.content()).includes(secret), false, "the token is shown once");
  await listed.getByRole("button", { name: /^Revoke/ }).click();
  await dialog(page).getByRole("button", { name: "Revoke", exact: true }).click();
  await listed.waitFor({ state: "detached" });
  assert.equal((await vault.curl(path, ...bearer)).status, 401, "what is revoked reads nothing");
  browser.check();
  return secret;
}

const badge = (page, state) => page.locator(`#badge[data-state="${state}"]`).waitFor();

async function rotate(browser, page) {
  step("rotate every key, with progress, while the page goes on");
  await panel(page, "Storage");
  await badge(page, "encrypted");
  await browser.look(page, "storage");
  const before = await page.locator("#fingerprint").textContent();
  await page.getByLabel("Replace every key and rewrite everything").check();
  await button(page, "Rotate").click();
  const progress = page.getByRole("progressbar", { name: "Rotation" });
  await page.evaluate(() => {
    globalThis.seen = new Set();
    const bar = document.querySelector("progress");
    new MutationObserver(() => globalThis.seen.add(bar.value)).observe(bar, { attributes: true });
  });
  // Before the daemon has heard of it the badge is green no more.
  await page.route("**/key/rotate", async (route) => {
    await badge(page, "rotating");
    await route.continue();
  }, { times: 1 });
  await dialog(page).getByRole("button", { name: "Rotate" }).click();
  await progress.waitFor();
  await until(() => page.evaluate(() => [...globalThis.seen].some((value) => value > 0 && value < 100)), "the progress moves");
  await page.getByText("The vault is sealed by a new key.").waitFor({ timeout: 120_000 });
  assert.ok((await page.evaluate(() => globalThis.seen.size)) > 3, "more than a jump is seen");
  await browser.look(page, "rotated");
  await badge(page, "encrypted");
  assert.notEqual(await page.locator("#fingerprint").textContent(), before);
  browser.check();
}

async function takeAway(vault, browser, page) {
  step("a backup that vaultctl verifies, and an export in the clear that has to be meant");
  await panel(page, "Storage");
  const passphrase = "correct horse battery";
  await button(page, "Back up first").click();
  await dialog(page).getByLabel("Passphrase").fill(passphrase);
  await dialog(page).getByLabel("The same again").fill(passphrase);
  const backup = join(work, "vault.backup");
  const [saved] = await Promise.all([page.waitForEvent("download"), dialog(page).getByRole("button", { name: "Save the backup" }).click()]);
  await saved.saveAs(backup);
  const file = join(work, "passphrase");
  writeFileSync(file, `${passphrase}\n`, { mode: 0o600 });
  await vault.vaultctl("backup", "verify", backup, "--export-passphrase-file", file);
  await button(page, "Export plaintext").click();
  const go = dialog(page).getByRole("button", { name: "Export in the clear" });
  assert.equal(await go.isDisabled(), true, "the word has to be typed");
  await browser.look(page, "export-plaintext");
  await dialog(page).getByLabel(/Type/).fill("plaintext");
  const [exported] = await Promise.all([page.waitForEvent("download"), go.click()]);
  const tar = join(work, "vault.tar");
  await exported.saveAs(tar);
  assert.ok(readFileSync(tar).includes("globalThis.pwned"), "it is in the clear");
  browser.check();
}

async function migration(vault, browser, page) {
  step("files of an earlier application, then a lock: no green badge until all is sealed and open");
  const folder = join(work, "earlier");
  mkdirSync(folder);
  for (const name of ["one", "two"]) writeFileSync(join(folder, `${name}.json`), JSON.stringify({ name }));
  // The page is not touched meanwhile: the badge sees by itself what happens elsewhere.
  await vault.vaultctl("store", "adopt", "earlier", folder);
  await badge(page, "awaiting-migration");
  await browser.look(page, "awaiting-migration");
  await vault.vaultctl("store", "migrate", "earlier");
  await badge(page, "encrypted");
  browser.tolerate(503);
  await vault.vaultctl("lock");
  await badge(page, "locked");
  await browser.look(page, "locked-meanwhile");
  await vault.vaultctl("unlock");
  await badge(page, "encrypted");
  browser.check();
}

async function browse(browser, page, { id, texts }) {
  step("browse: a page of documents, a conversation with its picture, JSON, blobs; markup stays text");
  await panel(page, "Browse");
  await page.locator("#stores").waitFor();
  await browser.look(page, "browse");
  await page.getByRole("link", { name: new RegExp(`^${STORE}`) }).click();
  const rows = page.locator("#documents > tr");
  await until(async () => (await rows.count()) === 50, "a page is listed");
  await button(page, "Show more").click();
  await until(async () => (await rows.count()) === 100, "and the next");
  await page.goto(`/#/browse/${encodeURIComponent(STORE)}/${id}`);
  await page.locator("#talk").waitFor();
  assert.deepEqual((await page.locator("#talk .said").allTextContents()).slice(0, 50), texts.slice(0, 50));
  const picture = page.locator("figure img");
  await until(() => picture.evaluate((image) => image.naturalWidth > 100), "the picture is drawn");
  await browser.look(page, "conversation");
  await button(page, "JSON").click();
  await page.getByRole("region", { name: "JSON" }).waitFor();
  await browser.look(page, "json");
  await page.goto(`/#/browse/${encodeURIComponent(STORE)}/hostile`);
  await page.getByText(HOSTILE).first().waitFor();
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  await page.goto("/#/browse/blobs");
  await until(() => page.locator("#blobs img").first().evaluate((image) => image.naturalWidth > 100), "a thumbnail is drawn");
  await browser.look(page, "blobs");
  browser.check();
}

async function activityAndUpkeep(browser, page) {
  step("what happened, and upkeep");
  await panel(page, "Activity");
  await page.locator("#events > li").first().waitFor();
  await browser.look(page, "activity");
  await page.getByLabel("Refusals only").check();
  await page.locator("#events > li").filter({ hasText: "refused" }).first().waitFor();
  await panel(page, "Upkeep");
  await button(page, "Run all of it now").click();
  await page.getByText("Remove unnamed blobs").first().waitFor();
  await browser.look(page, "upkeep");
  browser.check();
}

async function keyboard(page) {
  step("by keyboard alone");
  await page.goto("/#/storage");
  await heading(page, "Storage");
  assert.equal(await page.evaluate(() => document.querySelector("a, button, input").className), "skip", "it comes first");
  await page.locator(".skip").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.getByRole("link", { name: "Access" }).focus();
  await page.keyboard.press("Enter");
  await heading(page, "Access");
  await until(() => page.evaluate(() => document.activeElement.textContent === "Access"), "the heading has the focus");
  await button(page, "New token").focus();
  await page.keyboard.press("Enter");
  await dialog(page).waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "New token", "the focus comes back");
}

async function everyoneOut(vault, browser, page) {
  step("sign everyone out: another browser, and this one");
  const cookies = await page.context().cookies();
  const { name, value } = cookies.find((cookie) => cookie.name === "vaultd_sess");
  const cookie = ["--header", `cookie: ${name}=${value}`];
  assert.equal((await vault.curl("/api/stores", ...cookie)).status, 200);
  await panel(page, "Access");
  await button(page, "Sign everyone out").click();
  await dialog(page).getByRole("button", { name: "Sign everyone out" }).click();
  await heading(page, "Sign in");
  assert.equal((await vault.curl("/api/stores", ...cookie)).status, 401);
  browser.check();
  return value;
}

async function lockedAndOpen(vault, browser, page) {
  step("a locked vault says so; one that lets everybody in warns");
  await vault.vaultctl("lock");
  await page.reload();
  await heading(page, "The vault is locked");
  await browser.look(page, "locked");
  await vault.vaultctl("unlock");
  await button(page, "Try again").click();
  await heading(page, "Sign in");
  await vault.vaultctl("auth", "configure", "--require-auth", "off", "--yes");
  await page.reload();
  await heading(page, "Access");
  await page.getByRole("region", { name: "Warnings" }).waitFor();
  await browser.look(page, "require-auth-off");
  await panel(page, "Storage");
  browser.tolerate(401);
  await vault.vaultctl("auth", "configure", "--require-auth", "on", "--yes");
  await heading(page, "Sign in");
  browser.check();
}

async function elsewhere(vault, browser) {
  step("an address that nobody admitted; and one that has no passkey yet, with and without a code");
  const unlisted = await browser.page(vault.elsewhere, { "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1" });
  await unlisted.goto("/");
  await heading(unlisted, "This address is not listed");
  await browser.look(unlisted, "unlisted");
  await unlisted.context().close();
  await vault.vaultctl("auth", "configure", "--first-pair", "open", "--yes");
  const first = await browser.page(vault.origin.replace("localhost", "first.localhost"));
  await first.goto("/");
  await badge(first, "encrypted");
  await first.getByRole("region", { name: "Warnings" }).waitFor();
  await browser.look(first, "first-pair-open");
  browser.tolerate(401);
  await vault.vaultctl("auth", "configure", "--first-pair", "code", "--yes");
  await heading(first, "Pair this browser");
  await first.context().close();
  browser.check();
}

async function main() {
  const vault = await Vault.start(bin, work);
  let browser;
  try {
    browser = await Browser.start(vault);
    const page = await browser.page();
    await page.goto("/");
    await page.getByRole("heading", { level: 1 }).waitFor();
    const conversation = await fill(vault, await page.screenshot());
    await vault.vaultctl("auth", "configure", "--loopback-bypass", "off", "--yes");
    await atAnAddress(vault, browser);
    const first = await browser.authenticator(page, "internal");
    await pair(vault, browser, page);
    await signOutAndIn(browser, page, first, conversation);
    await secondPasskey(browser, page, first);
    const secrets = [await token(vault, browser, page)];
    await rotate(browser, page);
    await takeAway(vault, browser, page);
    await migration(vault, browser, page);
    await browse(browser, page, conversation);
    await activityAndUpkeep(browser, page);
    await keyboard(page);
    await letIn(vault, browser, page);
    await letInOnThisMachine(vault, browser, page);
    secrets.push(await everyoneOut(vault, browser, page));
    await lockedAndOpen(vault, browser, page);
    await elsewhere(vault, browser);
    for (const log of vault.logs()) {
      for (const secret of secrets) assert.equal(log.includes(secret), false, "a secret stands in a log");
    }
    step("done");
  } catch (error) {
    for (const log of vault.logs()) process.stderr.write(log.split("\n").slice(-40).join("\n"));
    throw error;
  } finally {
    await browser?.stop();
    vault.stop();
  }
}

await main();
