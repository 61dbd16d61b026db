// Two tabs of one browser share their cookies, and refresh at the same moment.

import assert from "node:assert/strict";
import test from "node:test";

import { accessExpired, signIn, start, verdicts } from "./helpers.mjs";

const ROUNDS = 10;

test("two tabs that refresh together stay signed in", { timeout: 90_000 }, async (t) => {
  const { browser, url } = await start(t, { access_token_ttl: "3s", refresh_grace: "1s" });
  const { context, tabs } = await openTabs(browser, url);
  for (let round = 1; round <= ROUNDS; round++) {
    await accessExpired(context);
    const statuses = await raceForMe(tabs);
    assert.deepEqual([...new Set(statuses)], [200], `round ${round}: ${statuses}`);
    // Both read on with the new token, which confirms it.
    assert.deepEqual(await Promise.all(tabs.map((tab) => me(tab))), [[200], [200]]);
  }

  const counts = { rotate: 0, retry: 0, race: 0, reuse: 0, ...(await verdicts(url)) };
  const { rotate, retry, race, reuse } = counts;
  t.diagnostic(Object.entries(counts).flat().join(" "));
  assert.equal(reuse, 0);
  assert.ok(rotate >= ROUNDS, `${rotate} rotations in ${ROUNDS} rounds`);
  assert.ok(retry + race > 0, "the tabs never met: this run has shown nothing");
});

test("control: without a grace one of the tabs is accused", { timeout: 60_000 }, async (t) => {
  const { browser, url } = await start(t, { access_token_ttl: "1s", refresh_grace: "0s" });
  const { context, tabs } = await openTabs(browser, url);
  for (let round = 1; round <= ROUNDS; round++) {
    await accessExpired(context);
    const statuses = await raceForMe(tabs);
    if (statuses.includes(403)) {
      t.diagnostic(`round ${round}: ${statuses}`);
      assert.ok((await verdicts(url)).reuse > 0);
      return;
    }
  }
  assert.fail(`nobody was accused in ${ROUNDS} rounds`);
});

async function openTabs(browser, url) {
  const { context, page } = await signIn(browser, url, "ana@example.com", "register");
  const second = await context.newPage();
  await second.goto("/docs");
  return { context, tabs: [page, second] };
}

/// Several requests of each tab, all at once.
async function raceForMe(tabs) {
  return (await Promise.all(tabs.map((tab) => me(tab, 3)))).flat();
}

/// The statuses of `count` simultaneous requests. Each has an address of its own: for the same
/// one a browser waits, to see whether the first answer can be used again.
async function me(tab, count = 1) {
  return tab.evaluate(async (count) => {
    const ask = async (_, i) => (await fetch(`/api/auth/me?${i}-${Math.random()}`)).status;
    return Promise.all(Array.from({ length: count }, ask));
  }, count);
}
