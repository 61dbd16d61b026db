// A TCP proxy between client and server that counts requests and loses, holds or makes up answers.
// A request is told by its first line, such as `POST /api/auth/refresh`; a connection carries one
// request at a time.

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";

const REQUEST_LINE = /^([A-Z]+ [^ ?]+)\S* HTTP\/1\.1\r\n/;

type Fault = { request: string } & (
  | { kind: "lose" }
  | { kind: "answer"; text: string }
  | { kind: "hold"; released: Promise<void>; reached: () => void }
);

export class Proxy {
  readonly #upstream: URL;
  readonly #sockets = new Set<Socket>();
  readonly #requests: string[] = [];
  #faults: Fault[] = [];
  #server: Server | undefined;
  #port = 0;

  private constructor(upstream: string) {
    this.#upstream = new URL(upstream);
  }

  /** In front of the server at `upstream`; stopped when the test is over. */
  static async start(t: TestContext, upstream: string): Promise<Proxy> {
    const proxy = new Proxy(upstream);
    await proxy.up();
    t.after(() => proxy.down());
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How often this request came. */
  count(request: string): number {
    return this.#requests.filter((seen) => seen === request).length;
  }

  /** The server gets the next such request; its answer is swallowed, the connection closed. */
  lose(request: string): void {
    this.#faults.push({ request, kind: "lose" });
  }

  /** The next such request is answered with this and does not reach the server. */
  answer(request: string, status: string, headers: string[], body: string): void {
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    const head = [`HTTP/1.1 ${status}`, ...headers, length, "Connection: close"];
    this.#faults.push({ request, kind: "answer", text: [...head, "", body].join("\r\n") });
  }

  /** Holds back the answer to the next such request. */
  hold(request: string): { reached: Promise<void>; release: () => void } {
    let release = () => {};
    let arrive = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    const reached = new Promise<void>((resolve) => (arrive = resolve));
    this.#faults.push({ request, kind: "hold", released, reached: arrive });
    return { reached, release };
  }

  /** Refuses connections, and cuts those that there are. */
  async down(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(server, "close");
  }

  /** Accepts connections, on the same port as before. */
  async up(): Promise<void> {
    this.#server = createServer((client) => this.#serve(client));
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address && typeof address === "object") this.#port = address.port;
  }

  #serve(client: Socket): void {
    const server = connect(Number(this.#upstream.port), this.#upstream.hostname);
    let fault: Fault | undefined;
    for (const [socket, other] of [[client, server], [server, client]] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (chunk) => {
      const line = REQUEST_LINE.exec(chunk.toString("latin1"))?.[1];
      if (line) fault = this.#note(line);
      if (fault?.kind === "answer") client.end(fault.text);
      else server.write(chunk);
    });
    server.on("data", async (chunk) => {
      if (fault?.kind === "lose") return client.destroy();
      if (fault?.kind === "hold") {
        fault.reached();
        await fault.released;
      }
      client.write(chunk);
    });
  }

  #note(request: string): Fault | undefined {
    this.#requests.push(request);
    const fault = this.#faults.find((fault) => fault.request === request);
    this.#faults = this.#faults.filter((other) => other !== fault);
    return fault;
  }
}
