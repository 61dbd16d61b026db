// Signed in by cookies that the browser, or the application's own fetch, holds. The server renews
// them on the way; where it does not (`auto_refresh = false`), this does.

import createClient, { type Client } from "openapi-fetch";

import { Exclusive } from "./exclusive.js";
import { codeOf, Problem, signsOut, type SignedOutCode } from "./problem.js";
import { abortable, retrying, retryOptions, type Retry } from "./retry.js";
import type { paths } from "./schema.js";
import { announce, transport, type Answer, type CommonOptions, type Fetch } from "./session.js";
import type { MessageAnswer, Session, SignInAnswer } from "./session.js";

/** For pages; elsewhere `fetch` and `cookies` must come from a cookie jar. */
export interface CookieOptions extends CommonOptions {
  mode: "cookie";
  /**
   * The cookies for a URL, in the form of `document.cookie`, which it is by default. Read for
   * the CSRF token before every unsafe call.
   */
  cookies?: (url: string) => string | Promise<string>;
}

const CSRF_COOKIES = ["__Host-csrfToken", "__Secure-csrfToken", "csrfToken"];
const SAFE_METHODS = ["GET", "HEAD", "OPTIONS", "TRACE"];

export class CookieSession implements Session {
  readonly client: Client<paths>;
  readonly #options: CookieOptions;
  readonly #retry: Retry;
  readonly #fetch: Fetch;
  readonly #exclusive: Exclusive;
  #refreshing: Promise<void> | undefined;
  // How often the cookies were renewed, and whose they are: a call remembers what it began with.
  #renewals = 0;
  #epoch = 0;
  #signedOut = false;

  constructor(options: CookieOptions) {
    this.#options = options;
    this.#retry = retryOptions(options.retry);
    this.#fetch = transport(options);
    this.#exclusive = new Exclusive(`doorward ${options.baseUrl}`);
    this.client = createClient<paths>({
      baseUrl: options.baseUrl,
      credentials: "include",
      cache: "no-store",
      fetch: (request) => this.#guarded(request, false),
    });
  }

  signIn<R extends SignInAnswer>(
    send: (delivery: "cookie", fetch: Fetch) => Promise<R>,
  ): Promise<R> {
    return this.#exclusive.run(async () => {
      const answer = await send("cookie", this.#fetch);
      if (answer.data?.session) this.#begin(false);
      return answer;
    });
  }

  renew<R extends SignInAnswer>(send: (fetch: Fetch) => Promise<R>): Promise<R> {
    return this.#exclusive.run(async () => {
      const answer = await send((request) => this.#guarded(request, true));
      if (answer.response.ok) this.#renewals++;
      return answer;
    });
  }

  logout(): Promise<MessageAnswer> {
    return this.leave(() => this.client.POST("/api/auth/logout", { fetch: this.#fetch }));
  }

  leave<R extends Answer>(send: (fetch: Fetch) => Promise<R>): Promise<R> {
    return this.#exclusive.run(async () => {
      const answer = await send((request) => this.#guarded(request, true));
      if (answer.response.ok) this.#begin(true);
      return answer;
    });
  }

  #begin(signedOut: boolean): void {
    this.#epoch++;
    this.#signedOut = signedOut;
  }

  /** `alone`: whether this runs as an exclusive job, which must not wait for another one. */
  async #guarded(request: Request, alone: boolean): Promise<Response> {
    const epoch = this.#epoch;
    for (let tries = 1; ; tries++) {
      const renewals = this.#renewals;
      const response = await this.#fetch(await this.#prepared(request));
      const code = await codeOf(response);
      if (code === "access_token_expired" && tries === 1) {
        // Unless the cookies were renewed since the call began: then it only came too early.
        if (renewals === this.#renewals) await this.#renew(request, alone);
        continue;
      }
      if (signsOut(code)) {
        const mayRepeat = tries < 3 && !alone && !this.#signedOut;
        const replaced = mayRepeat && (await this.#replaced(request, renewals));
        if (replaced && epoch === this.#epoch) continue;
        this.#end(code, epoch);
      } else if (response.ok && epoch === this.#epoch) this.#signedOut = false;
      return response;
    }
  }

  /** Whether there are other cookies since, as when the password was changed: here, or in a tab. */
  #replaced({ signal }: Request, renewals: number): Promise<boolean> {
    const look = async () => renewals !== this.#renewals || this.#renewedElsewhere();
    return abortable(this.#exclusive.run(look), signal);
  }

  #renew({ signal }: Request, alone: boolean): Promise<void> {
    if (alone) return this.#refresh();
    this.#refreshing ??= this.#exclusive
      .run(() => this.#refresh())
      .finally(() => (this.#refreshing = undefined));
    return abortable(this.#refreshing, signal);
  }

  async #refresh(): Promise<void> {
    const epoch = this.#epoch;
    try {
      if (!(await this.#renewedElsewhere())) {
        await retrying((signal) => this.#trade(signal), this.#retry);
      }
      this.#renewals++;
    } catch (error) {
      if (error instanceof Problem && signsOut(error.code)) this.#end(error.code, epoch);
      throw error;
    }
  }

  /** Whether another tab has renewed the cookies while this one waited for its turn. */
  async #renewedElsewhere(): Promise<boolean> {
    if (!this.#exclusive.hasOthers) return false;
    // Not the call itself, which may be one that must not be made twice.
    const probe = this.client.GET("/api/auth/me", { fetch: this.#fetch });
    return probe.then(({ response }) => response.ok, () => false);
  }

  async #trade(signal: AbortSignal): Promise<void> {
    const { error, response } = await this.client.POST("/api/auth/refresh", {
      fetch: this.#fetch,
      signal,
    });
    if (!response.ok) throw Problem.of(response, error);
  }

  /** Once for all calls that were under way, and not for those of who was signed in before. */
  #end(code: SignedOutCode, epoch: number): void {
    if (epoch !== this.#epoch || this.#signedOut) return;
    this.#begin(true);
    announce(this.#options, code);
  }

  /** A copy, since the body can be sent once, with the CSRF token where one is needed. */
  async #prepared(request: Request): Promise<Request> {
    const copy = request.clone();
    const token = SAFE_METHODS.includes(request.method) ? undefined : await this.#csrf(request.url);
    if (token !== undefined) copy.headers.set("X-CSRF-Token", token);
    return copy;
  }

  async #csrf(url: string): Promise<string | undefined> {
    const all = await (this.#options.cookies ?? documentCookies)(url);
    const values = new Map(all.split(/;\s*/).map((pair) => cut(pair, "=")));
    const name = CSRF_COOKIES.find((name) => values.has(name));
    return name && values.get(name);
  }
}

function documentCookies(): string {
  return globalThis.document?.cookie ?? "";
}

function cut(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
