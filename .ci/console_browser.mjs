// A Chromium that minds what a page does wrong, and has passkeys.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../target/node/", import.meta.url));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const SCREENSHOTS = new URL("../target/console-screenshots/", import.meta.url).pathname;
const WIDE = { width: 1280, height: 860 };
const NARROW = { width: 390, height: 844 };
const AUTHENTICATOR = {
  protocol: "ctap2", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
};

export class Browser {
  #wrong = [];
  #expected = [];
  #tolerated = [];

  static async start({ origin, elsewhere }) {
    const browser = new Browser();
    rmSync(SCREENSHOTS, { recursive: true, force: true });
    mkdirSync(SCREENSHOTS, { recursive: true });
    browser.origin = origin;
    // Without its sandbox, since CI runs as root; it opens pages of this vault only. The name that nobody
    // has leads here, and counts as if it had a certificate.
    const args = ["--no-sandbox", `--host-resolver-rules=MAP ${new URL(elsewhere).hostname} 127.0.0.1`, `--unsafely-treat-insecure-origin-as-secure=${elsewhere}`];
    browser.chromium = await chromium.launch({ executablePath: process.env.CHROMIUM, args });
    return browser;
  }

  /** A page in a profile of its own. */
  async page(origin = this.origin, extraHTTPHeaders = {}) {
    const context = await this.chromium.newContext({ viewport: WIDE, baseURL: origin, acceptDownloads: true, extraHTTPHeaders });
    await context.exposeBinding("reportViolation", (_, what) => this.#wrong.push(`violation of the policy: ${what}`));
    await context.addInitScript(() => addEventListener("securitypolicyviolation", (event) => {
      globalThis.reportViolation(`${event.violatedDirective}: ${event.blockedURI} in ${event.sourceFile}:${event.lineNumber}`);
    }));
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("pageerror", (error) => this.#wrong.push(`error of the page: ${error.stack}`));
    page.on("console", (message) => { if (message.type() === "error") this.#console(message); });
    page.cdp = await context.newCDPSession(page);
    await page.cdp.send("WebAuthn.enable");
    return page;
  }

  /** A new authenticator, which holds the passkeys of the page from now on. */
  async authenticator(page, transport) {
    const { authenticatorId } = await page.cdp.send("WebAuthn.addVirtualAuthenticator", { options: { ...AUTHENTICATOR, transport } });
    return authenticatorId;
  }

  #console(message) {
    const text = message.text();
    const status = /server responded with a status of (\d+)/.exec(text);
    const at = status === null ? -1 : this.#expected.indexOf(Number(status[1]));
    // The browser notes each refusal that it sees; the ones that were provoked are no error.
    if (at >= 0) this.#expected.splice(at, 1);
    else if (status === null || !this.#tolerated.includes(Number(status[1]))) this.#wrong.push(`error in the browser's console: ${text} (${message.location().url})`);
  }

  /** What follows provokes answers with these statuses. */
  expect(...statuses) {
    this.#expected.push(...statuses);
  }

  /** What follows may be answered with these statuses, as often as the page asks. */
  tolerate(...statuses) {
    this.#tolerated.push(...statuses);
  }

  /** Fails with whatever went wrong since the last time; what was provoked must have come. */
  check() {
    const [wrong, missing] = [this.#wrong, this.#expected];
    this.#wrong = [];
    this.#expected = [];
    this.#tolerated = [];
    assert.deepEqual(wrong, []);
    assert.deepEqual(missing, [], "these statuses were provoked and did not come");
  }

  /** Looks at the page as it is: both schemes, and narrow; and has axe-core look for barriers. */
  async look(page, name) {
    // A dialog is over what is in sight; without one the whole of the page is looked at.
    const fullPage = (await page.getByRole("dialog").count()) === 0;
    if (fullPage) await page.evaluate(() => scrollTo(0, 0));
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${scheme}.png`), fullPage });
      await this.#barriers(page, `${name}, ${scheme}`);
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(NARROW);
    await page.screenshot({ path: join(SCREENSHOTS, `${name}-narrow.png`) });
    const overflows = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(overflows, false, `${name} is wider than a narrow screen`);
    await page.setViewportSize(WIDE);
  }

  async #barriers(page, name) {
    // Over the debugger: the page's policy lets no script of another origin in.
    await page.cdp.send("Runtime.evaluate", { expression: AXE });
    const { violations } = await page.evaluate(() => globalThis.axe.run());
    const told = violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
    assert.deepEqual(told, [], `barriers in ${name}`);
  }

  async stop() {
    await this.chromium.close();
  }
}
