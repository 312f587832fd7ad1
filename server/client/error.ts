/** What a call that was refused, or had no answer, is rejected with. */
export class DureClientError extends Error {
  override name = "DureClientError";
  /** As in docs/reference/errors.md and docs/reference/http.md; `NETWORK` when there was no answer, `NOT_DURE` when it was another's. */
  readonly code: string;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: { status?: number; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.details = options.details ?? {};
  }
}

/** The error that an answer says. */
export async function errorOf(response: Response): Promise<DureClientError> {
  const { status, statusText } = response;
  const text = await response.text().catch(() => "");
  const { code, message, details } = (parse(text) ?? {}) as Record<string, unknown>;
  if (typeof code !== "string" || typeof message !== "string") {
    return new DureClientError(
      "NOT_DURE",
      `The answer was ${status} ${statusText}, and not in the form that Dure answers in. Is the url that of a Dure server, and of nothing before it?`,
      { status, details: { body: text.slice(0, 500) } },
    );
  }
  return new DureClientError(code, message, { status, details: { ...(details as object) } });
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
