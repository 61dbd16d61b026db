// Access tokens expire, answers get lost, the server goes away: nobody is signed out by it.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import { createDoorward } from "doorward-client";

import { ANA, expired, ME, MemoryStore, ok, pair, problem, QUICK, REFRESH } from "./helpers.js";
import { problemJson, signedOutHook } from "./helpers.js";
import { Proxy } from "./proxy.js";
import { startDoorward, type Settings } from "./server.js";

const UNAVAILABLE = JSON.stringify(problemJson(503, "unavailable"));
const PROBLEM_JSON = "Content-Type: application/problem+json";

/** Ana, signed in through a proxy. `knows`: whether the client knows how old its tokens are. */
async function signedIn(t: TestContext, knows: boolean, settings: Settings = {}) {
  const url = await startDoorward(t, { access_token_ttl: "2s", ...settings });
  const proxy = await Proxy.start(t, url);
  const hook = signedOutHook();
  const store = new MemoryStore();
  const client = () =>
    createDoorward({ mode: "bearer", baseUrl: proxy.url, store, retry: QUICK, ...hook });
  let doorward = client();
  await ok(doorward.register(ANA));
  if (!knows) doorward = client();
  return { url, proxy, store, doorward, codes: hook.codes };
}

for (const knows of [true, false]) {
  const age = knows ? "known" : "unknown";

  test(`tokens of ${age} age are renewed on the way`, async (t) => {
    const { url, proxy, store, doorward, codes } = await signedIn(t, knows);
    await ok(doorward.GET("/api/auth/me"));
    assert.equal(proxy.count(REFRESH), 0);
    for (const round of [1, 2]) {
      await expired(url, store.saved);
      const before = proxy.count(ME);
      assert.equal((await ok(doorward.GET("/api/auth/me"))).email, ANA.email);
      assert.equal(proxy.count(REFRESH), round);
      // The first round is the one whose age may be unknown; then it costs a call.
      assert.equal(proxy.count(ME) - before, knows || round > 1 ? 1 : 2);
    }
    assert.deepEqual(codes, []);
  });

  test(`20 calls with expired tokens of ${age} age refresh once`, async (t) => {
    const { url, proxy, store, doorward, codes } = await signedIn(t, knows);
    await expired(url, store.saved);
    const calls = Array.from({ length: 20 }, () => ok(doorward.GET("/api/auth/me")));
    for (const me of await Promise.all(calls)) assert.equal(me.email, ANA.email);
    assert.equal(proxy.count(REFRESH), 1);
    assert.deepEqual(codes, []);
  });
}

test("a lost answer to a refresh is asked for again", async (t) => {
  const { url, proxy, store, doorward, codes } = await signedIn(t, true);
  await expired(url, store.saved);
  proxy.lose(REFRESH);
  proxy.lose(REFRESH);
  assert.equal((await ok(doorward.GET("/api/auth/me"))).email, ANA.email);
  assert.equal(proxy.count(REFRESH), 3);
  await expired(url, store.saved);
  await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(codes, []);
});

test("while the server is down calls fail, and then go on", async (t) => {
  const { url, proxy, store, doorward, codes } = await signedIn(t, true);
  const before = store.saved;
  await expired(url, store.saved);
  await proxy.down();
  await assert.rejects(doorward.GET("/api/auth/me"), TypeError);
  await assert.rejects(doorward.logout(), TypeError);
  assert.equal(store.saved, before, "still signed in");
  assert.deepEqual(codes, []);
  await proxy.up();
  assert.equal((await ok(doorward.GET("/api/auth/me"))).email, ANA.email);
  assert.deepEqual(codes, []);
});

test("a server that is busy is asked again, and does not sign out", async (t) => {
  const { url, proxy, store, doorward, codes } = await signedIn(t, false);
  const before = store.saved;
  await expired(url, before);
  const busy = (status: string) =>
    proxy.answer(REFRESH, status, [PROBLEM_JSON, "Retry-After: 7"], UNAVAILABLE);
  busy("503 Service Unavailable");
  busy("503 Service Unavailable");
  busy("503 Service Unavailable");
  const error = await problem(doorward.GET("/api/auth/me"), 503, "unavailable");
  assert.equal(error.retryAfter, 7);
  assert.equal(proxy.count(REFRESH), 3);
  assert.equal(store.saved, before, "still signed in");

  busy("429 Too Many Requests");
  proxy.answer(REFRESH, "502 Bad Gateway", ["Content-Type: text/html"], "<h1>Bad Gateway</h1>");
  await ok(doorward.GET("/api/auth/me"));
  assert.equal(proxy.count(REFRESH), 6);

  await expired(url, store.saved);
  proxy.answer(REFRESH, "403 Forbidden", ["Content-Type: text/html"], "<h1>Forbidden</h1>");
  await problem(doorward.GET("/api/auth/me"), 403, "unexpected_answer");
  await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(codes, []);
});

