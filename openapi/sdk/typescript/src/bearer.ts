// Signed in by tokens that the client holds. A call carries the access token; when that has
// expired, the refresh token is traded for a new pair, once for all calls that wait for it.
//
// This is the `fetch` under openapi-fetch rather than one of its middlewares: it repeats calls,
// and the middlewares of the application must see a call and its answer once.

import createClient, { type Client } from "openapi-fetch";

import { Exclusive } from "./exclusive.js";
import { codeOf, Problem, signsOut, type SignedOutCode } from "./problem.js";
import { PUBLIC_PATHS } from "./public.js";
import { abortable, retrying, retryOptions, type Retry } from "./retry.js";
import type { paths } from "./schema.js";
import { announce, transport, type Answer, type CommonOptions, type Fetch } from "./session.js";
import type { MessageAnswer, Session, SignInAnswer } from "./session.js";
import { Tokens, type TokenStore } from "./tokens.js";
import { Vault } from "./vault.js";

/** For programs, and for pages that keep the tokens themselves. */
export interface BearerOptions extends CommonOptions {
  mode: "bearer";
  /** Where the tokens are kept between two runs. Without one they are kept in memory only. */
  store?: TokenStore;
}

export class BearerSession implements Session {
  readonly client: Client<paths>;
  readonly #options: BearerOptions;
  readonly #retry: Retry;
  readonly #fetch: Fetch;
  readonly #vault: Vault;
  readonly #exclusive: Exclusive;
  #refreshing: Promise<Tokens | null> | undefined;

  constructor(options: BearerOptions) {
    this.#options = options;
    this.#retry = retryOptions(options.retry);
    this.#fetch = transport(options);
    this.#vault = new Vault(options.store);
    // Tabs that share a store share the tokens; others have nothing to do with each other.
    this.#exclusive = new Exclusive(options.store && `doorward ${options.baseUrl}`);
    this.client = createClient<paths>({
      baseUrl: options.baseUrl,
      credentials: "omit",
      cache: "no-store",
      fetch: (request) => this.#guarded(request, false),
    });
  }

  signIn<R extends SignInAnswer>(send: (delivery: "body", fetch: Fetch) => Promise<R>): Promise<R> {
    return this.#adopt(() => send("body", this.#fetch));
  }

  renew<R extends SignInAnswer>(send: (fetch: Fetch) => Promise<R>): Promise<R> {
    return this.#adopt(() => send((request) => this.#guarded(request, true)));
  }

  #adopt<R extends SignInAnswer>(send: () => Promise<R>): Promise<R> {
    return this.#exclusive.run(async () => {
      await this.#vault.open();
      const sentAt = performance.now();
      const answer = await send();
      const tokens = answer.data && Tokens.issued(answer.data, sentAt);
      if (tokens) await this.#vault.keep(tokens);
      return answer;
    });
  }

  logout(): Promise<MessageAnswer> {
    return this.#exclusive.run(async () => {
      await this.#vault.open();
      await this.#vault.update();
      const refreshToken = this.#vault.tokens?.refresh;
      const answer = await this.client.POST("/api/auth/logout", {
        ...(refreshToken !== undefined && { body: { refreshToken } }),
        fetch: this.#fetch,
      });
      if (answer.response.ok) await this.#vault.empty();
      return answer;
    });
  }

  leave<R extends Answer>(send: (fetch: Fetch) => Promise<R>): Promise<R> {
    return this.#exclusive.run(async () => {
      const answer = await send((request) => this.#guarded(request, true));
      if (answer.response.ok) await this.#vault.empty();
      return answer;
    });
  }

  /** `alone`: whether this runs as an exclusive job, which must not wait for another one. */
  async #guarded(request: Request, alone: boolean): Promise<Response> {
    if (isPublic(request)) return this.#fetch(request);
    await this.#vault.open();
    let tokens = this.#vault.tokens;
    if (tokens?.expired) tokens = await this.#renew(tokens, request, alone);
    if (!tokens) return this.#fetch(request);

    for (let renewed = false; ; ) {
      const response: Response = await this.#fetch(authorized(request, tokens));
      const code = await codeOf(response);
      if (code !== "access_token_expired" && !signsOut(code)) return response;
      // Of tokens that have been replaced meanwhile, the answer means nothing.
      if (this.#vault.tokens === tokens) {
        if (signsOut(code)) await this.#end(code, tokens, alone);
        else if (renewed) return response;
        renewed = true;
      }
      tokens = await this.#renew(tokens, request, alone);
      if (!tokens) return response;
    }
  }

  /** The pair after `stale`, or null when somebody has signed out meanwhile. */
  async #renew(stale: Tokens, { signal }: Request, alone: boolean): Promise<Tokens | null> {
    if (this.#vault.tokens !== stale) return this.#vault.tokens;
    if (alone) return this.#refresh(stale);
    this.#refreshing ??= this.#exclusive
      .run(() => this.#refresh(stale))
      .finally(() => (this.#refreshing = undefined));
    return abortable(this.#refreshing, signal);
  }

  async #refresh(stale: Tokens): Promise<Tokens | null> {
    if (this.#vault.tokens !== stale || (await this.#vault.update())) return this.#vault.tokens;
    try {
      const fresh = await retrying((signal) => this.#trade(stale, signal), this.#retry);
      await this.#vault.keep(fresh);
      return fresh;
    } catch (error) {
      if (error instanceof Problem && signsOut(error.code)) await this.#drop(error.code, stale);
      throw error;
    }
  }

  /** Repeating it is safe: a refresh token has one successor, which is given out until used. */
  async #trade(stale: Tokens, signal: AbortSignal): Promise<Tokens> {
    const sentAt = performance.now();
    const { data, error, response } = await this.client.POST("/api/auth/refresh", {
      body: { refreshToken: stale.refresh },
      fetch: this.#fetch,
      signal,
    });
    const fresh = data && Tokens.issued(data, sentAt);
    if (!fresh) throw Problem.of(response, error);
    return fresh;
  }

  #end(code: SignedOutCode, tokens: Tokens, alone: boolean): Promise<void> {
    const drop = async () => {
      // Another tab may have signed in again; its tokens must not be thrown away.
      if (!(await this.#vault.update().catch(() => false))) await this.#drop(code, tokens);
    };
    return alone ? drop() : this.#exclusive.run(drop);
  }

  async #drop(code: SignedOutCode, tokens: Tokens): Promise<void> {
    if (this.#vault.tokens !== tokens) return;
    // A store that keeps dead tokens does no harm: the server refuses them the next time too.
    await this.#vault.empty().catch(() => {});
    announce(this.#options, code);
  }
}

/** What needs nobody must not fail because a refresh does. The base URL may have a path too. */
function isPublic(request: Request): boolean {
  const { pathname } = new URL(request.url);
  return PUBLIC_PATHS.some((path) => pathname.endsWith(path));
}

/** A copy, since the body of a request can be sent once and the call may be repeated. */
function authorized(request: Request, tokens: Tokens): Request {
  const copy = request.clone();
  copy.headers.set("Authorization", `Bearer ${tokens.access}`);
  return copy;
}
