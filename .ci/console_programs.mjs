// Programs that are let in by whoever is signed in: by a code that is typed, and over a listener.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { until } from "./console_vault.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/** `vaultctl auth login --device`, approved under /device. */
export async function letIn(vault, browser, page) {
  console.log("-- a program on another machine: its code is typed, and approved");
  const login = vault.begin("--base-url", vault.origin, "auth", "login", "--device");
  const [code] = await until(() => /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(login.text), "vaultctl prints a code");
  await page.goto("/device");
  browser.expect(403);
  await page.getByLabel("Code").fill("AAAA-AAAA");
  await button(page, "Go on").click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Code").fill(code);
  await button(page, "Go on").click();
  await button(page, "Approve").waitFor();
  await browser.look(page, "device");
  await button(page, "Approve").click();
  await page.getByText("is let in").first().waitFor();
  assert.equal(await login.ended, 0, login.text);
  const { stores } = JSON.parse((await vault.vaultctl("--base-url", vault.origin, "--json", "status")));
  assert.ok(stores > 0, "the token opens the vault");
  browser.check();
}

/** A listener on the loopback, as a program has it. */
async function listener() {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url, "http://listener").searchParams);
    // With an icon, and an empty one: asked for when nobody listens any more, it would be an error of the page.
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><link rel="icon" href="data:,"><p>You can close this page.');
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  return { asked, server, redirect: `http://127.0.0.1:${server.address().port}/callback` };
}

/** `vaultctl auth login`, approved under /authorize; and one that is refused. */
export async function letInOnThisMachine(vault, browser, page) {
  console.log("-- a program on this machine: refused, sent elsewhere, approved");
  const { asked, server, redirect } = await listener();
  const request = {
    label: "a program", scope: "chat/*:read", code_challenge: CHALLENGE, code_challenge_method: "S256", redirect_uri: redirect, state: "the-state",
  };
  await page.goto(`/authorize?${new URLSearchParams(request)}`);
  await button(page, "Refuse").click();
  await until(() => asked.find((answer) => answer.get("error") === "access_denied"), "the refusal arrives");
  await page.waitForURL((url) => url.href.startsWith(redirect));
  assert.equal(asked[0].get("state"), "the-state");
  server.close();
  await page.goto(`/authorize?${new URLSearchParams({ ...request, redirect_uri: "https://elsewhere.example/" })}`);
  await page.getByText("not on this machine").waitFor();
  assert.equal(await button(page, "Approve").count(), 0);

  const login = vault.begin("--base-url", vault.origin, "auth", "login", "--no-browser");
  const [address] = await until(() => /http:\/\/localhost:\d+\/authorize\?\S+/.exec(login.text), "vaultctl prints the address");
  await page.goto(address);
  await button(page, "Approve").waitFor();
  await browser.look(page, "authorize");
  await button(page, "Approve").click();
  assert.equal(await login.ended, 0, login.text);
  // Another page can be asked for once this one, which vaultctl serves, is there.
  await page.waitForURL((url) => url.pathname === "/callback");
  await page.goto("/#/storage");
  browser.check();
}
