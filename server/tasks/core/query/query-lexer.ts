/** The words of a query, what is wrong with them, and how text is quoted. The grammar stands in query-grammar.ts. */
import measure from "fast-string-truncated-width";
import { createLexer, type Token } from "leac";
import { DureError } from "../errors.ts";

export type { Token };

/** A stretch of the query's text, from its start to before its end. */
export interface Span {
  start: number;
  end: number;
}

export function spanOf({ offset, len }: Token): Span {
  return { start: offset, end: offset + len };
}

const charactersMax = 10_000;
const closed = String.raw`"(?:\\[\s\S]|[^"\\])*"`;
const later = String.raw`(?:(?:\\[\s\S]|[^\s:()"\\,<>=*.])+|${closed})`;
const first = String.raw`[\p{L}_$](?:\\[\s\S]|[^\s:()"\\,<>=*.])*`;

const quoted = [
  { name: "quoted", regex: new RegExp(closed) },
  { name: "unclosed", regex: /"(?:\\[\s\S]|[^"\\])*\\?/ },
];

/** After the colon of a field, up to a space or a parenthesis. */
const lexValue = createLexer(
  [
    { name: "operator", regex: /[<>]=?|=/ },
    { name: "comma", str: "," },
    { name: "dots", str: ".." },
    { name: "star", str: "*" },
    ...quoted,
    { name: "value", regex: /(?:\\[\s\S]|\.(?!\.)|[^\s()",\\*.])+/ },
  ],
  "value",
);

const lexTerms = createLexer(
  [
    { name: "space", regex: /\s+/, discard: true },
    { name: "open", str: "(" },
    { name: "close", str: ")" },
    ...quoted,
    { name: "minus", str: "-" },
    { name: "keyword", regex: /(?:AND|OR|NOT)(?=[\s()]|$)/ },
    // An address such as https://example.com is no field.
    { name: "field", regex: new RegExp(String.raw`${first}(?:\.${later})*:(?!\/\/)`, "u"), push: lexValue },
    { name: "saved", regex: /@(?:\\[\s\S]|[^\s()"\\])+/ },
    { name: "word", regex: /(?:\\[\s\S]|[^\s()"\\])+/ },
  ],
  "terms",
);

/**
 * The tokens of a query. Those of values have the state `"value"` and stand without a space between them.
 * @throws DureError INVALID_QUERY
 */
export function tokensOf(query: string): Token[] {
  if (query.length > charactersMax) {
    throw queryError(
      query,
      { start: charactersMax, end: query.length },
      `the query has ${query.length} characters; at most ${charactersMax} are taken`,
    );
  }
  const { tokens, complete, offset } = lexTerms(query);
  if (!complete) {
    throw queryError(
      query,
      { start: offset, end: offset + 1 },
      "the \\ at the end escapes nothing; write \\\\ for the sign itself",
    );
  }
  for (const [index, token] of tokens.entries()) {
    if (token.name === "unclosed")
      throw queryError(query, spanOf(token), "the quotation mark is never closed");
    if (isGlued(tokens[index - 1], token)) {
      throw queryError(
        query,
        spanOf(token),
        `a space is missing before ${token.text}, or quotes around the whole`,
      );
    }
  }
  return tokens;
}

/** The tokens as far as they can be read, of a query that is being written. */
export function tokensSoFar(query: string): Token[] {
  return lexTerms(query.slice(0, charactersMax)).tokens;
}

/** Whether a term begins where another has not ended. */
function isGlued(before: Token | undefined, { state, name, offset }: Token): boolean {
  if (!before || state === "value" || name === "close" || before.offset + before.len !== offset) return false;
  return !["open", "minus", "keyword"].includes(before.name) && !(before.name === "field" && name === "open");
}

/** `"a\"b"` or `a\:b` → what is meant. */
export function unescaped(text: string): string {
  const inner = text.startsWith('"')
    ? text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined)
    : text;
  return inner.replaceAll(
    /\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g,
    (_all, hex: string | undefined, sign: string) =>
      hex === undefined ? (controls[sign] ?? sign) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** `payload."user id".x` → payload.user id.x. */
export function fieldName(written: string): string {
  return keysOf(written).join(".");
}

/** `payload."user id".x` → payload, user id, x. */
export function keysOf(written: string): string[] {
  const keys = written.match(/"(?:\\[\s\S]|[^"\\])*"|(?:\\[\s\S]|[^.\\])+/g) ?? [];
  return keys.map(unescaped);
}

const controls: Record<string, string> = { n: "\n", t: "\t", r: "\r" };

/** Text in quotes, on one line. */
export function quote(text: string): string {
  const inner = text.replaceAll(/["\\\p{Cc}\p{Cs}\u2028\u2029]/gu, (sign) => {
    const name = Object.keys(controls).find((key) => controls[key] === sign);
    if (name !== undefined) return `\\${name}`;
    return sign === '"' || sign === "\\"
      ? `\\${sign}`
      : `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return `"${inner}"`;
}

/** `-` or `NOT`. */
export function isNegation({ name, text }: Token): boolean {
  return name === "minus" || (name === "keyword" && text === "NOT");
}

const shownBefore = 60;
const shownAfter = 40;
const shownOfPlace = 100;

/**
 * An error that points at a place of the query, by a line of ^ below it in the message; `details` has `query`,
 * `column` (from 1), `length`, `problem` and `caret`, the two lines.
 */
export function queryError(query: string, { start, end }: Span, problem: string): DureError {
  const column = start + 1;
  const length = Math.max(1, end - start);
  const caret = caretLines(query, start, length);
  return new DureError(
    "INVALID_QUERY",
    `The query cannot be read at column ${column}: ${problem}${/[.?:]$/.test(problem) ? "" : "."}\n${caret}`,
    { details: { query, column, length, problem, caret } },
  );
}

/** The query, cut to the place and its surroundings, and a line of ^ below it, where a terminal has the place: Hangul takes two columns. */
function caretLines(query: string, start: number, length: number): string {
  const from = Math.max(0, start - shownBefore);
  const end = Math.min(query.length, start + Math.min(length, shownOfPlace));
  const [before, place, after] = [
    query.slice(from, start),
    query.slice(start, end),
    query.slice(end, end + shownAfter),
  ].map((part) => part.replaceAll(/\p{Cc}/gu, " ")) as [string, string, string];
  const marks = "^".repeat(Math.max(1, measure(place).width));
  return `  ${before}${place}${after}\n  ${" ".repeat(measure(before).width)}${marks}`;
}
