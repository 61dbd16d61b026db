// The pages behind the links in mails, from the letter on.

import assert from "node:assert/strict";
import test from "node:test";

import {
  PASSWORD, call, cookie, linkFrom, listen, screenshot, signIn, start, until,
} from "./helpers.mjs";

const ANA = "ana@example.com";
const BEN = "ben@example.com";
const NEW_ADDRESS = "ana.maria@example.com";
const NEW = "staple, upright and shiny";

test("a new address is confirmed before it can sign in", { timeout: 60_000 }, async (t) => {
  const { browser, url, mail } = await start(t, { require_verified_email: true });
  const ana = await visitor(browser, url);
  const login = async () => (await ana.post("login", { email: ANA, password: PASSWORD })).status;
  assert.equal((await ana.post("register", { email: ANA, password: PASSWORD })).status, 201);
  const link = await linkFrom(mail, ANA, "Confirm your e-mail address");

  await t.test("a mail scanner that follows the link uses nothing up", async () => {
    for (const method of ["HEAD", "GET"]) assert.equal((await fetch(link, { method })).status, 200);
    assert.equal(await login(), 403);
  });

  await t.test("the page waits for the person, and hides the token", async () => {
    await ana.page.goto(link);
    assert.equal(ana.page.url(), `${url}/account/verify-email`);
    await ana.sees("Confirm your e-mail address");
    await screenshot(ana.page, "verify-email");
    await ana.page.reload();
    await ana.sees("Confirm your e-mail address");
    assert.equal(await login(), 403);
  });

  await t.test("the button confirms the address", async () => {
    const sent = await ana.press("Confirm the address", "verify-email");
    assert.equal(sent.status, 200);
    await ana.sees("Your address is confirmed");
    await screenshot(ana.page, "verify-email-done");
    assert.equal(await login(), 200);
    await ana.page.reload();
    await ana.sees("Your address is confirmed");
  });

  await t.test("a link that was used says so", async () => {
    await ana.page.goto(link);
    const { status } = await ana.press("Confirm the address", "verify-email");
    assert.equal(status, 403);
    await ana.sees("This link is not valid any more");
    await screenshot(ana.page, "verify-email-used");
  });

  ana.neverComplained();
});

test("a forgotten password is reset", { timeout: 60_000 }, async (t) => {
  const { browser, url, mail } = await start(t, { password_min_length: 12 });
  // She is still signed in on this device, so that the page is sent with her cookies.
  const ana = await visitor(browser, url, await signIn(browser, url, ANA, "register"));
  const { page } = ana;
  assert.equal((await ana.post("forgot-password", { email: ANA })).status, 202);
  const link = await linkFrom(mail, ANA, "Choose another password");
  const field = page.getByLabel("New password");

  await t.test("the page says what a password has to be", async () => {
    await page.goto(link);
    await ana.sees("Choose another password");
    await page.getByText("At least 12 characters.").waitFor();
    assert.equal(await field.getAttribute("autocomplete"), "new-password");
  });

  await t.test("what is typed can be seen", async () => {
    await field.fill("too short");
    assert.equal(await field.getAttribute("type"), "password");
    await page.getByLabel("Show the password").check();
    assert.equal(await field.getAttribute("type"), "text");
    await page.getByLabel("Show the password").uncheck();
    assert.equal(await field.getAttribute("type"), "password");
  });

  await t.test("a password that is too short: the field says so, and keeps it", async () => {
    assert.equal((await ana.press("Change the password", "reset-password")).status, 422);
    await page.getByText("It must be at least 12 characters long.").waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.ok(await field.evaluate((it) => it === document.activeElement));
    assert.equal(await field.inputValue(), "too short");
    await screenshot(page, "reset-password-refused");
  });

  await t.test("no network: it says so, and keeps the password", async () => {
    await field.fill(NEW);
    await ana.context.setOffline(true);
    await page.getByRole("button", { name: "Change the password" }).click();
    await page.getByText("The server did not answer.").waitFor();
    assert.equal(await page.getByText("It must be").count(), 0);
    assert.equal(await field.inputValue(), NEW);
    await ana.context.setOffline(false);
  });

  await t.test("too many attempts: it says when to try again", async () => {
    for (const [seconds, said] of [[42, /again in 42 s\./], [600, /again at \d+:\d\d/]]) {
      await page.route("**/api/auth/reset-password", (route) => route.fulfill({
        status: 429,
        headers: { "Retry-After": String(seconds) },
        contentType: "application/problem+json",
        body: JSON.stringify({ code: "too_many_attempts", detail: "Try again later." }),
      }), { times: 1 });
      await page.getByRole("button", { name: "Change the password" }).click();
      await page.getByRole("status").filter({ hasText: said }).waitFor();
    }
  });

  await t.test("Enter changes it, and all sessions end", async () => {
    const csrf = await cookie(ana.context, "csrfToken");
    const sent = await ana.sends("reset-password", () => field.press("Enter"));
    assert.equal(sent.status, 200);
    assert.deepEqual(Object.keys(sent.body).sort(), ["newPassword", "token"]);
    assert.equal(sent.headers["x-csrf-token"], csrf);
    assert.ok(sent.headers.cookie.includes("refreshToken="), "her cookies were sent");
    assert.equal(sent.headers.referer, undefined);
    await ana.sees("Your password is changed");
    assert.equal(await field.inputValue(), "");
    await screenshot(page, "reset-password-done");
    assert.equal((await call(page, "GET", "/api/auth/me")).status, 401);
  });

  await t.test("the old password is refused, the new one works", async () => {
    const login = async (password) => (await ana.post("login", { email: ANA, password })).status;
    assert.equal(await login(PASSWORD), 401);
    assert.equal(await login(NEW), 200);
  });

  await t.test("the link works once", async () => {
    await page.goto(link);
    await field.fill(PASSWORD);
    assert.equal((await ana.press("Change the password", "reset-password")).status, 403);
    await ana.sees("This link is not valid any more");
  });

  ana.neverComplained();
});

