// A server of the test's own, and bounded polling.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

const START_LIMIT = 15_000;
const STOP_LIMIT = 15_000;

/** Configuration keys, such as `{ access_token_ttl: "3s" }`. */
export type Settings = Record<string, string | number | boolean>;

/** Starts a server on a free port, which is stopped when the test is over; its URL. */
export async function startDoorward(t: TestContext, settings: Settings = {}): Promise<string> {
  const binary = process.env["DOORWARD_BIN"];
  assert.ok(binary, "DOORWARD_BIN is not set");
  const data = await mkdtemp(join(tmpdir(), "doorward-sdk-"));
  const child = spawn(binary, ["serve", "--data", data, "--listen", "127.0.0.1:0"], {
    env: { PATH: process.env["PATH"], ...environment(settings) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let log = "";
  child.stderr.on("data", (chunk) => (log += chunk));

  t.after(async () => {
    child.kill("SIGTERM");
    const tooLate = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT);
    const [code, signal] = await exited;
    clearTimeout(tooLate);
    await rm(data, { recursive: true, force: true });
    assert.equal(code, 0, `the server answered SIGTERM with ${signal ?? code}; its log:\n${log}`);
  });

  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    exited.then(([code]) => assert.fail(`the server ended with ${code}:\n${log}`)),
    delay(START_LIMIT, null, { ref: false }).then(() => assert.fail(`never ready:\n${log}`)),
  ]);
  const url = /^Doorward is ready on (http:\/\/127\.0\.0\.1:\d+) /.exec(String(line))?.[1];
  assert.ok(url, `it said: ${line}`);
  return url;
}

/** Cheap hashing and no throttle, unless a test says otherwise. */
function environment(settings: Settings): Record<string, string> {
  const all = { throttle: false, argon2_memory_kib: 8, argon2_iterations: 1, ...settings };
  return Object.fromEntries(
    Object.entries(all).map(([key, value]) => [`DOORWARD_${key.toUpperCase()}`, String(value)]),
  );
}

/** Asks until the answer is truthy, and returns it. */
export async function until<T>(
  ask: () => T | Promise<T>,
  what: string,
  limit = 10_000,
): Promise<NonNullable<T>> {
  for (const end = performance.now() + limit; performance.now() < end; await delay(20)) {
    const answer = await ask();
    if (answer) return answer;
  }
  return assert.fail(`waited ${limit} ms for ${what}`);
}
