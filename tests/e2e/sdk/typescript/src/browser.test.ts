// The client in Chromium, on a page of another origin.

import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import type { BrowserContext, Page } from "playwright-core";

import { ANA, CHANGE, expired, ME, REFRESH } from "./helpers.js";
import { me, openTab, signedOut, startBrowser, startPage, type Application } from "./page.js";
import { Proxy } from "./proxy.js";
import { startDoorward, until, type Settings } from "./server.js";

const ROUNDS = 4;
const OK = [200, 200, 200];

async function start(t: TestContext, settings: Settings) {
  const browser = await startBrowser(t);
  const origin = await startPage(t);
  const url = await startDoorward(t, { allowed_origins: origin, ...settings });
  const proxy = await Proxy.start(t, url);
  return { context: await browser.newContext(), origin, url, proxy };
}

/** Registers or signs Ana in; the status and the code. */
function enter(tab: Page, how: "register" | "login", account = ANA) {
  return tab.evaluate(async ({ how, account }) => {
    const { doorward } = window as unknown as Application;
    const { data, error, response } = await doorward[how](account);
    return [response.status, error?.code ?? data?.user.email];
  }, { how, account });
}

function leave(tab: Page, how: "logout" | "logoutAll") {
  return tab.evaluate(async (how) => {
    const { error, response } = await (window as unknown as Application).doorward[how]();
    return [response.status, error?.code];
  }, how);
}

async function accessExpired(context: BrowserContext): Promise<void> {
  const present = async () => (await context.cookies()).some(({ name }) => name === "token");
  await until(async () => !(await present()), "the access cookie to expire");
}

test("cookies: sign in, silent renewal, sign out everywhere", async (t) => {
  const { context, origin, proxy } = await start(t, { access_token_ttl: "2s" });
  const options = { mode: "cookie", baseUrl: proxy.url } as const;
  const { tab, errors } = await openTab(context, origin, options);
  assert.deepEqual(await enter(tab, "register"), [201, ANA.email]);
  assert.deepEqual(await me(tab), [200]);
  await accessExpired(context);
  assert.deepEqual(await me(tab, 3), OK);
  assert.equal(proxy.count(REFRESH), 0);

  const cookies = await tab.evaluate(() => document.cookie);
  assert.match(cookies, /^csrfToken=[^;]+$/, "no token that a script could read");
  assert.deepEqual(await leave(tab, "logoutAll"), [200, undefined]);
  assert.deepEqual(await enter(tab, "login"), [200, ANA.email]);
  assert.deepEqual(await leave(tab, "logout"), [200, undefined]);
  assert.deepEqual(errors, []);

  assert.deepEqual(await me(tab), [401]);
  const wrong = { ...ANA, password: "wrong horse" };
  assert.deepEqual(await enter(tab, "login", wrong), [401, "invalid_credentials"]);
  assert.deepEqual(await signedOut(tab), []);
});

test("cookies: two tabs without auto_refresh are never signed out", async (t) => {
  const settings = { access_token_ttl: "2s", auto_refresh: false, refresh_grace: "0s" };
  const { context, origin, proxy } = await start(t, settings);
  const options = { mode: "cookie", baseUrl: proxy.url } as const;
  const tabs = [
    await openTab(context, origin, options),
    await openTab(context, origin, options),
  ];
  assert.deepEqual(await enter(tabs[0]!.tab, "register"), [201, ANA.email]);
  for (let round = 1; round <= ROUNDS; round++) {
    await accessExpired(context);
    const statuses = await Promise.all(tabs.map(({ tab }) => me(tab, 3)));
    assert.deepEqual(statuses, [OK, OK], `round ${round}`);
    // Without a grace a second refresh would have been taken for a theft.
    assert.equal(proxy.count(REFRESH), round);
  }
  for (const { tab, errors } of tabs) {
    assert.deepEqual(await signedOut(tab), []);
    // Chromium itself reports each 401; the client has nothing to add.
    assert.deepEqual(errors.filter((text) => !/status of 401/.test(text)), []);
  }
  assert.deepEqual(await leave(tabs[1]!.tab, "logoutAll"), [200, undefined]);
  assert.deepEqual(await me(tabs[0]!.tab), [401]);
});

test("bearer: two tabs that share a store refresh once", async (t) => {
  const { context, origin, url, proxy } = await start(t, {
    access_token_ttl: "2s",
    refresh_grace: "0s",
  });
  const options = { mode: "bearer", baseUrl: proxy.url, persist: true } as const;
  const first = await openTab(context, origin, options);
  assert.deepEqual(await enter(first.tab, "register"), [201, ANA.email]);
  const tabs = [first, await openTab(context, origin, options)];
  const saved = async () =>
    (await first.tab.evaluate(() => (window as unknown as Application).store.load())) ?? null;
  for (let round = 1; round <= ROUNDS; round++) {
    await expired(url, await saved());
    const statuses = await Promise.all(tabs.map(({ tab }) => me(tab, 3)));
    assert.deepEqual(statuses, [OK, OK], `round ${round}`);
    assert.equal(proxy.count(REFRESH), round);
  }
  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(await leave(first.tab, "logout"), [200, undefined]);
  assert.equal(await saved(), null);
  for (const { tab, errors } of tabs) {
    assert.deepEqual(await signedOut(tab), []);
    assert.deepEqual(errors.filter((text) => !/status of 401/.test(text)), []);
  }
});

for (const mode of ["cookie", "bearer"] as const) {
  test(`${mode}: a change of the password in one tab signs no other one out`, async (t) => {
    const { context, origin, proxy } = await start(t, {});
    const options = { mode, baseUrl: proxy.url, persist: true };
    const first = await openTab(context, origin, options);
    assert.deepEqual(await enter(first.tab, "register"), [201, ANA.email]);
    const second = await openTab(context, origin, options);
    assert.deepEqual(await me(second.tab), [200]);

    const held = proxy.hold(CHANGE);
    const change = first.tab.evaluate(async (currentPassword) => {
      const { doorward } = window as unknown as Application;
      const body = { currentPassword, newPassword: "staple, upright and shiny" };
      return (await doorward.changePassword(body)).response.status;
    }, ANA.password);
    await held.reached;
    const calls = me(second.tab, 3);
    await until(async () => proxy.count(ME) === 4, "three calls more");
    held.release();
    assert.equal(await change, 200);
    assert.deepEqual(await calls, OK);
    assert.deepEqual(await me(first.tab, 3), OK);
    assert.deepEqual([await signedOut(first.tab), await signedOut(second.tab)], [[], []]);
  });
}
