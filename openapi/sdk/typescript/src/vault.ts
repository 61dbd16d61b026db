// The tokens in use, and the store behind them.

import { Tokens, type TokenStore } from "./tokens.js";

export class Vault {
  readonly #store: TokenStore | undefined;
  #tokens: Tokens | null = null;
  #opening: Promise<void> | undefined;
  #loaded: string | null = null;
  #saved: string | null = null;

  constructor(store: TokenStore | undefined) {
    this.#store = store;
  }

  get tokens(): Tokens | null {
    return this.#tokens;
  }

  /** Loads what was saved, before anything else; when that fails, the next call tries again. */
  open(): Promise<void> {
    this.#opening ??= this.#load().then(
      () => {},
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** Takes over what another tab or process has saved; whether there was something. */
  update(): Promise<boolean> {
    return this.#load();
  }

  /** Saved first: tokens that were used and then lost could not be asked for again. */
  async keep(tokens: Tokens): Promise<void> {
    const saved = tokens.serialize();
    await this.#store?.save(saved);
    this.#saved = saved;
    this.#tokens = tokens;
  }

  /** Forgotten first: they are dead, whether the store can be told or not. */
  async empty(): Promise<void> {
    this.#tokens = null;
    this.#saved = null;
    await this.#store?.save(null);
  }

  async #load(): Promise<boolean> {
    const saved = (await this.#store?.load?.()) ?? null;
    // Old tokens must never come back, not from a store that always loads the same ones either.
    if (saved === null || saved === this.#saved || saved === this.#loaded) return false;
    this.#loaded = saved;
    const tokens = Tokens.parse(saved);
    if (tokens) this.#tokens = tokens;
    return tokens !== null;
  }
}
