// Accounts, sessions and errors: what the server says comes back typed.

import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";

import { createDoorward, Problem, unwrap } from "doorward-client";

import { ANA, MemoryStore, ok, pair, problem, signedOutHook } from "./helpers.js";
import { Proxy } from "./proxy.js";
import { startDoorward } from "./server.js";

test("register, look around, sign out, sign in again", async (t) => {
  const baseUrl = await startDoorward(t);
  const store = new MemoryStore();
  const hook = signedOutHook();
  const doorward = createDoorward({ mode: "bearer", baseUrl, store, ...hook });

  await problem(doorward.GET("/api/auth/me"), 401, "no_token");
  const registered = await ok(doorward.register(ANA));
  assert.equal(registered.user.email, ANA.email);
  assert.equal(registered.session?.current, true);
  const me = await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(me, registered.user);
  assert.equal((await ok(doorward.GET("/.well-known/doorward-keys"))).keys.length, 1);

  assert.equal((await ok(doorward.logout())).message, "Logged out successfully");
  assert.equal(store.saved, null);
  await problem(doorward.GET("/api/auth/me"), 401, "no_token");

  assert.equal((await ok(doorward.login(ANA))).user.id, me.id);
  assert.deepEqual(await unwrap(doorward.GET("/api/auth/me")), me);
  assert.deepEqual(hook.codes, [], "signing out oneself is not being signed out");
});

test("errors say what is wrong, and none of them signs out", async (t) => {
  const baseUrl = await startDoorward(t);
  const hook = signedOutHook();
  const doorward = createDoorward({ mode: "bearer", baseUrl, ...hook });
  await ok(doorward.register(ANA));

  await problem(doorward.login({ ...ANA, password: "wrong horse" }), 401, "invalid_credentials");
  await problem(doorward.register(ANA), 409, "email_taken");
  const wrong = doorward.register({ email: "ana", password: "x" });
  const { errors } = await problem(wrong, 422, "validation_failed");
  assert.deepEqual(errors.map(({ field }) => field).sort(), ["/email", "/password"]);
  assert.ok(errors.every(({ message }) => message.length > 0));

  await assert.rejects(unwrap(doorward.login({ ...ANA, password: "wrong horse" })), (error) => {
    assert.ok(error instanceof Problem && error instanceof Error);
    assert.equal(error.message, "invalid_credentials: Invalid credentials");
    return true;
  });
  assert.equal((await ok(doorward.GET("/api/auth/me"))).email, ANA.email);
  assert.deepEqual(hook.codes, []);
});

test("an answer that is not Doorward's is an error too", async (t) => {
  const proxy = await Proxy.start(t, await startDoorward(t));
  const hook = signedOutHook();
  const doorward = createDoorward({ mode: "bearer", baseUrl: proxy.url, ...hook });
  await ok(doorward.register(ANA));

  const html = "<h1>Not what you asked for</h1>";
  for (const status of ["502 Bad Gateway", "403 Forbidden", "200 OK"]) {
    proxy.answer("GET /api/auth/me", status, ["Content-Type: text/html"], html);
    await problem(doorward.GET("/api/auth/me"), parseInt(status), "unexpected_answer");
  }
  await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(hook.codes, []);
});

test("sessions are listed and revoked one by one", async (t) => {
  const baseUrl = await startDoorward(t);
  const laptop = createDoorward({ mode: "bearer", baseUrl });
  const hook = signedOutHook();
  const phoneStore = new MemoryStore();
  const phone = createDoorward({ mode: "bearer", baseUrl, store: phoneStore, ...hook });
  await ok(laptop.register(ANA));
  await ok(phone.login(ANA));

  const { sessions } = await ok(laptop.GET("/api/auth/sessions"));
  assert.equal(sessions.length, 2);
  const other = sessions.find(({ current }) => !current);
  const params = { path: { sessionId: other!.id } };
  const { error, response } = await laptop.DELETE("/api/auth/sessions/{sessionId}", { params });
  assert.deepEqual([error, response.status], [undefined, 204]);
  await problem(laptop.DELETE("/api/auth/sessions/{sessionId}", { params }), 404, "not_found");

  const calls = [1, 2, 3].map(() => phone.GET("/api/auth/me"));
  for (const call of calls) assert.equal((await call).error?.status, 401);
  assert.deepEqual(hook.codes, ["session_expired"], "told once");
  assert.equal(phoneStore.saved, null);
});

test("logoutAll ends the other clients too", async (t) => {
  const baseUrl = await startDoorward(t);
  const [ours, theirs] = [signedOutHook(), signedOutHook()];
  const laptop = createDoorward({ mode: "bearer", baseUrl, ...ours });
  const phone = createDoorward({ mode: "bearer", baseUrl, ...theirs });
  await ok(laptop.register(ANA));
  await ok(phone.login(ANA));

  assert.equal((await ok(laptop.logoutAll())).message, "Logged out from all devices");
  await problem(phone.GET("/api/auth/me"), 401, "session_expired");
  assert.deepEqual(theirs.codes, ["session_expired"]);
  await problem(laptop.GET("/api/auth/me"), 401, "no_token");
  assert.deepEqual(ours.codes, []);
  await problem(laptop.logoutAll(), 401, "no_token");
});

test("nothing that is printed holds a token", async (t) => {
  const baseUrl = await startDoorward(t);
  const store = new MemoryStore();
  const doorward = createDoorward({ mode: "bearer", baseUrl, store });
  const registered = await doorward.register(ANA);
  const failed = await doorward.login({ ...ANA, password: "wrong horse" });
  const { accessToken, refreshToken } = pair(store.saved);
  const options = { depth: 20, showHidden: true, getters: true };
  const printed = [doorward, registered, failed].flatMap((it) => [
    inspect(it, options),
    JSON.stringify(it),
    String(it),
  ]);
  for (const text of printed) {
    assert.ok(!text.includes(accessToken) && !text.includes(refreshToken), text);
  }
});
