// Repeats a refresh that was not answered, or was answered that the server cannot at the moment.

import { Problem } from "./problem.js";

/** How a refresh is retried. Times are in milliseconds. */
export interface RetryOptions {
  /** How often it is sent in all. Default 4. */
  attempts?: number;
  /** The longest pause before the second attempt; it doubles from there on. Default 250. */
  baseDelay?: number;
  /** No pause is longer, whatever `Retry-After` says. Default 10,000. */
  maxDelay?: number;
  /** An attempt that takes longer counts as not answered. Default 10,000. */
  timeout?: number;
}

export type Retry = Required<RetryOptions>;

const DEFAULTS: Retry = { attempts: 4, baseDelay: 250, maxDelay: 10_000, timeout: 10_000 };

export function retryOptions(options: RetryOptions = {}): Retry {
  return { ...DEFAULTS, ...options };
}

/** Attempts until it is answered, or the attempts run out: then the last error is thrown. */
export async function retrying<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  retry: Retry,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt(AbortSignal.timeout(retry.timeout));
    } catch (error) {
      if (failures >= retry.attempts || !mayPass(error)) throw error;
      await pause(delayAfter(failures, error, retry));
    }
  }
}

/** Whether another attempt may succeed. What is no problem is an answer that never came. */
function mayPass(error: unknown): boolean {
  return !(error instanceof Problem) || error.status === 429 || error.status >= 500;
}

/** Full jitter: clients that failed together must not come back together. */
function delayAfter(failures: number, error: unknown, { baseDelay, maxDelay }: Retry): number {
  const backoff = Math.random() * baseDelay * 2 ** (failures - 1);
  const asked = error instanceof Problem ? (error.retryAfter ?? 0) * 1000 : 0;
  return Math.min(maxDelay, asked + backoff);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits for what others wait for too: an abort ends the waiting, not the work. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
