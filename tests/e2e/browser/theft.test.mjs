// A refresh token is copied out of the browser. Whoever comes second gives the theft away.

import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { call, cookie, signIn, start, verdicts } from "./helpers.mjs";

const EMAIL = "ana@example.com";
const LIMIT = { timeout: 60_000 };
// Access tokens outlive the test: what ends them is the revocation, not their expiry.
const SETTINGS = { access_token_ttl: "10m", refresh_grace: "1s" };

for (const [reuse_policy, otherDevice] of [["user", 401], ["session", 200]]) {
  test(`a stolen token is replayed; reuse_policy = ${reuse_policy}`, LIMIT, async (t) => {
    const { browser, url } = await start(t, { ...SETTINGS, reuse_policy });
    const ana = await signIn(browser, url, EMAIL, "register");
    const phone = await signIn(browser, url, EMAIL);
    const thief = await steal(browser, ana);

    assert.equal((await refresh(ana)).status, 200);
    assert.equal((await me(ana)).status, 200);
    await graceIsOver();

    const replay = await thief.request.post("/api/auth/refresh");
    assert.equal(replay.status(), 403);
    assert.equal((await replay.json()).code, "refresh_token_reused");
    assert.deepEqual(await thief.cookies(), [], "the answer clears the cookies it was sent");

    assert.ok(await cookie(ana.context, "token"), "the page still has its access token");
    const { status, body } = await me(ana);
    assert.deepEqual([status, body.code], [401, "session_expired"]);
    assert.equal((await me(phone)).status, otherDevice);
    assert.equal((await verdicts(url)).reuse, 1);
  });
}

test("a thief who is faster is thrown out when the owner comes back", LIMIT, async (t) => {
  const { browser, url } = await start(t, SETTINGS);
  const ana = await signIn(browser, url, EMAIL, "register");
  const thief = await steal(browser, ana);

  assert.equal((await thief.request.post("/api/auth/refresh")).status(), 200);
  assert.equal((await thief.request.get("/api/auth/me")).status(), 200);
  await graceIsOver();

  const { status, body } = await refresh(ana);
  assert.deepEqual([status, body.code], [403, "refresh_token_reused"]);
  assert.deepEqual(await ana.context.cookies(), [], "the owner is signed out");
  assert.equal((await thief.request.get("/api/auth/me")).status(), 401);
});

/// Another browser, with nothing but a copy of the refresh cookie.
async function steal(browser, { context, page }) {
  const baseURL = new URL(page.url()).origin;
  const thief = await browser.newContext({ baseURL });
  const value = await cookie(context, "refreshToken");
  await thief.addCookies([{ name: "refreshToken", value, url: baseURL }]);
  return thief;
}

const refresh = ({ page }) => call(page, "POST", "/api/auth/refresh");
const me = ({ page }) => call(page, "GET", "/api/auth/me");

/// The grace is a span of time, counted from the last confirmation, and this is its end: no
/// later event tells of it.
const graceIsOver = () => delay(1_200);