test("an address is changed, and changed back", { timeout: 60_000 }, async (t) => {
  const { browser, url, mail } = await start(t);
  const ana = await visitor(browser, url, await signIn(browser, url, ANA, "register"));
  const me = async () => (await call(ana.page, "GET", "/api/auth/me")).body.email;
  // Only an address that is known to be hers can take the account back.
  assert.equal((await ana.post("resend-verification", { email: ANA })).status, 202);
  await ana.page.goto(await linkFrom(mail, ANA, "Confirm your e-mail address"));
  await ana.press("Confirm the address", "verify-email");
  const csrf = await cookie(ana.context, "csrfToken");
  const change = await call(ana.page, "POST", "/api/auth/change-email", {
    csrf, body: { newEmail: NEW_ADDRESS, password: PASSWORD },
  });
  assert.equal(change.status, 202);

  await t.test("by the link to the new address", async () => {
    await ana.page.goto(await linkFrom(mail, NEW_ADDRESS, "Confirm your new e-mail address"));
    assert.equal(await me(), ANA);
    await ana.press("Use this address", "confirm-email");
    await ana.sees("Your address is changed");
    assert.equal(await me(), NEW_ADDRESS);
  });

  // The other browser is in the dark, narrow, and nobody's.
  const phone = await visitor(browser, url, {
    colorScheme: "dark", viewport: { width: 360, height: 640 },
  });
  await t.test("and back, by the link to the old one", async () => {
    await phone.page.goto(await linkFrom(mail, ANA, "Your e-mail address was changed"));
    await screenshot(phone.page, "undo-email-change");
    await phone.press("Undo the change", "undo-email-change");
    await phone.sees("Your account has its address back");
    assert.equal((await phone.post("login", { email: ANA, password: PASSWORD })).status, 200);
  });

  ana.neverComplained();
  phone.neverComplained();
});

test("an invitation from the shell makes an account", { timeout: 60_000 }, async (t) => {
  const { browser, url, mail, shell } = await start(t, { registration: "invite" });
  const ben = await visitor(browser, url);
  assert.equal((await ben.post("register", { email: BEN, password: PASSWORD })).status, 403);
  await shell("user", "invite", BEN);
  await ben.page.goto(await linkFrom(mail, BEN, "You are invited"));
  await ben.page.getByLabel("Password", { exact: true }).fill(NEW);
  const { status } = await ben.press("Make the account", "accept-invitation");
  assert.equal(status, 201);
  await ben.sees("Your account is made");
  const me = await call(ben.page, "GET", "/api/auth/me");
  assert.deepEqual([me.status, me.body.email, me.body.isVerified], [200, BEN, true]);
  ben.neverComplained();
});

