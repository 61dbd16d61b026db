// What both ways of being signed in have in common: by bearer and by cookie.

import type { Client } from "openapi-fetch";

import { Problem, type SignedOutCode } from "./problem.js";
import type { Result } from "./result.js";
import type { RetryOptions } from "./retry.js";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
export type Fetch = (request: Request) => Promise<Response>;

export interface CommonOptions {
  /** Where Doorward is, such as `https://auth.example.com`. */
  baseUrl: string;
  /** Used instead of the global `fetch`. */
  fetch?: Fetch;
  /** How a refresh is retried. */
  retry?: RetryOptions;
  /** Called once when the server has ended the session; not after `logout` and the like. */
  onSignedOut?: (code: SignedOutCode) => void;
}

/** What openapi-fetch makes of any answer. */
export interface Answer {
  response: Response;
}

/** What openapi-fetch makes of an answer that signs somebody in. */
export interface SignInAnswer extends Answer {
  data?: Schemas["SignedIn"] | Schemas["Registered"];
}

/** What came of signing out. */
export type MessageAnswer = Result<Schemas["Message"]>;

/** Who is signed in, and how calls are made in their name. */
export interface Session {
  /** Its calls are made in the name of who is signed in, and keep them signed in. */
  readonly client: Client<paths>;
  /** `send` posts credentials with this delivery and through this fetch. */
  signIn<R extends SignInAnswer>(
    send: (delivery: Schemas["Delivery"], fetch: Fetch) => Promise<R>,
  ): Promise<R>;
  /** `send` makes a call as who is signed in, whose answer starts another session of theirs. */
  renew<R extends SignInAnswer>(send: (fetch: Fetch) => Promise<R>): Promise<R>;
  logout(): Promise<MessageAnswer>;
  /** `send` makes a call as who is signed in, after which nobody is. */
  leave<R extends Answer>(send: (fetch: Fetch) => Promise<R>): Promise<R>;
}

/**
 * The fetch at the bottom. A page in place of JSON, as from the portal of a hotel's network, is
 * a problem too, though its status is 200.
 */
export function transport({ fetch }: CommonOptions): Fetch {
  return async (request) => {
    const response = await (fetch ?? globalThis.fetch)(request);
    const { ok, status, headers } = response;
    if (!ok || status === 204 || /[/+]json\b/i.test(headers.get("Content-Type") ?? "")) {
      return response;
    }
    throw Problem.of(response, undefined);
  };
}

/** Calls the application's hook in a turn of its own: what it throws is no failure of a call. */
export function announce(options: CommonOptions, code: SignedOutCode): void {
  const { onSignedOut } = options;
  if (onSignedOut) queueMicrotask(() => onSignedOut(code));
}
