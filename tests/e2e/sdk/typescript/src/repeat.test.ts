// What is repeated, how often and after what pause; against a server that the test makes up.

import assert from "node:assert/strict";
import test from "node:test";

import { createDoorward } from "doorward-client";

import { ANA, MemoryStore, ok, problem, problemJson, signedOutHook } from "./helpers.js";
import { startDoorward } from "./server.js";

const SAVED = JSON.stringify({ accessToken: "old", refreshToken: "refresh" });
const RENEWED = { accessToken: "new", refreshToken: "next", accessTokenExpiresIn: 900 };

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const type = status < 400 ? "application/json" : "application/problem+json";
  const all = { "Content-Type": type, ...headers };
  return new Response(JSON.stringify(body), { status, headers: all });
}

const expired = () => answer(401, problemJson(401, "access_token_expired"));

test("the pauses double, follow Retry-After, and are capped", async (t) => {
  const refreshes = [
    answer(503, problemJson(503, "unavailable")),
    answer(429, problemJson(429, "too_many_attempts")),
    answer(503, problemJson(503, "unavailable"), { "Retry-After": "2" }),
    answer(503, problemJson(503, "unavailable"), { "Retry-After": "600" }),
    answer(200, RENEWED),
  ];
  const pauses: number[] = [];
  const { setTimeout } = globalThis;
  t.mock.method(Math, "random", () => 0.5);
  t.mock.method(globalThis, "setTimeout", (run: () => void, milliseconds: number) => {
    pauses.push(milliseconds);
    return setTimeout(run, 0);
  });
  const doorward = createDoorward({
    mode: "bearer",
    baseUrl: "http://doorward.test",
    store: new MemoryStore(SAVED),
    retry: { attempts: 5, baseDelay: 100, maxDelay: 3000 },
    fetch: async ({ url, headers }) => {
      if (url.endsWith("/refresh")) return refreshes.shift()!;
      return headers.get("Authorization") === "Bearer new" ? answer(200, { id: "1" }) : expired();
    },
  });
  await ok(doorward.GET("/api/auth/me"));
  assert.deepEqual(pauses, [50, 100, 2200, 3000]);
});

test("an attempt that takes too long counts as not answered", async () => {
  let refreshes = 0;
  const doorward = createDoorward({
    mode: "bearer",
    baseUrl: "http://doorward.test",
    store: new MemoryStore(SAVED),
    retry: { attempts: 2, baseDelay: 1, timeout: 20 },
    fetch: async ({ url, signal }) => {
      if (!url.endsWith("/refresh")) return expired();
      refreshes++;
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  });
  // The timer of a timeout does not keep Node running, as a connection would.
  const running = setInterval(() => {}, 1000);
  await assert.rejects(doorward.GET("/api/auth/me"), { name: "TimeoutError" });
  clearInterval(running);
  assert.equal(refreshes, 2);
});

test("a call is repeated once, body and all", async (t) => {
  const baseUrl = await startDoorward(t);
  const seen: string[] = [];
  // No guarded operation has a body yet: this one is made up, and never satisfied.
  const fetchNote = async (request: Request): Promise<Response> => {
    if (!request.url.endsWith("/api/notes")) return fetch(request);
    seen.push(await request.text());
    return expired();
  };
  const store = new MemoryStore();
  const doorward = createDoorward({ mode: "bearer", baseUrl, store, fetch: fetchNote });
  await ok(doorward.register(ANA));
  const note = { body: { note: "again" } } as never;
  const call = doorward.request("post" as "get", "/api/notes" as "/api/auth/me", note);
  await problem(call, 401, "access_token_expired");
  assert.deepEqual(seen, ['{"note":"again"}', '{"note":"again"}']);
  assert.equal(store.history.length, 2, "one sign-in, one refresh");
});

test("calls that are refused together sign out once", async () => {
  const store = new MemoryStore(SAVED);
  const { codes, onSignedOut } = signedOutHook();
  const doorward = createDoorward({
    mode: "bearer",
    baseUrl: "http://doorward.test",
    store,
    onSignedOut,
    fetch: async () => answer(401, problemJson(401, "session_expired")),
  });
  const calls = [1, 2, 3].map(() => doorward.GET("/api/auth/me"));
  for (const call of calls) await problem(call, 401, "session_expired");
  assert.deepEqual(codes, ["session_expired"]);
  assert.deepEqual(store.history, [null]);
});

test("middlewares of the application see a call once", async () => {
  const seen: string[] = [];
  const doorward = createDoorward({
    mode: "bearer",
    baseUrl: "http://doorward.test",
    store: new MemoryStore(SAVED),
    fetch: async ({ url, headers }) => {
      if (url.endsWith("/refresh")) return answer(200, RENEWED);
      return headers.get("Authorization") === "Bearer new" ? answer(200, { id: "1" }) : expired();
    },
  });
  doorward.use({
    onRequest: ({ schemaPath }) => void seen.push(`? ${schemaPath}`),
    onResponse: ({ schemaPath, response }) => void seen.push(`${response.status} ${schemaPath}`),
  });
  await ok(doorward.GET("/api/auth/me"));
  const refresh = ["? /api/auth/refresh", "200 /api/auth/refresh"];
  assert.deepEqual(seen, ["? /api/auth/me", ...refresh, "200 /api/auth/me"]);
});
