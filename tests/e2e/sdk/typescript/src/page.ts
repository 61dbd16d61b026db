// Chromium, and a page of another origin than the server's: the built client and what it needs,
// as modules, without a bundler.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join, normalize } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import type { Doorward, DoorwardOptions, TokenStore } from "doorward-client";
import { chromium, type Browser, type Page } from "playwright-core";

const MODULES = join(dirname(fileURLToPath(import.meta.url)), "../node_modules");
const ARGUMENTS = [
  "--no-sandbox",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
  "--disable-background-networking",
  "--disable-component-update",
  "--no-first-run",
];
const HTML = `<!doctype html><title>An application</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {
  "doorward-client": "/modules/doorward-client/dist/index.js",
  "openapi-fetch": "/modules/openapi-fetch/dist/index.mjs"
}}</script>
<script type="module">
  import * as client from "doorward-client";
  // IndexedDB, because localStorage lags behind between the processes of two tabs.
  const wait = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const opening = indexedDB.open("doorward");
  opening.onupgradeneeded = () => opening.result.createObjectStore("tokens");
  const database = wait(opening);
  const tokens = async (mode) => (await database).transaction("tokens", mode).objectStore("tokens");
  window.store = {
    load: async () => wait((await tokens("readonly")).get("saved")),
    save: async (saved) => void (await wait((await tokens("readwrite")).put(saved, "saved"))),
  };
  window.client = client;
</script>`;

/** What the page's window holds. */
export interface Application {
  client: typeof import("doorward-client");
  store: Required<TokenStore>;
  doorward: Doorward;
  signedOut: string[];
}

export async function startBrowser(t: TestContext): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, headless: true, args: ARGUMENTS });
  t.after(() => browser.close());
  return browser;
}

/** Serves the page; its origin. */
export async function startPage(t: TestContext): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = normalize(request.url ?? "/");
    const script = path.startsWith("/modules/");
    const body = script ? await readFile(MODULES + path.slice("/modules".length)) : HTML;
    response.setHeader("Content-Type", script ? "text/javascript" : "text/html; charset=utf-8");
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}

/** Opens the page as a tab with a client in `window`; `errors` collects what the console says. */
export async function openTab(
  context: { newPage(): Promise<Page> },
  origin: string,
  options: DoorwardOptions & { persist?: boolean },
): Promise<{ tab: Page; errors: string[] }> {
  const tab = await context.newPage();
  const errors: string[] = [];
  tab.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  tab.on("pageerror", (error) => errors.push(String(error)));
  await tab.goto(origin);
  await tab.waitForFunction(() => "client" in window);
  await tab.evaluate((options) => {
    const app = window as unknown as Application;
    app.signedOut = [];
    app.doorward = app.client.createDoorward({
      ...options,
      ...(options.persist && { store: app.store }),
      onSignedOut: (code) => app.signedOut.push(code),
    } as DoorwardOptions);
  }, options);
  return { tab, errors };
}

/** `count` calls of getMe at once; the statuses. */
export function me(tab: Page, count = 1): Promise<number[]> {
  return tab.evaluate(async (count) => {
    const { doorward } = window as unknown as Application;
    const calls = Array.from({ length: count }, () => doorward.GET("/api/auth/me"));
    return (await Promise.all(calls)).map(({ response }) => response.status);
  }, count);
}

export function signedOut(tab: Page): Promise<string[]> {
  return tab.evaluate(() => (window as unknown as Application).signedOut);
}