test("what the server says of an invitation is shown", { timeout: 60_000 }, async (t) => {
  const { browser, url } = await start(t);
  const ben = await visitor(browser, url);
  // The server's part is played: what counts here is what the page makes of its answers.
  const answers = (status, body) =>
    ben.page.route("**/api/auth/accept-invitation", (route) =>
      route.fulfill({ status, contentType: "application/problem+json", body: JSON.stringify(body) }));
  const accept = async () => {
    await ben.page.goto("/account/accept-invitation?token=abc");
    await ben.page.getByLabel("Password", { exact: true }).fill(NEW);
    return ben.press("Make the account", "accept-invitation");
  };

  await t.test("with a password and the token, and nothing else", async () => {
    await answers(201, { message: "Registration successful" });
    assert.deepEqual((await accept()).body, { token: "abc", password: NEW });
    await ben.sees("Your account is made");
  });

  await t.test("a refused password is told by the field", async () => {
    const message = "must not be one of the 10,000 most common passwords";
    await answers(422, { code: "validation_failed", errors: [{ field: "/password", message }] });
    await accept();
    await ben.page.getByText(`It ${message}.`).waitFor();
    await screenshot(ben.page, "accept-invitation-refused");
  });

  await t.test("an address that has an account, a link that was used: it says so", async () => {
    await answers(409, { code: "email_taken" });
    await accept();
    await ben.sees("You have an account already");
    await answers(403, { code: "invalid_token" });
    await accept();
    await ben.sees("This link is not valid any more");
  });

  await t.test("anything else is told in the server's words, and may be tried again", async () => {
    await answers(503, { code: "overloaded", detail: "The server is busy. Try again shortly." });
    await accept();
    await ben.page.getByRole("status").filter({ hasText: "The server is busy." }).waitFor();
    await ben.page.unroute("**/api/auth/accept-invitation");
    await ben.page.route("**/api/auth/accept-invitation", (route) =>
      route.fulfill({ status: 502, contentType: "text/html", body: "<h1>Bad gateway</h1>" }));
    await ben.press("Make the account", "accept-invitation");
    await ben.page.getByRole("status").filter({ hasText: "could not do this" }).waitFor();
  });

  ben.neverComplained();
});

test("a page that has no good link", { timeout: 60_000 }, async (t) => {
  const { browser, url } = await start(t);
  const eve = await visitor(browser, url);

  await t.test("says that the token is missing", async () => {
    for (const page of ["verify-email", "reset-password?token=", "accept-invitation?tok"]) {
      await eve.page.goto(`/account/${page}`);
      await eve.sees("This link is incomplete");
    }
  });

  await t.test("says that it is not valid, however hostile or long", async () => {
    for (const token of ["<img src=x onerror=alert(1)>", "x".repeat(500), "✓\"'&amp;"]) {
      await eve.page.goto(`/account/undo-email-change?token=${encodeURIComponent(token)}`);
      assert.equal(await eve.page.locator("img").count(), 0);
      const { body } = await eve.press("Undo the change", "undo-email-change");
      assert.deepEqual(body, { token });
      await eve.sees("This link is not valid any more");
    }
  });

  await t.test("without JavaScript it says what is needed, and has no button", async () => {
    const context = await browser.newContext({ baseURL: url, javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto("/account/reset-password?token=x");
    await page.getByText("This page needs JavaScript").waitFor();
    assert.equal(await page.getByRole("button").count(), 0);
    await screenshot(page, "without-javascript");
  });

  eve.neverComplained();
});

/// A person with a browser window: a signed-in one, or a new one with these settings.
async function visitor(browser, url, { context, ...settings } = {}) {
  context ??= await browser.newContext({ baseURL: url, ...settings });
  const page = await context.newPage();
  const complaints = await listen(page);
  await page.goto("/docs");

  /// What was sent to an operation by what `act` does, and the status of the answer.
  const sends = async (operation, act) => {
    const [answer] = await Promise.all([
      page.waitForResponse(`**/api/auth/${operation}`),
      act(),
    ]);
    const request = answer.request();
    return {
      status: answer.status(), body: request.postDataJSON(), headers: await request.allHeaders(),
    };
  };
  return {
    context,
    page,
    sends,
    post: (operation, body) => call(page, "POST", `/api/auth/${operation}`, { body }),
    press: (name, operation) =>
      sends(operation, () => page.getByRole("button", { name }).click()),
    /// The one heading that is shown, also by the window's title.
    sees: async (heading) => {
      await until(async () => (await page.title()) === heading, `the page "${heading}"`);
      assert.deepEqual(await page.locator("h1:visible").allTextContents(), [heading]);
    },
    /// Refusals are news to the console; nothing else is to be there.
    neverComplained: () => {
      const refusals = /^Failed to load resource: (the server responded with a status of (4|50[23])|net::ERR_INTERNET)/;
      assert.deepEqual(complaints.filter((it) => !refusals.test(it)), []);
    },
  };
}
