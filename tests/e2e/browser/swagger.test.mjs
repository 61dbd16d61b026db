// Swagger UI as a person meets it: it loads, and every button of a sign-in's life works.

import assert from "node:assert/strict";
import test from "node:test";

import {
  PASSWORD, accessExpired, call, cookie, listen, screenshot, signIn, start,
} from "./helpers.mjs";

const EMAIL = "ana@example.com";

test("Swagger UI", { timeout: 90_000 }, async (t) => {
  const { browser, url } = await start(t, { access_token_ttl: "3s", refresh_grace: "1s" });
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 1280, height: 1000 },
  });
  const page = await context.newPage();
  const complaints = await listen(page);
  const requested = [];
  page.on("request", (request) => requested.push(request.url()));

  let policy;
  await t.test("loads under its content security policy", async () => {
    const answer = await page.goto("/docs");
    policy = answer.headers()["content-security-policy"];
    assert.match(policy, /default-src 'none'; script-src 'sha256-/);
    await page.locator(".opblock").first().waitFor();
    assert.equal(await page.title(), "Doorward");
    await screenshot(page, "docs");
  });

  await t.test("loads again from the browser's cache, under the same policy", async () => {
    const answer = await page.reload();
    const { "if-none-match": tag } = await answer.request().allHeaders();
    assert.ok(tag, "the browser had kept the page");
    assert.equal(answer.headers()["content-security-policy"], policy);
    await page.locator(".opblock").first().waitFor();
  });

  await t.test("shows every operation of the spec", async () => {
    const { paths } = await (await fetch(`${url}/openapi.json`)).json();
    const specified = Object.values(paths)
      .flatMap((path) => Object.values(path))
      .map((operation) => operation.operationId);
    const shown = await page.locator(".opblock-summary-operation-id").allTextContents();
    assert.deepEqual(shown.sort(), specified.sort());
  });

  await t.test("register: 201", async () => {
    const { shown } = await execute(page, "register", {
      body: { email: EMAIL, password: PASSWORD },
    });
    assert.equal(shown, "201");
    await screenshot(page, "register");
  });

  await t.test("login: 200, with the tokens in cookies alone", async () => {
    const { shown, body } = await execute(page, "login", {
      body: { email: EMAIL, password: PASSWORD },
    });
    assert.equal(shown, "200");
    assert.deepEqual([body.accessToken, body.refreshToken], [undefined, undefined]);
    assert.ok(await cookie(context, "token"));
  });

  await t.test("getMe: 200", async () => {
    const { shown, body } = await execute(page, "getMe");
    assert.equal(shown, "200");
    assert.equal(body.email, EMAIL);
    await screenshot(page, "me");
  });

  await t.test("getMe after the access token expired: 200, refreshed silently", async () => {
    const before = await cookie(context, "refreshToken");
    await accessExpired(context);
    assert.equal((await execute(page, "getMe")).shown, "200");
    assert.ok(await cookie(context, "token"));
    assert.notEqual(await cookie(context, "refreshToken"), before);
  });

  await t.test("revokeSession of another device: 204, with the CSRF header", async () => {
    const phone = await signIn(browser, url, EMAIL);
    const { shown, body } = await execute(page, "listSessions");
    assert.equal(shown, "200");
    assert.deepEqual(body.sessions.map((session) => session.current).sort(), [false, true]);

    const { id: sessionId } = body.sessions.find((session) => !session.current);
    const revoked = await execute(page, "revokeSession", { parameters: { sessionId } });
    assert.equal(revoked.shown, "204");
    assert.equal(revoked.csrf, await cookie(context, "csrfToken"));
    await screenshot(page, "revoke");

    assert.equal((await call(phone.page, "GET", "/api/auth/me")).status, 401);
    assert.equal((await execute(page, "getMe")).shown, "200");
  });

  await t.test("logoutAll: 200, and the cookies are gone", async () => {
    assert.equal((await execute(page, "logoutAll")).shown, "200");
    assert.deepEqual(await context.cookies(), []);
  });

  await t.test("never complained, and never asked another host", () => {
    assert.deepEqual(complaints, []);
    const foreign = requested.filter((it) => !it.startsWith(`${url}/`) && !it.startsWith("data:"));
    assert.deepEqual(foreign, []);
  });
});

/// Opens an operation, fills in its form and presses Execute: what the page then shows as the
/// status, the answer's body, and the CSRF header that was sent.
async function execute(page, operation, { body, parameters = {} } = {}) {
  const block = page.locator(`.opblock[id$="-${operation}"]`);
  if (!(await block.getAttribute("class")).includes("is-open")) {
    await block.locator(".opblock-summary-control").click();
  }
  const clear = block.locator(".btn-clear");
  if (await clear.isVisible()) await clear.click();
  if (body) await block.locator(".body-param__text").fill(JSON.stringify(body, null, 2));
  for (const [name, value] of Object.entries(parameters)) {
    await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  }

  const [answer] = await Promise.all([
    page.waitForResponse(`${new URL(page.url()).origin}/api/**`),
    block.locator("button.execute").click(),
  ]);
  const status = block.locator(".live-responses-table .response .response-col_status");
  await status.scrollIntoViewIfNeeded();
  return {
    shown: (await status.textContent()).trim(),
    body: answer.status() === 204 ? null : await answer.json(),
    csrf: (await answer.request().allHeaders())["x-csrf-token"],
  };
}
