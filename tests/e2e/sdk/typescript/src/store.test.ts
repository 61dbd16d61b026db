// Tokens outlive the process, through a store that may fail, and that others may share.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import { createDoorward } from "doorward-client";

import { ANA, expired, ME, MemoryStore, ok, pair, problem, QUICK } from "./helpers.js";
import { raw, REFRESH, signedOutHook } from "./helpers.js";
import { Proxy } from "./proxy.js";
import { startDoorward, type Settings } from "./server.js";

async function start(t: TestContext, settings: Settings = {}) {
  const url = await startDoorward(t, { access_token_ttl: "2s", ...settings });
  const proxy = await Proxy.start(t, url);
  const hook = signedOutHook();
  const client = (store: MemoryStore, { onSignedOut } = hook) =>
    createDoorward({ mode: "bearer", baseUrl: proxy.url, store, retry: QUICK, onSignedOut });
  return { url, proxy, client, codes: hook.codes };
}

test("a second client goes on with what the first one saved", async (t) => {
  const { url, client } = await start(t);
  const store = new MemoryStore();
  await ok(client(store).register(ANA));

  const restarted = client(store);
  assert.equal((await ok(restarted.GET("/api/auth/me"))).email, ANA.email);
  await expired(url, store.saved);
  assert.equal((await ok(restarted.GET("/api/auth/me"))).email, ANA.email);
  assert.equal((await ok(restarted.GET("/api/auth/sessions"))).sessions.length, 1);
});

test("new tokens are saved before they are used", async (t) => {
  const { url, proxy, client } = await start(t);
  const store = new MemoryStore();
  const doorward = client(store);
  await ok(doorward.register(ANA));
  await expired(url, store.saved);

  let finish = () => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const saving = new Promise<void>((resolve) => {
    store.save = async (saved) => {
      resolve();
      await finished;
      store.saved = saved;
    };
  });
  const calls = [ok(doorward.GET("/api/auth/me"))];
  await saving;
  calls.push(ok(doorward.GET("/api/auth/me")));
  for (let i = 0; i < 3; i++) await (await fetch(proxy.url + "/healthz")).text();
  assert.equal(proxy.count(ME), 0);
  finish();
  await Promise.all(calls);
  assert.equal(proxy.count(ME), 2);
  assert.equal(proxy.count(REFRESH), 1);
});

test("a store that fails once costs one call", async (t) => {
  const { url, proxy, client, codes } = await start(t);
  const store = new MemoryStore();
  const doorward = client(store);
  await ok(doorward.register(ANA));
  const before = store.saved;
  await expired(url, before);

  const { save } = store;
  store.save = () => Promise.reject(new Error("the disk is full"));
  const both = [doorward.GET("/api/auth/me"), doorward.GET("/api/auth/me")];
  const full = { message: "the disk is full" };
  await Promise.all(both.map((call) => assert.rejects(call, full)));
  assert.equal(store.saved, before);
  store.save = save;

  await ok(doorward.GET("/api/auth/me"));
  assert.notEqual(store.saved, before);
  assert.equal(proxy.count(REFRESH), 2);
  await ok(client(store).GET("/api/auth/me"));
  assert.deepEqual(codes, []);
});

test("a store that cannot be read fails the call, and is read again", async (t) => {
  const { client } = await start(t);
  const store = new MemoryStore();
  await ok(client(store).register(ANA));
  const { load } = store;
  store.load = () => {
    throw new Error("the disk is asleep");
  };
  const doorward = client(store);
  await assert.rejects(doorward.GET("/api/auth/me"), { message: "the disk is asleep" });
  store.load = load;
  await ok(doorward.GET("/api/auth/me"));
});

test("a store that holds nonsense is an empty one", async (t) => {
  const { client } = await start(t);
  for (const nonsense of ["", "{", "null", '"tokens"', '{"accessToken":1,"refreshToken":2}']) {
    const store = new MemoryStore(nonsense);
    await problem(client(store).GET("/api/auth/me"), 401, "no_token");
  }
  const store = new MemoryStore("nonsense");
  const doorward = client(store);
  await ok(doorward.register(ANA));
  await ok(doorward.GET("/api/auth/me"));
});

