// Errors of the server as one class, and the codes that decide whether somebody is signed in.

/** What is wrong with one field of a request. */
export interface FieldError {
  /** JSON Pointer (RFC 6901) into the body, such as `/email`. */
  field: string;
  /** What the field must be. */
  message: string;
}

/** The codes on which a client is signed out. Nothing else signs it out. */
export type SignedOutCode = (typeof SIGNED_OUT)[number];

const SIGNED_OUT = ["session_expired", "invalid_refresh_token", "refresh_token_reused"] as const;

export function signsOut(code: string | undefined): code is SignedOutCode {
  return (SIGNED_OUT as readonly (string | undefined)[]).includes(code);
}

// Not a member, so that printing the error does not print the answer's cookies.
const RESPONSES = new WeakMap<Problem, Response>();

type Members = Pick<Problem, "type" | "title" | "status" | "detail" | "code"> & {
  errors?: FieldError[];
};

/**
 * An error that the server answered with (RFC 9457). Go by `code`, which is stable.
 *
 * Answers that are no `application/problem+json` have the code `unexpected_answer`.
 */
export class Problem extends Error {
  override readonly name = "Problem";
  /** Always `about:blank`: the title is that of the status. */
  readonly type: string;
  /** The status in words. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** What went wrong, for a person. */
  readonly detail: string;
  /** What went wrong, for a program. */
  readonly code: string;
  /** The fields that are not as they must be; empty but for `validation_failed`. */
  readonly errors: FieldError[];
  /** In how many seconds to try again, when the server said so. */
  readonly retryAfter: number | undefined;

  constructor(response: Response, members: Members) {
    super(`${members.code}: ${members.detail}`);
    this.type = members.type;
    this.title = members.title;
    this.status = members.status;
    this.detail = members.detail;
    this.code = members.code;
    this.errors = members.errors ?? [];
    this.retryAfter = retryAfter(response);
    RESPONSES.set(this, response);
  }

  /** Of an answer and its body, parsed if it was JSON. */
  static of(response: Response, body: unknown): Problem {
    return new Problem(response, isProblem(response, body) ? body : unexpected(response));
  }
}

/** The answer that a problem was made of; its body has been read. */
export function responseOf(problem: Problem): Response {
  return RESPONSES.get(problem)!;
}

function isProblem(response: Response, body: unknown): body is Members {
  const { code, detail } = (body ?? {}) as Partial<Members>;
  return isProblemJson(response) && typeof code === "string" && typeof detail === "string";
}

function unexpected({ status, statusText }: Response): Members {
  return {
    type: "about:blank",
    title: statusText || "Unexpected answer",
    status,
    detail: `The answer (${status}) does not come from Doorward.`,
    code: "unexpected_answer",
  };
}

function isProblemJson(response: Response): boolean {
  return /^application\/problem\+json\b/i.test(response.headers.get("Content-Type") ?? "");
}

/** The code of an answer, whose body stays unread; undefined when it is not a problem. */
export async function codeOf(response: Response): Promise<string | undefined> {
  if (response.ok || !isProblemJson(response)) return undefined;
  const body: unknown = await response.clone().json().catch(() => undefined);
  return isProblem(response, body) ? body.code : undefined;
}

// Seconds or a date (RFC 9110, 10.2.3). Doorward sends seconds; a proxy's date would need the
// wall clock, which may be wrong, and is left out.
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get("Retry-After");
  return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
}
