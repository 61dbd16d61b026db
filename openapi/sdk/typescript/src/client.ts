// The client that applications use: openapi-fetch's, signed in.

import type { Client } from "openapi-fetch";

import { BearerSession, type BearerOptions } from "./bearer.js";
import { CookieSession, type CookieOptions } from "./cookie.js";
import { settle, type Result } from "./result.js";
import type { components, paths } from "./schema.js";
import type { Session } from "./session.js";

type Schemas = components["schemas"];
type TokenMembers = "accessToken" | "refreshToken";

/** An e-mail address and a password. */
export type Credentials = Omit<Schemas["Credentials"], "delivery">;
/** Somebody has signed in. The tokens are not in it: they stay inside the client. */
export type SignedIn = Omit<Schemas["SignedIn"], TokenMembers>;
/** Somebody has registered; signed in, too, when there is a `session`. */
export type Registered = Omit<Schemas["Registered"], TokenMembers>;
export type Message = Schemas["Message"];

/** The current password and the new one. */
export type PasswordChange = Schemas["PasswordChange"];

/** The paths that change who is signed in. They have methods of their own. */
type SessionPath = `/api/auth/${
  | "login" | "register" | "refresh" | "logout" | "logout-all" | "password" | "delete-account"}`;
export type CallPaths = Omit<paths, SessionPath>;

export type DoorwardOptions = BearerOptions | CookieOptions;

/**
 * Calls resolve to `{ data, error, response }`, as with openapi-fetch; `error` is a `Problem`.
 * A promise is rejected only when there was no answer (with `fetch`'s error), or when the
 * store failed (with its error).
 */
export interface Doorward extends Client<CallPaths> {
  /** Makes an account and signs in, unless its address has to be verified first. */
  register(credentials: Credentials): Promise<Result<Registered>>;
  /** Signs in. A wrong password is the error `invalid_credentials`. */
  login(credentials: Credentials): Promise<Result<SignedIn>>;
  /** Signs out here. Without an answer, you are still signed in. */
  logout(): Promise<Result<Message>>;
  /** Signs out everywhere. Without an answer, you are still signed in. */
  logoutAll(): Promise<Result<Message>>;
  /**
   * Changes the password, and signs out everywhere but here. A wrong one is the error
   * `wrong_password`. Without an answer, or when the store fails, it may have been changed.
   */
  changePassword(change: PasswordChange): Promise<Result<SignedIn>>;
  /** Deletes the account for good. A wrong password is the error `wrong_password`. */
  deleteAccount(password: string): Promise<Result<undefined>>;
}

const METHODS = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "request"];

/** A client of the Doorward at `options.baseUrl`, signed in by bearer or by cookie. */
export function createDoorward(options: DoorwardOptions): Doorward {
  const session: Session =
    options.mode === "cookie" ? new CookieSession(options) : new BearerSession(options);
  const { client } = session;
  return {
    ...settled(client),
    use: client.use,
    eject: client.eject,
    register: (credentials) => settle(async () => {
      const answer = await session.signIn((delivery, fetch) =>
        client.POST("/api/auth/register", { body: { ...credentials, delivery }, fetch }));
      return withoutTokens(answer);
    }),
    login: (credentials) => settle(async () => {
      const answer = await session.signIn((delivery, fetch) =>
        client.POST("/api/auth/login", { body: { ...credentials, delivery }, fetch }));
      return withoutTokens(answer);
    }),
    logout: () => settle(() => session.logout()),
    logoutAll: () => settle(() =>
      session.leave((fetch) => client.POST("/api/auth/logout-all", { fetch }))),
    changePassword: (body) => settle(async () => {
      const answer = await session.renew((fetch) =>
        client.POST("/api/auth/password", { body, fetch }));
      return withoutTokens(answer);
    }),
    deleteAccount: (password) => settle(() =>
      session.leave((fetch) =>
        client.POST("/api/auth/delete-account", { body: { password }, fetch }))),
  };
}

/** The client's methods, whose errors are problems. */
function settled(client: Client<paths>): Client<CallPaths> {
  type Call = (...call: unknown[]) => Promise<{ response: Response }>;
  const calls = client as unknown as Record<string, Call>;
  const methods = METHODS.map((name) => {
    const method: Call = (...call) => settle(() => calls[name]!(...call));
    return [name, method];
  });
  return Object.fromEntries(methods);
}

/** Whoever prints an answer must not print the tokens. */
function withoutTokens<T extends object>(answer: Result<T>): Result<Omit<T, TokenMembers>> {
  if (!answer.data) return answer;
  const { accessToken, refreshToken, ...data } = answer.data as T & Record<TokenMembers, unknown>;
  return { data: data as Omit<T, TokenMembers>, response: answer.response };
}
