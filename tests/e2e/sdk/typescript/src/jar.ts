// Cookies outside a browser.

/** The least of a cookie jar: one host, names and values, `Max-Age=0` removes. */
export class Jar {
  readonly cookies = new Map<string, string>();
  /** Those that end with the browser's window. */
  readonly passing = new Set<string>();

  readonly fetch = async (request: Request): Promise<Response> => {
    if (this.cookies.size > 0) request.headers.set("Cookie", this.header());
    const response = await fetch(request);
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      if (/;\s*Max-Age=0\b/i.test(cookie)) this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
      if (/;\s*Max-Age=/i.test(cookie)) this.passing.delete(name!);
      else this.passing.add(name!);
    }
    return response;
  };

  readonly header = (): string => {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  };
}
