// A pair of tokens that is hard to print, and where it is kept between two runs.

type Awaitable<T> = T | Promise<T>;

/**
 * Where the tokens are kept. `saved` is a string that holds secrets: store it as it is, where
 * only its owner can read it, and do not log it.
 *
 * Tabs or processes with the same store are one client: before a refresh, and before signing
 * out, what another one has saved meanwhile is taken over. In a browser that wants IndexedDB:
 * `localStorage` lags behind between tabs, and then only the server's `refresh_grace` saves you.
 */
export interface TokenStore {
  /** What was saved last; null or undefined when nobody is signed in. */
  load?(): Awaitable<string | null | undefined>;
  /**
   * Keeps `saved`, or forgets it when it is null. It is awaited before the tokens are used.
   * When it throws, the call that needed the tokens throws the same, nothing is lost, and the
   * next call tries again.
   */
  save(saved: string | null): Awaitable<void>;
}

/** What is read of an answer that carries tokens. */
interface Issued {
  accessToken?: string;
  refreshToken?: string;
  accessTokenExpiresIn?: number;
}

const REDACTED = "Tokens([redacted])";

export class Tokens {
  readonly #access: string;
  readonly #refresh: string;
  readonly #expiresAt: number;

  private constructor(access: string, refresh: string, expiresAt = Infinity) {
    this.#access = access;
    this.#refresh = refresh;
    this.#expiresAt = expiresAt;
  }

  /** From an answer to a request that was sent at `sentAt`, in `performance.now()`'s time. */
  static issued(answer: Issued, sentAt: number): Tokens | null {
    const { accessToken, refreshToken, accessTokenExpiresIn: seconds = Infinity } = answer;
    if (!accessToken || !refreshToken) return null;
    return new Tokens(accessToken, refreshToken, sentAt + seconds * 1000);
  }

  /** From what was saved; null when that is unreadable, as if there were nothing. */
  static parse(saved: string): Tokens | null {
    try {
      // How old the tokens are is unknown: they are good until the server says otherwise.
      const { accessToken: access, refreshToken: refresh } = JSON.parse(saved) as Issued;
      const whole = typeof access === "string" && typeof refresh === "string";
      return whole ? new Tokens(access, refresh) : null;
    } catch {
      return null;
    }
  }

  /** For the store only: it holds both secrets. */
  serialize(): string {
    return JSON.stringify({ accessToken: this.#access, refreshToken: this.#refresh });
  }

  get access(): string {
    return this.#access;
  }

  get refresh(): string {
    return this.#refresh;
  }

  /** By the monotonic clock, so that setting the wall clock changes nothing. */
  get expired(): boolean {
    return performance.now() >= this.#expiresAt;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}
