// What asks for the password again: changing it, deleting the account.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import { createDoorward, type Doorward } from "doorward-client";

import {
  ANA, CHANGE, expired, ME, MemoryStore, ok, pair, problem, QUICK, raw, REFRESH, signedOutHook,
} from "./helpers.js";
import { Jar } from "./jar.js";
import { Proxy } from "./proxy.js";
import { startDoorward, until, type Settings } from "./server.js";

const MODES = ["bearer", "cookie"] as const;
const DELETE = "POST /api/auth/delete-account";
const BUSY = "503 Service Unavailable";
const NEW = "staple, upright and shiny";
const CHANGED = { currentPassword: ANA.password, newPassword: NEW };
const BACK = { currentPassword: NEW, newPassword: ANA.password };
const NEW_ANA = { ...ANA, password: NEW };

async function start(t: TestContext, mode: (typeof MODES)[number], settings: Settings = {}) {
  const url = await startDoorward(t, settings);
  const proxy = await Proxy.start(t, url);
  const device = (store = new MemoryStore()) => {
    const [jar, refused] = [new Jar(), [] as string[]];
    const fetch = async (request: Request) => {
      const response = await (mode === "cookie" ? jar.fetch(request) : globalThis.fetch(request));
      if (response.status === 401) refused.push(request.url);
      return response;
    };
    const { codes, onSignedOut } = signedOutHook();
    const options = { baseUrl: proxy.url, retry: QUICK, fetch, onSignedOut };
    const doorward = mode === "cookie"
      ? createDoorward({ mode, ...options, cookies: jar.header })
      : createDoorward({ mode, ...options, store });
    return { doorward, codes, jar, refused, store };
  };
  return { url, proxy, device };
}

function twentyCalls(doorward: Doorward) {
  return Array.from({ length: 20 }, () => ok(doorward.GET("/api/auth/me")));
}

for (const mode of MODES) {
  test(`${mode}: a change signs out of all devices but this`, async (t) => {
    const { device } = await start(t, mode);
    const [laptop, phone] = [device(), device()];
    const first = await ok(laptop.doorward.register(ANA));
    await ok(phone.doorward.login(ANA));

    const changed = await ok(laptop.doorward.changePassword(CHANGED));
    assert.deepEqual(Object.keys(changed).filter((name) => /token$/i.test(name)), []);
    const { sessions } = await ok(laptop.doorward.GET("/api/auth/sessions"));
    assert.deepEqual(sessions.map(({ id }) => id), [changed.session.id]);
    assert.notEqual(changed.session.id, first.session?.id);
    // The CSRF token is that of the new session, too.
    await ok(laptop.doorward.changePassword(BACK));
    await ok(laptop.doorward.changePassword(CHANGED));

    await problem(phone.doorward.GET("/api/auth/me"), 401, "session_expired");
    assert.deepEqual([laptop.codes, phone.codes], [[], ["session_expired"]]);
    await problem(phone.doorward.login(ANA), 401, "invalid_credentials");
    await ok(phone.doorward.login(NEW_ANA));
  });

  test(`${mode}: 20 calls at once around a change sign nobody out`, async (t) => {
    const { proxy, device } = await start(t, mode);
    const { doorward, codes, refused } = device();
    await ok(doorward.register(ANA));
    const held = proxy.hold(CHANGE);
    const change = doorward.changePassword(CHANGED);
    await held.reached;
    const calls = twentyCalls(doorward);
    await until(async () => refused.length === 20, "twenty refusals");
    held.release();
    await ok(change);
    for (const me of await Promise.all(calls)) assert.equal(me.email, ANA.email);

    // And without being held up.
    const more = twentyCalls(doorward);
    await ok(doorward.changePassword(BACK));
    for (const me of await Promise.all(more)) assert.equal(me.email, ANA.email);
    assert.equal(proxy.count(REFRESH), 0);
    assert.deepEqual(codes, []);
  });

  test(`${mode}: a wrong password changes nothing`, async (t) => {
    const { device } = await start(t, mode);
    const { doorward, codes } = device();
    await ok(doorward.register(ANA));
    await problem(doorward.changePassword(BACK), 403, "wrong_password");
    await problem(doorward.deleteAccount(NEW), 403, "wrong_password");
    const short = doorward.changePassword({ ...CHANGED, newPassword: "short" });
    const { errors } = await problem(short, 422, "validation_failed");
    assert.deepEqual(errors.map(({ field }) => field), ["/newPassword"]);
    await ok(doorward.GET("/api/auth/me"));
    await ok(doorward.login(ANA));
    assert.deepEqual(codes, []);
  });

  test(`${mode}: a change without an answer may have ended the session`, async (t) => {
    const { proxy, device } = await start(t, mode);
    const { doorward, codes } = device();
    await ok(doorward.register(ANA));
    proxy.answer(CHANGE, BUSY, ["Content-Type: text/html"], "busy");
    await problem(doorward.changePassword(CHANGED), 503, "unexpected_answer");
    await ok(doorward.GET("/api/auth/me"));
    proxy.lose(CHANGE);
    await assert.rejects(doorward.changePassword(CHANGED), TypeError);
    assert.deepEqual(codes, []);
    await problem(doorward.changePassword(CHANGED), 401, "session_expired");
    assert.deepEqual(codes, ["session_expired"]);
    await ok(doorward.login(NEW_ANA));
  });

  test(`${mode}: a deleted account signs out and says nothing`, async (t) => {
    const { proxy, device } = await start(t, mode);
    const [laptop, phone] = [device(), device()];
    await ok(laptop.doorward.register(ANA));
    await ok(phone.doorward.login(ANA));
    proxy.answer(DELETE, BUSY, ["Content-Type: text/html"], "busy");
    await problem(laptop.doorward.deleteAccount(ANA.password), 503, "unexpected_answer");
    await ok(laptop.doorward.GET("/api/auth/me"));
    const { error, response } = await laptop.doorward.deleteAccount(ANA.password);
    assert.deepEqual([error, response.status], [undefined, 204]);
    assert.deepEqual([laptop.store.saved, laptop.jar.cookies.size], [null, 0]);
    await problem(laptop.doorward.GET("/api/auth/me"), 401, "no_token");

    // Of a user who is gone, the refresh cookie is what is refused.
    const [status, code] = mode === "bearer"
      ? [401, "session_expired"] : [403, "invalid_refresh_token"];
    await problem(phone.doorward.GET("/api/auth/me"), status as number, code as string);
    assert.deepEqual([laptop.codes, phone.codes], [[], [code]]);
    await problem(laptop.doorward.login(ANA), 401, "invalid_credentials");
    await problem(laptop.doorward.changePassword(CHANGED), 401, "no_token");
  });

  test(`${mode}: a sign-in that is not remembered lasts a day`, async (t) => {
    const { device } = await start(t, mode);
    const { doorward, jar } = device();
    const days = async () => {
      const { sessions } = await ok(doorward.GET("/api/auth/sessions"));
      const { createdAt, expiresAt } = sessions.find(({ current }) => current)!;
      return (Date.parse(expiresAt) - Date.parse(createdAt)) / 86_400_000;
    };
    await ok(doorward.register({ ...ANA, remember: false }));
    assert.ok((await days()) <= 1);
    assert.equal(jar.passing.size, mode === "cookie" ? 3 : 0);
    await ok(doorward.login(ANA));
    assert.ok((await days()) > 1);
    assert.equal(jar.passing.size, 0);
  });

  test(`${mode}: an address that must be verified first signs nobody in`, async (t) => {
    const { device } = await start(t, mode, { require_verified_email: true });
    const { doorward, codes, store, jar } = device();
    const registered = await ok(doorward.register(ANA));
    assert.deepEqual([registered.user.email, registered.session], [ANA.email, undefined]);
    assert.deepEqual([store.history, jar.cookies.size], [[], 0]);
    await problem(doorward.login(ANA), 403, "email_not_verified");
    await problem(doorward.GET("/api/auth/me"), 401, "no_token");
    assert.deepEqual(codes, []);
  });
}