test("clients that share a store refresh once", async (t) => {
  const { url, proxy, client, codes } = await start(t, { refresh_grace: "0s" });
  const store = new MemoryStore();
  await ok(client(store).register(ANA));
  const [one, two] = [client(store), client(store)];
  for (const doorward of [one, two]) await ok(doorward.GET("/api/auth/me"));
  for (const round of [1, 2]) {
    await expired(url, store.saved);
    await ok(one.GET("/api/auth/me"));
    await ok(two.GET("/api/auth/me"));
    assert.equal(proxy.count(REFRESH), round);
  }
  // One signs out, the other signs in: both go by what is in the store.
  await ok(one.logout());
  await ok(two.login(ANA));
  const saved = store.saved;
  await ok(one.login(ANA));
  assert.notEqual(store.saved, saved);
  await expired(url, store.saved);
  await ok(two.GET("/api/auth/me"));
  assert.equal((await ok(two.GET("/api/auth/sessions"))).sessions.length, 2);
  assert.deepEqual(codes, []);
});

test("a store that always loads the same does not bring old tokens back", async (t) => {
  const { url, client, codes } = await start(t, { refresh_grace: "0s" });
  const store = new MemoryStore();
  await ok(client(store).register(ANA));
  const initial = store.saved;
  store.load = () => initial;
  const doorward = client(store);
  for (let round = 0; round < 3; round++) {
    await expired(url, store.saved);
    await ok(doorward.GET("/api/auth/me"));
  }
  assert.deepEqual(codes, []);
});

test("an old refresh token ends all sessions, and the hook is told once", async (t) => {
  const { url, client, codes } = await start(t, { refresh_grace: "0s" });
  const store = new MemoryStore();
  const doorward = client(store);
  await ok(doorward.register(ANA));
  const stolen = new MemoryStore(store.saved);
  await expired(url, store.saved);
  await ok(doorward.GET("/api/auth/me"));

  const theirs = signedOutHook();
  const thief = client(stolen, theirs);
  const calls = Array.from({ length: 5 }, () => thief.GET("/api/auth/me"));
  const seen = (await Promise.all(calls)).map(({ error }) => error?.code);
  // The reuse has ended the session before some of the calls arrived.
  assert.ok(seen.includes("refresh_token_reused"));
  for (const code of seen) assert.match(code!, /^(refresh_token_reused|session_expired)$/);
  assert.deepEqual(theirs.codes, ["refresh_token_reused"]);
  assert.deepEqual(stolen.history, [null]);
  await problem(thief.GET("/api/auth/me"), 401, "no_token");

  const { refreshToken } = pair(store.saved);
  const mine = Array.from({ length: 5 }, () => doorward.GET("/api/auth/me"));
  for (const call of mine) assert.equal((await call).error?.status, 401);
  assert.deepEqual(codes, ["session_expired"]);
  assert.equal(store.saved, null);

  const replay = await raw(url, "POST", "/api/auth/refresh", { body: { refreshToken } });
  assert.equal(replay.status, 403);
});

test("a refresh token that the server does not know signs out", async (t) => {
  const { url, client, codes } = await start(t);
  const store = new MemoryStore();
  await ok(client(store).register(ANA));
  await expired(url, store.saved);
  const strange = JSON.stringify({ ...pair(store.saved), refreshToken: "v4.local.strange" });
  const other = new MemoryStore(strange);
  // Even where the store cannot be told.
  other.save = () => Promise.reject(new Error("the disk is full"));
  const doorward = client(other);
  await problem(doorward.GET("/api/auth/me"), 403, "invalid_refresh_token");
  assert.deepEqual(codes, ["invalid_refresh_token"]);
  await problem(doorward.GET("/api/auth/me"), 401, "no_token");
});

test("a sign-in replaces the tokens that a late answer speaks of", async (t) => {
  const { proxy, client, codes } = await start(t, { access_token_ttl: "15m" });
  const store = new MemoryStore();
  const doorward = client(store);
  await ok(doorward.register(ANA));
  const old = new MemoryStore(store.saved);
  await ok(client(old).logout());

  // The session has ended; its answer comes when somebody has signed in again.
  const held = proxy.hold(ME);
  const late = doorward.GET("/api/auth/me");
  await held.reached;
  await ok(doorward.login(ANA));
  held.release();
  assert.equal((await ok(late)).email, ANA.email);
  assert.deepEqual(codes, []);
  assert.ok(store.saved);
});
