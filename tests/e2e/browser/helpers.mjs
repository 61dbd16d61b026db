// What the stories share: a server of their own, a browser of their own, bounded polling.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const OUTPUT = here("../output/");
const BINARY = process.env.DOORWARD_BIN ?? here("../../../target/release/doorward");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const START_LIMIT = 15_000;
const STOP_LIMIT = 15_000;

export const PASSWORD = "correct horse battery staple";

/// A browser and a server of the test's own, where that keeps its letters, and a `doorward` at the
/// shell beside it: `{ browser, url, mail, shell }`. `settings` are configuration keys, such as
/// `{ access_token_ttl: "3s" }`. Both are stopped when the test is over.
export async function start(t, settings = {}) {
  const browser = await startBrowser();
  let server;
  t.after(async () => {
    // The server first: a browser that is still connected must not keep it from stopping.
    try {
      await server?.stop();
    } finally {
      await browser.close();
    }
  });
  server = await startDoorward(settings);
  return { browser, ...server };
}

/// Starts a server on a free port, with a new data directory. `stop` ends it by SIGTERM, to
/// which the answer must be exit code 0.
async function startDoorward(settings) {
  const data = await mkdtemp(join(tmpdir(), "doorward-e2e-"));
  const child = spawn(BINARY, ["serve", "--data", data, "--listen", "127.0.0.1:0"], {
    env: { PATH: process.env.PATH, ...environment(settings) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let log = "";
  child.stderr.on("data", (chunk) => (log += chunk));

  const stop = async () => {
    child.kill("SIGTERM");
    const tooLate = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT);
    const [code, signal] = await exited;
    clearTimeout(tooLate);
    await rm(data, { recursive: true, force: true });
    assert.equal(code, 0, `the server answered SIGTERM with ${signal ?? code}; its log:\n${log}`);
  };

  try {
    const [line] = await Promise.race([
      once(createInterface({ input: child.stdout }), "line"),
      exited.then(([code]) => assert.fail(`it ended with ${code}`)),
      delay(START_LIMIT, null, { ref: false }).then(() => assert.fail("it was never ready")),
    ]);
    const url = /^Doorward is ready on (http:\/\/127\.0\.0\.1:\d+) /.exec(line)?.[1];
    assert.ok(url, `it said: ${line}`);
    const env = { PATH: process.env.PATH, ...environment(settings) };
    const shell = (...words) => run(BINARY, [...words, "--data", data], { env });
    return { url, mail: join(data, "mail"), shell, stop };
  } catch (cause) {
    child.kill("SIGKILL");
    await rm(data, { recursive: true, force: true });
    throw new Error(`the server did not start: ${cause.message}\n${log}`, { cause });
  }
}

/// Cheap hashing and no throttle, unless a test says otherwise.
function environment(settings) {
  const all = { throttle: false, argon2_memory_kib: 8, argon2_iterations: 1, ...settings };
  return Object.fromEntries(
    Object.entries(all).map(([key, value]) => [`DOORWARD_${key.toUpperCase()}`, String(value)]),
  );
}

/// Starts Chromium, in which no name but the loopback ones resolves.
function startBrowser() {
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      "--no-sandbox",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
      "--disable-background-networking",
      "--disable-component-update",
      "--no-first-run",
    ],
  });
}

/// A device with its own cookies, signed in from a page of the server's origin.
export async function signIn(browser, url, email, operation = "login") {
  const context = await browser.newContext({ baseURL: url });
  const page = await context.newPage();
  await page.goto("/docs");
  const { status } = await call(page, "POST", `/api/auth/${operation}`, {
    body: { email, password: PASSWORD },
  });
  assert.equal(status, operation === "register" ? 201 : 200);
  return { context, page };
}

/// `fetch` in the page: `{ status, body }`, `body` parsed, or null when empty.
export async function call(page, method, path, { body, csrf } = {}) {
  return page.evaluate(
    async ([method, path, body, csrf]) => {
      const headers = {};
      if (body) headers["Content-Type"] = "application/json";
      if (csrf) headers["X-CSRF-Token"] = csrf;
      const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : null };
    },
    [method, path, body, csrf],
  );
}

/// The value of a cookie that has not expired.
export async function cookie(context, name) {
  const cookies = await context.cookies();
  return cookies.find((cookie) => cookie.name === name)?.value;
}

/// Waits for the browser itself to drop the access cookie.
export async function accessExpired(context) {
  await until(async () => !(await cookie(context, "token")), "the access cookie to expire");
}

/// Asks until the answer is truthy, and returns it.
export async function until(ask, what, limit = 10_000) {
  for (const end = performance.now() + limit; performance.now() < end; await delay(20)) {
    const answer = await ask();
    if (answer) return answer;
  }
  return assert.fail(`waited ${limit} ms for ${what}`);
}

/// How often the server came to each verdict over a refresh token: `{ rotate: 10, … }`.
export async function verdicts(url) {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const lines = metrics.matchAll(/^doorward_refresh_verdicts_total\{verdict="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, verdict, count]) => [verdict, Number(count)]));
}

/// Waits for the letter to `to` with this subject, the newest if there are several, and returns the
/// link that it holds.
export async function linkFrom(mail, to, subject) {
  return until(async () => {
    const names = (await readdir(mail).catch(() => [])).filter((name) => name.endsWith(".eml"));
    const letters = await Promise.all(names.sort().map((name) => readFile(join(mail, name), "utf8")));
    const wanted = letters.filter(
      (letter) => letter.includes(`\r\nTo: ${to}\r\n`) && letter.includes(`Subject: ${subject}\r\n`),
    );
    // Quoted-printable breaks lines, and writes `=` as `=3D`.
    const text = wanted.at(-1)?.replaceAll("=\r\n", "").replaceAll("=3D", "=");
    return text && /^https?:\S+\?token=\S+/m.exec(text)?.[0];
  }, `the letter "${subject}" to ${to}`);
}

/// Everything the console, a failed script or the content security policy says.
export async function listen(page) {
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  await page.addInitScript(() =>
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      console.error(`CSP: ${violatedDirective} ${blockedURI}`),
    ),
  );
  return complaints;
}

/// Keeps a picture of the page for a person to look at.
export async function screenshot(page, name) {
  await mkdir(OUTPUT, { recursive: true });
  await page.screenshot({ path: join(OUTPUT, `${name}.png`) });
}