test("an expired token is renewed for a change", async (t) => {
  const { url, proxy, device } = await start(t, "bearer", { access_token_ttl: "2s" });
  const { doorward, store } = device();
  await ok(doorward.register(ANA));
  await expired(url, store.saved);
  await ok(doorward.changePassword(CHANGED));
  assert.deepEqual([proxy.count(REFRESH), proxy.count(CHANGE)], [1, 1]);
  // The age of saved tokens is unknown: the server has to say that they have expired.
  await expired(url, store.saved);
  await ok(device(store).doorward.changePassword(BACK));
  assert.deepEqual([proxy.count(REFRESH), proxy.count(CHANGE)], [2, 3]);
  await expired(url, store.saved);
  await device(store).doorward.deleteAccount(ANA.password);
  assert.deepEqual([proxy.count(REFRESH), proxy.count(DELETE)], [3, 2]);
  assert.equal(store.saved, null);
});

test("without auto_refresh, an expired cookie is renewed for a change", async (t) => {
  const settings = { access_token_ttl: "2s", auto_refresh: false };
  const { url, proxy, device } = await start(t, "cookie", settings);
  const { doorward, jar } = device();
  await ok(doorward.register(ANA));
  await expired(url, JSON.stringify({ accessToken: jar.cookies.get("token") }));
  await ok(doorward.changePassword(CHANGED));
  assert.deepEqual([proxy.count(REFRESH), proxy.count(CHANGE)], [1, 2]);
});

test("new tokens that could not be saved are not used", async (t) => {
  class FailingStore extends MemoryStore {
    failures = 0;
    override save(saved: string | null): void {
      if (this.failures-- > 0) throw new Error("the disk is full");
      super.save(saved);
    }
  }
  const { url, proxy, device } = await start(t, "bearer");
  const store = new FailingStore();
  const { doorward, codes } = device(store);
  await ok(doorward.register(ANA));
  const before = store.saved;
  store.failures = 1;
  await assert.rejects(doorward.changePassword(CHANGED), /the disk is full/);
  assert.equal(store.saved, before);
  assert.deepEqual(codes, []);
  // The password was changed, and the session that was kept has ended.
  const bearer = pair(before).accessToken;
  assert.equal((await raw(url, "GET", "/api/auth/me", { bearer })).body.code, "session_expired");
  await problem(doorward.GET("/api/auth/me"), 401, "session_expired");
  assert.equal(proxy.count(ME), 1);
  assert.deepEqual(codes, ["session_expired"]);
  await ok(doorward.login(NEW_ANA));
});

test("what anybody may call does not wait for a refresh", async (t) => {
  const { url, proxy, device } = await start(t, "bearer", { access_token_ttl: "2s" });
  const { doorward, store } = device();
  await ok(doorward.register(ANA));
  await expired(url, store.saved);
  await ok(doorward.GET("/.well-known/doorward-keys"));
  const body = { token: "no such link" };
  const { error } = await doorward.POST("/api/auth/verify-email", { body });
  assert.ok(error && error.status < 500 && error.status !== 401, error?.message);
  assert.equal(proxy.count(REFRESH), 0);
  await ok(doorward.GET("/api/auth/me"));
  assert.equal(proxy.count(REFRESH), 1);
});