test("a call that was overtaken by a refresh does not refresh again", async (t) => {
  const { url, proxy, store, doorward, codes } = await signedIn(t, false);
  await expired(url, store.saved);
  const held = proxy.hold("GET /api/auth/sessions");
  const slow = doorward.GET("/api/auth/sessions");
  await held.reached;
  await ok(doorward.GET("/api/auth/me"));
  assert.equal(proxy.count(REFRESH), 1);
  held.release();
  assert.equal((await ok(slow)).sessions.length, 1);
  assert.equal(proxy.count(REFRESH), 1);
  assert.equal(proxy.count("GET /api/auth/sessions"), 2);
  assert.deepEqual(codes, []);
});

test("signing out waits for a refresh, which does not bring the tokens back", async (t) => {
  const { url, proxy, store, doorward, codes } = await signedIn(t, true);
  await expired(url, store.saved);
  const held = proxy.hold(REFRESH);
  const call = doorward.GET("/api/auth/me");
  await held.reached;
  const logout = doorward.logout();
  await aWhile(proxy.url);
  assert.equal(proxy.count("POST /api/auth/logout"), 0);
  held.release();
  await ok(logout);
  await call;
  assert.equal(store.saved, null);
  await problem(doorward.GET("/api/auth/me"), 401, "no_token");
  assert.deepEqual(codes, []);
});

test("signing out works with an expired access token", async (t) => {
  const { url, proxy, store, doorward } = await signedIn(t, true);
  const { refreshToken } = pair(store.saved);
  await expired(url, store.saved);
  await ok(doorward.logout());
  assert.equal(proxy.count(REFRESH), 0);
  assert.equal(store.saved, null);
  const replay = await fetch(url + "/api/auth/refresh", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ refreshToken }),
  });
  assert.equal(replay.ok, false, "the session has ended");
});

test("signing out everywhere renews an expired access token first", async (t) => {
  const { url, proxy, store, doorward, codes } = await signedIn(t, false);
  await expired(url, store.saved);
  await ok(doorward.logoutAll());
  assert.equal(proxy.count(REFRESH), 1);
  assert.equal(store.saved, null);
  assert.deepEqual(codes, []);
});

test("who gives up waiting does not stop the others", async (t) => {
  const { url, proxy, store, doorward } = await signedIn(t, true);
  await expired(url, store.saved);
  const held = proxy.hold(REFRESH);
  const abort = new AbortController();
  const impatient = doorward.GET("/api/auth/me", { signal: abort.signal });
  const patient = doorward.GET("/api/auth/me");
  await held.reached;
  abort.abort();
  await assert.rejects(impatient, { name: "AbortError" });
  held.release();
  await ok(patient);
  assert.equal(proxy.count(REFRESH), 1);
});

test("a wall clock that jumps changes nothing", async (t) => {
  const wallClock = Date.now;
  let years = 10;
  t.mock.method(Date, "now", () => wallClock() + years * 365 * 86_400_000);
  const { url, proxy, store, doorward, codes } = await signedIn(t, true);
  years = 20;
  await ok(doorward.GET("/api/auth/me"));
  assert.equal(proxy.count(REFRESH), 0, "not taken for expired");
  years = -10;
  await expired(url, store.saved);
  await ok(doorward.GET("/api/auth/me"));
  assert.equal(proxy.count(REFRESH), 1);
  assert.equal(proxy.count(ME), 2, "known to be expired");
  assert.deepEqual(codes, []);
});

/** A few answers later, what was going to be sent has been. */
async function aWhile(url: string): Promise<void> {
  for (let i = 0; i < 3; i++) await (await fetch(url + "/healthz")).text();
}
