// A vault of one's own with its gateway, for the check of the console.

import { execFile, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
/** A name that is nobody's (RFC 6761). */
const ELSEWHERE = "vault.test";
const PATIENCE = 20_000;

/** Waits for a condition, and gives what it gave. */
export async function until(condition, what) {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const given = await condition();
    if (given) return given;
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await pause(20);
  }
}

/** A daemon with a key in memory, and gateways before it. */
export class Vault {
  #children = [];

  static async start(bin, work) {
    const vault = new Vault();
    const root = join(work, "root");
    vault.bin = bin;
    vault.work = work;
    // Built anew: no variable of the caller's names another vault.
    vault.environment = {
      PATH: process.env.PATH, HOME: work, VAULTD_DATA_DIR: root, VAULTD_SOCKET: join(root, "s.sock"),
      VAULTD_CONFIG_DIR: join(work, "config"), XDG_RUNTIME_DIR: work,
    };
    mkdirSync(join(work, "config"));
    vault.#spawn("vaultd", ["--ephemeral", "--log", "warn", "--data-dir", root, "--socket", join(root, "s.sock")]);
    await until(() => vault.vaultctl("--no-autostart", "status").then(() => true, () => false), "the daemon answers");
    vault.port = await vault.#gateway("vault-gateway");
    vault.origin = `http://localhost:${vault.port}`;
    // As one behind a proxy that speaks HTTPS, which the page's own headers stand for; nobody admitted it.
    vault.elsewhere = `http://${ELSEWHERE}:${await vault.#gateway("behind-a-proxy", "--trusted-proxy", "127.0.0.1/32")}`;
    return vault;
  }

  /** The port of one that is ready. */
  async #gateway(name, ...options) {
    const log = this.#spawn("vault-gateway", ["--no-autostart", "--bind", "127.0.0.1:0", "--log", "info", ...options], name);
    const ready = await until(() => /address=http:\/\/localhost:(\d+)\//.exec(readFileSync(log, "utf8")), "the gateway is ready");
    return Number(ready[1]);
  }

  #spawn(program, options, name = program) {
    const log = join(this.work, `${name}.log`);
    writeFileSync(log, "");
    const child = spawn(join(this.bin, program), options, { env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    const file = createWriteStream(log, { flags: "a" });
    child.stdout.pipe(file, { end: false });
    child.stderr.pipe(file, { end: false });
    this.#children.push(child);
    return log;
  }

  /** What `vaultctl` prints. */
  async vaultctl(...options) {
    const { stdout } = await run(join(this.bin, "vaultctl"), options, { env: this.environment, timeout: PATIENCE });
    return stdout;
  }

  /** A `vaultctl` that goes on. */
  begin(...options) {
    const child = spawn(join(this.bin, "vaultctl"), options, { env: this.environment, stdio: ["ignore", "pipe", "pipe"] });
    this.#children.push(child);
    child.text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { child.text += data; });
    child.ended = new Promise((resolve) => { child.once("exit", resolve); });
    return child;
  }

  /** A pairing code from the command line. */
  async pairingCode(...options) {
    const code = /[0-9A-Z]{4}-[0-9A-Z]{4}/.exec(await this.vaultctl("auth", "pair", ...options));
    if (code === null) throw new Error("`vaultctl auth pair` printed no code");
    return code[0];
  }

  /** The status curl gets, and the body. */
  async curl(path, ...options) {
    const { stdout } = await run("curl", ["--silent", "--max-time", "20", "--write-out", "\n%{http_code}", ...options, this.origin + path]);
    const at = stdout.lastIndexOf("\n");
    return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
  }

  /** What the programs have logged. */
  logs() {
    return ["vaultd", "vault-gateway", "behind-a-proxy"].map((program) => readFileSync(join(this.work, `${program}.log`), "utf8"));
  }

  stop() {
    for (const child of this.#children.reverse()) child.kill();
  }
}
