// What changes the tokens happens one at a time: in this client, and in all tabs of a browser.

export class Exclusive {
  #last: Promise<unknown> = Promise.resolve();
  readonly #tabs: LockManager | undefined;
  readonly #name: string;

  /** `name` is that of the lock that tabs share; without one, there are no others to mind. */
  constructor(name?: string) {
    this.#name = name ?? "";
    this.#tabs = name === undefined ? undefined : tabLocks();
  }

  /** Whether another tab may have done meanwhile what this one waited to do. */
  get hasOthers(): boolean {
    return this.#tabs !== undefined;
  }

  /** Runs `job` when those before it are done. A job must not wait for another one. */
  run<T>(job: () => Promise<T>): Promise<T> {
    const tabs = this.#tabs;
    const turn = this.#last.then(async () => (tabs ? tabs.request(this.#name, job) : job()));
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/**
 * Web Locks, where there are tabs and the page is a secure context. Newer versions of Node have
 * locks too, but no tabs; they have no `location` either.
 */
function tabLocks(): LockManager | undefined {
  return "location" in globalThis ? globalThis.navigator?.locks : undefined;
}
