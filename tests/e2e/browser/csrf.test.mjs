// A page of another origin tries to act with the visitor's cookies.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";

import { call, cookie, signIn, start } from "./helpers.mjs";

// Another port of the same host is another origin but the same site: SameSite=Lax does not
// hold the cookies back, so only the server's own checks stand in the way.
const ATTACKERS = [
  { host: "127.0.0.1", cookiesTravel: true },
  { host: "localhost", cookiesTravel: false },
];

for (const { host, cookiesTravel } of ATTACKERS) {
  test(`a foreign page on ${host} gets nowhere`, { timeout: 60_000 }, async (t) => {
    const { browser, url } = await start(t);
    const ana = await signIn(browser, url, "ana@example.com", "register");
    const csrf = await cookie(ana.context, "csrfToken");
    const attacker = `http://${host}:${await startAttacker()}`;
    const page = await ana.context.newPage();
    const visit = (query = "") => page.goto(`${attacker}/${query}`);

    for (const path of ["logout-all", "logout", "refresh", "login"]) {
      for (const referrer of ["origin", "no-referrer"]) {
        await t.test(`a form posted to ${path}, referrer policy ${referrer}: 403`, async () => {
          await visit(`?referrer=${referrer}`);
          const answer = await attack(page, postForm, `${url}/api/auth/${path}`);
          assert.equal(answer.status(), 403);
          assert.equal((await answer.json()).code, "csrf_failed");

          const { cookie = "", origin } = await answer.request().allHeaders();
          assert.equal(cookie.includes("refreshToken="), cookiesTravel, `Cookie: ${cookie}`);
          assert.equal(origin, referrer === "no-referrer" ? "null" : attacker);
        });
      }
    }

    await t.test("a simple fetch: 403", async () => {
      await visit();
      const answer = await attack(page, simpleFetch, `${url}/api/auth/logout-all`);
      assert.equal(answer.status(), 403);
    });

    await t.test("a fetch with the right CSRF header: stopped at its preflight", async () => {
      await visit();
      const sent = [];
      page.on("response", (answer) => sent.push(answer.request().method()));
      const target = `${url}/api/auth/logout-all`;
      assert.equal(await page.evaluate(fetchWithHeader, [target, csrf]), "TypeError");
      assert.ok(!sent.includes("POST"), `answered: ${sent}`);
    });

    await t.test("reading who the visitor is: not allowed", async () => {
      await visit();
      assert.equal(await page.evaluate(read, `${url}/api/auth/me`), "TypeError");
    });

    await t.test("the session is intact, and ends by its own page's word alone", async () => {
      const logoutAll = (csrf) => call(ana.page, "POST", "/api/auth/logout-all", { csrf });
      assert.equal((await call(ana.page, "GET", "/api/auth/me")).status, 200);
      for (const wrong of [undefined, `${csrf}x`, "x"]) {
        const { status, body } = await logoutAll(wrong);
        assert.deepEqual([status, body.code], [403, "csrf_failed"]);
      }
      assert.equal((await logoutAll(csrf)).status, 200);
      assert.equal((await call(ana.page, "GET", "/api/auth/me")).status, 401);
    });
  });
}

/// Runs the attacker's script in the page: the server's answer to the request it sends.
async function attack(page, script, target) {
  const [answer] = await Promise.all([page.waitForResponse(target), page.evaluate(script, target)]);
  return answer;
}

/// Serves an empty page whose referrer policy is the one asked for; with `no-referrer` the
/// `Origin` of its forms is `null`.
async function startAttacker() {
  const server = createServer((request, response) => {
    const policy = new URL(request.url, "http://attacker").searchParams.get("referrer");
    response.setHeader("Content-Type", "text/html");
    if (policy) response.setHeader("Referrer-Policy", policy);
    response.end("<!doctype html><title>You have won</title>");
  });
  await once(server.listen(0, "127.0.0.1").unref(), "listening");
  return server.address().port;
}

// What the attacker's scripts do, in the page.

function postForm(action) {
  const form = Object.assign(document.createElement("form"), { method: "post", action });
  document.body.append(form);
  form.submit();
}

async function simpleFetch(target) {
  await fetch(target, { method: "POST", mode: "no-cors", credentials: "include" });
}

function fetchWithHeader([target, csrf]) {
  const headers = { "X-CSRF-Token": csrf };
  return fetch(target, { method: "POST", credentials: "include", headers }).then(
    ({ status }) => status,
    ({ name }) => name,
  );
}

function read(target) {
  return fetch(target, { credentials: "include" }).then(
    (answer) => answer.text(),
    ({ name }) => name,
  );
}
