// doorward-client: typed calls to Doorward that stay signed in.
//
//   client.ts     createDoorward, and what it returns
//   bearer.ts     signed in by tokens        cookie.ts   signed in by cookies
//   vault.ts      the tokens and the store   tokens.ts   a pair of tokens
//   exclusive.ts  one at a time              retry.ts    until it is answered
//   problem.ts    errors                     result.ts   { data, error, response }
//   schema.ts     generated: the types of every operation
//   public.ts     generated: the paths of those that anybody may call

export { createDoorward } from "./client.js";
export type { Credentials, Doorward, DoorwardOptions, Message } from "./client.js";
export type { PasswordChange, Registered, SignedIn } from "./client.js";
export type { BearerOptions } from "./bearer.js";
export type { CookieOptions } from "./cookie.js";
export { Problem } from "./problem.js";
export type { FieldError, SignedOutCode } from "./problem.js";
export { unwrap } from "./result.js";
export type { Result } from "./result.js";
export type { RetryOptions } from "./retry.js";
export type { TokenStore } from "./tokens.js";
export type { components, operations, paths } from "./schema.js";

import type { components } from "./schema.js";

/** An account. */
export type User = components["schemas"]["User"];
/** A session: somebody signed in on one device. */
export type Session = components["schemas"]["Session"];
