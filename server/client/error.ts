/** What a call that was refused, or had no answer, is rejected with. */
export class DureClientError extends Error {
  override name = "DureClientError";
  /** As in docs/reference/errors.md and docs/reference/http.md; `NETWORK` when there was no answer, `NOT_DURE` when it was another's, `REQUEST_TOO_LONG` when the address was. */
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
  if (status === 431 || status === 414) return tooLong(status);
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

/** Refused by the server around Dure, before it is read. */
function tooLong(status: number): DureClientError {
  return new DureClientError(
    "REQUEST_TOO_LONG",
    `The server takes no request with so long an address (${status}); most take about 16,000 characters, headers included. ` +
      "Ask for less in one query, or save it as a search, with saveSearch, and ask for @ and its name.",
    { status },
  );
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
