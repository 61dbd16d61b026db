// Signed in by cookies, outside a browser: the jar is the test's own.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import { createDoorward } from "doorward-client";

import { ANA, ok, problem, QUICK, raw, REFRESH, signedOutHook } from "./helpers.js";
import { Jar } from "./jar.js";
import { Proxy } from "./proxy.js";
import { startDoorward, until, type Settings } from "./server.js";

async function start(t: TestContext, settings: Settings = {}) {
  const url = await startDoorward(t, { access_token_ttl: "2s", ...settings });
  const proxy = await Proxy.start(t, url);
  const device = () => {
    const jar = new Jar();
    const { codes, onSignedOut } = signedOutHook();
    const { fetch, header: cookies } = jar;
    const options = { baseUrl: proxy.url, retry: QUICK, fetch, cookies, onSignedOut };
    const doorward = createDoorward({ mode: "cookie", ...options });
    return { jar, codes, doorward };
  };
  return { url, proxy, device };
}

/** Waits until the server says that the access token in the jar has expired. */
async function expired(url: string, { cookies }: Jar): Promise<void> {
  const bearer = cookies.get("token")!;
  await until(async () => {
    const { body } = await raw(url, "GET", "/api/auth/me", { bearer });
    return body.code === "access_token_expired";
  }, "the access cookie to expire");
}

test("the server renews the cookies on the way", async (t) => {
  const { url, proxy, device } = await start(t);
  const { jar, codes, doorward } = device();
  const { user } = await ok(doorward.register(ANA));
  const first = jar.cookies.get("token");
  await expired(url, jar);
  assert.deepEqual(await ok(doorward.GET("/api/auth/me")), user);
  assert.notEqual(jar.cookies.get("token"), first);
  assert.equal(proxy.count(REFRESH), 0);
  await ok(doorward.logout());
  assert.equal(jar.cookies.size, 0);
  await ok(doorward.login(ANA));
  await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(codes, []);
});

test("unsafe calls carry the CSRF token", async (t) => {
  const { device } = await start(t, { access_token_ttl: "15m" });
  const [laptop, phone] = [device(), device()];
  await ok(laptop.doorward.register(ANA));
  await ok(phone.doorward.login(ANA));

  const { sessions } = await ok(laptop.doorward.GET("/api/auth/sessions"));
  const params = { path: { sessionId: sessions.find(({ current }) => !current)!.id } };
  const revoked = await laptop.doorward.DELETE("/api/auth/sessions/{sessionId}", { params });
  assert.deepEqual([revoked.error, revoked.response.status], [undefined, 204]);
  await problem(phone.doorward.GET("/api/auth/me"), 401, "session_expired");
  await problem(phone.doorward.GET("/api/auth/me"), 401, "session_expired");
  assert.deepEqual(phone.codes, ["session_expired"], "told once");
  await ok(phone.doorward.login(ANA));

  const csrf = laptop.jar.cookies.get("csrfToken")!;
  laptop.jar.cookies.set("csrfToken", "wrong");
  await problem(laptop.doorward.logoutAll(), 403, "csrf_failed");
  assert.deepEqual(laptop.codes, [], "a failed check signs nobody out");
  laptop.jar.cookies.set("csrfToken", csrf);
  await ok(laptop.doorward.logoutAll());
  await problem(phone.doorward.GET("/api/auth/me"), 401, "session_expired");
  assert.deepEqual(phone.codes, ["session_expired", "session_expired"], "once per sign-in");
  assert.deepEqual(laptop.codes, []);
});

test("without auto_refresh, 20 calls at once refresh once", async (t) => {
  const { url, proxy, device } = await start(t, { auto_refresh: false });
  const { jar, codes, doorward } = device();
  await ok(doorward.register(ANA));
  for (const round of [1, 2]) {
    await expired(url, jar);
    const calls = Array.from({ length: 20 }, () => ok(doorward.GET("/api/auth/me")));
    for (const me of await Promise.all(calls)) assert.equal(me.email, ANA.email);
    assert.equal(proxy.count(REFRESH), round);
  }
  await expired(url, jar);
  await ok(doorward.logoutAll());
  assert.deepEqual(codes, []);
});

test("without auto_refresh, a lost answer or a server that is down signs nobody out", async (t) => {
  const { url, proxy, device } = await start(t, { auto_refresh: false });
  const { jar, codes, doorward } = device();
  await ok(doorward.register(ANA));
  await expired(url, jar);
  proxy.lose(REFRESH);
  await ok(doorward.GET("/api/auth/me"));
  assert.equal(proxy.count(REFRESH), 2);

  await expired(url, jar);
  for (let i = 0; i < 3; i++) {
    proxy.answer(REFRESH, "503 Service Unavailable", ["Content-Type: text/html"], "busy");
  }
  await problem(doorward.GET("/api/auth/me"), 503, "unexpected_answer");
  await proxy.down();
  await assert.rejects(doorward.GET("/api/auth/me"), TypeError);
  await proxy.up();
  await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(codes, []);
});

test("a stolen cookie ends all sessions, and the hook is told once", async (t) => {
  for (const auto_refresh of [true, false]) {
    const { url, device } = await start(t, { auto_refresh, refresh_grace: "0s" });
    const [mine, theirs] = [device(), device()];
    await ok(mine.doorward.register(ANA));
    for (const [name, value] of mine.jar.cookies) theirs.jar.cookies.set(name, value);
    await expired(url, mine.jar);
    await ok(mine.doorward.GET("/api/auth/me"));
    // The reuse clears the thief's cookies, which may overtake the other calls.
    await problem(theirs.doorward.GET("/api/auth/me"), 403, "refresh_token_reused");
    await problem(theirs.doorward.GET("/api/auth/me"), 401, "no_token");
    assert.deepEqual(theirs.codes, ["refresh_token_reused"]);

    const calls = Array.from({ length: 5 }, () => mine.doorward.GET("/api/auth/me"));
    for (const call of calls) assert.equal((await call).error?.code, "session_expired");
    assert.deepEqual(mine.codes, ["session_expired"]);
  }
});
