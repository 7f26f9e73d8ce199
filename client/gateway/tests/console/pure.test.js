import assert from "node:assert/strict";
import test from "node:test";

import { answerAddress, authorization, isLoopbackListener } from "../../console/js/authorization.js";
import { betterAddress, isNumber, screen, screenOfFailure } from "../../console/js/entry.js";
import { EventParser } from "../../console/js/events.js";
import { ago, bytes, count, deed, percent, short, time } from "../../console/js/format.js";
import { describe, parse } from "../../console/js/scopes.js";

const ASKED = {
  label: "vaultctl on laptop",
  scope: "chat/*:read",
  code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  code_challenge_method: "S256",
  redirect_uri: "http://127.0.0.1:40123/callback",
  state: "xyz",
};

test("a visitor's screen", () => {
  const visitor = { principal: "nobody", rp_id: "localhost", host_admitted: true, paired: true };
  assert.equal(screen(visitor), "sign-in");
  assert.equal(screen({ ...visitor, paired: false }), "pair");
  assert.equal(screen({ ...visitor, host_admitted: false }), "unlisted");
  assert.equal(screen({ ...visitor, rp_id: "", host_admitted: false }), "unfit");
  for (const [unavailable, expected] of [["LOCKED", "locked"], ["AUTH_ROLLED_BACK", "rolled-back"], ["AUTH_UNAVAILABLE", "unavailable"]]) {
    assert.equal(screen({ ...visitor, unavailable }), expected);
  }
  for (const principal of ["session", "loopback", "open", "token"]) assert.equal(screen({ ...visitor, principal }), "console");
  for (const principal of ["someone", undefined]) assert.equal(screen({ ...visitor, principal }), "sign-in");
});

test("a visitor's screen where the status fails", () => {
  const screens = [
    ["LOCKED", "locked"], ["WRONG_KEY", "locked"], ["AUTH_ROLLED_BACK", "rolled-back"], ["AUTH_UNAVAILABLE", "unavailable"],
    ["HOST_NOT_ADMITTED", "unlisted"], ["ORIGIN_UNFIT", "unfit"], ["NO_DAEMON", "unreachable"], [undefined, "unreachable"],
  ];
  for (const [reason, expected] of screens) assert.equal(screenOfFailure(reason), expected);
});

test("the address to use in place of an IP address", () => {
  assert.equal(betterAddress("http://127.0.0.1:7787/device?code=A#/x"), "http://localhost:7787/device?code=A#/x");
  assert.equal(betterAddress("http://[::1]:7787/"), "http://localhost:7787/");
  assert.equal(betterAddress("http://192.168.1.7:7787/"), null);
  assert.deepEqual(["[::1]", "192.168.1.7", "vault.example.org", "1.2.3.4.example.org"].map(isNumber), [true, true, false, false]);
});

test("an answer goes to a listener on the loopback only", () => {
  for (const good of ["http://127.0.0.1:8123/callback", "http://[::1]:8123/"]) assert.ok(isLoopbackListener(good), good);
  const bad = ["https://127.0.0.1:8123/", "http://127.0.0.1/", "http://localhost:8123/", "http://127.0.0.1.evil.example:80/", "http://127.0.0.1:1@evil.example:2/", "http://user@127.0.0.1:8123/",
    "javascript:alert(1)", "", "//127.0.0.1:1/", "http://127.0.0.1:8123/#x", "http://127.0.0.1:8123/?x=1",
    "http://127.0.0.1:8123/?", "http://127.0.0.1:8123/#", "http://127.0.0.1:8123", "http://127.1:8123/", "http://127.0.0.1:80/", "HTTP://127.0.0.1:8123/"];
  for (const address of bad) assert.ok(!isLoopbackListener(address), address);
});

test("what a program asks for", () => {
  const { request } = authorization(new URLSearchParams(ASKED).toString());
  assert.deepEqual(request.scopes, [{ stores: "chat/*", permission: "read" }]);
  assert.equal(request.label, "vaultctl on laptop");
  assert.equal(answerAddress(request.redirect_uri, { code: "a b", state: "xyz" }), "http://127.0.0.1:40123/callback?code=a+b&state=xyz");
});

test("a request that lacks something, or says it twice, is refused", () => {
  for (const name of Object.keys(ASKED).filter((name) => name !== "label")) {
    const { [name]: _, ...rest } = ASKED;
    assert.ok(authorization(new URLSearchParams(rest).toString()).problem, `without ${name}`);
  }
  const twice = `${new URLSearchParams(ASKED)}&redirect_uri=http://127.0.0.1:9/`;
  assert.ok(authorization(twice).problem);
  assert.ok(authorization(new URLSearchParams({ ...ASKED, code_challenge_method: "plain" }).toString()).problem);
  assert.ok(authorization(new URLSearchParams({ ...ASKED, scope: "*:everything" }).toString()).problem);
});

test("scopes in words", () => {
  assert.match(describe(parse("*:admin")), /Administer everything/);
  assert.equal(describe(parse("chat/*:write")), "Read and change every store below chat");
  assert.equal(describe(parse("chat/conversations:read")), "Read chat/conversations");
  for (const none of ["", ":read", "chat", "chat:all", "chat:constructor"]) assert.equal(parse(none), null, none);
});

test("server-sent events, however they are cut", () => {
  const text = ": hello\n\nevent: progress\ndata: {\"a\":\ndata: 1}\n\ndata: last\r\n\r\ndata: cut";
  for (let size = 1; size <= text.length; size += 1) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(events, [{ event: "progress", data: "{\"a\":\n1}" }, { event: "message", data: "last" }], `in pieces of ${size}`);
  }
});

test("numbers and times", () => {
  assert.deepEqual([0, 1023, 1024, 1_572_864, 2 ** 50].map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "1024 TiB"]);
  assert.equal(count(1, "store"), "1 store");
  assert.equal(count(2000, "store"), "2,000 stores");
  assert.equal(ago(null), "never");
  const now = Date.parse("2026-01-02T00:00:00Z");
  assert.equal(ago("2026-01-01T23:57:00Z", now), "3 minutes ago");
  assert.equal(ago("2026-01-04T00:00:00Z", now), "in 2 days");
  assert.equal(time("no time"), "never");
  assert.equal(short("a".repeat(64)), "aaaaaaaa…aaaa");
  assert.deepEqual(["/vault.v1.Auth/BeginLogin", "sign-in", "/x/y", ""].map(deed), ["Auth: begin login", "Sign-in", "/x/y", ""]);
  assert.deepEqual([percent(1, 0), percent(1, 4), percent(9, 4)], [0, 25, 100]);
});
