// The idiom of openapi-fetch, `{ data, error, response }`, with `error` as a class.

import { Problem, responseOf } from "./problem.js";

/** What a call resolves to: either `data` or `error`. */
export type Result<T> =
  | { data: T; error?: never; response: Response }
  | { data?: never; error: Problem; response: Response };

/** What openapi-fetch resolves to, before its `error` is a {@link Problem}. */
interface Settled {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/**
 * Runs a call and makes its error a {@link Problem}, whether it was answered or thrown on the
 * way, by the refresh before it. What is no answer at all stays thrown.
 */
export async function settle<R extends Settled>(run: () => Promise<R>): Promise<R> {
  const failed = (error: Problem) => ({ error, response: responseOf(error) }) as unknown as R;
  try {
    const result = await run();
    return result.response.ok ? result : failed(Problem.of(result.response, result.error));
  } catch (cause) {
    if (cause instanceof Problem) return failed(cause);
    throw cause;
  }
}

/**
 * For those who would rather catch: the `data` of a call, or its {@link Problem} thrown.
 *
 * @example const me = await unwrap(doorward.GET("/api/auth/me"));
 */
export async function unwrap<R extends { data?: unknown; error?: Problem }>(
  call: Promise<R>,
): Promise<Exclude<R, { error: Problem }>["data"]> {
  const { data, error } = await call;
  if (error) throw error;
  return data;
}
