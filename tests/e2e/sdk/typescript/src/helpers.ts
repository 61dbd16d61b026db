// What the stories share: accounts, a store to look into, and the server without the client.

import assert from "node:assert/strict";

import type { Problem, Result, RetryOptions, SignedOutCode, TokenStore } from "doorward-client";

import { until } from "./server.js";

export const ANA = { email: "ana@example.com", password: "correct horse battery staple" };
export const ME = "GET /api/auth/me";
export const CHANGE = "POST /api/auth/password";
export const REFRESH = "POST /api/auth/refresh";

/** Retries that take no time. */
export const QUICK: RetryOptions = { attempts: 3, baseDelay: 1, maxDelay: 5 };

/** A store in memory that remembers every `save`. */
export class MemoryStore implements TokenStore {
  readonly history: (string | null)[] = [];
  saved: string | null;

  constructor(saved: string | null = null) {
    this.saved = saved;
  }

  load(): string | null {
    return this.saved;
  }

  save(saved: string | null): void | Promise<void> {
    this.history.push(saved);
    this.saved = saved;
  }
}

/** An `onSignedOut` that remembers. */
export function signedOutHook() {
  const codes: SignedOutCode[] = [];
  return { codes, onSignedOut: (code: SignedOutCode) => void codes.push(code) };
}

/** The error of a call that must fail with this code. */
export async function problem(
  call: Promise<{ error?: Problem; response: Response }>,
  status: number,
  code: string,
): Promise<Problem> {
  const { error } = await call;
  assert.deepEqual([error?.status, error?.code], [status, code]);
  return error!;
}

/** The body of an error that a test makes up. */
export function problemJson(status: number, code: string) {
  return { type: "about:blank", title: "Made up", status, detail: "Made up by a test.", code };
}

/** The data of a call that must succeed. */
export async function ok<T>(call: Promise<Result<T>>): Promise<T> {
  const { data, error } = await call;
  assert.equal(error, undefined);
  return data!;
}

/** The tokens in a saved string. */
export function pair(saved: string | null): { accessToken: string; refreshToken: string } {
  assert.ok(saved, "nothing was saved");
  return JSON.parse(saved);
}

/** A call without the client: `{ status, body }`. */
export async function raw(
  url: string,
  method: string,
  path: string,
  { bearer, body }: { bearer?: string; body?: unknown } = {},
): Promise<{ status: number; body: { code?: string } }> {
  const headers: Record<string, string> = {};
  if (bearer) headers["Authorization"] = `Bearer ${bearer}`;
  if (body) headers["Content-Type"] = "application/json";
  const init = body ? { body: JSON.stringify(body) } : {};
  const answer = await fetch(url + path, { method, headers, ...init });
  return { status: answer.status, body: JSON.parse((await answer.text()) || "{}") };
}

/** Waits until the server says that the access token in a saved string has expired. */
export async function expired(url: string, saved: string | null): Promise<void> {
  const { accessToken } = pair(saved);
  await until(async () => {
    const { body } = await raw(url, "GET", "/api/auth/me", { bearer: accessToken });
    return body.code === "access_token_expired";
  }, "the access token to expire");
}
