/** The words of a query, what is wrong with them, and how text is quoted. The grammar stands in query-grammar.ts. */
import { createLexer, type Token } from "leac";
import { DureError } from "./errors.ts";

export type { Token };

/** A stretch of the query's text. */
export interface Span {
  offset: number;
  len: number;
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
      { offset: charactersMax, len: 1 },
      `The query has ${query.length} characters; at most ${charactersMax} are taken.`,
    );
  }
  const { tokens, complete, offset } = lexTerms(query);
  if (!complete) {
    throw queryError(
      query,
      { offset, len: 1 },
      'A "\\" at the end escapes nothing. Write "\\\\" for the sign.',
    );
  }
  for (const [index, token] of tokens.entries()) {
    if (token.name === "unclosed")
      throw queryError(query, token, 'The quotation mark is not closed. Add a " where the text ends.');
    if (isGlued(tokens[index - 1], token)) {
      throw queryError(query, token, `A space is missing before ${token.text}, or quotes around the whole.`);
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

/** An error that points at a place of the query: `details` has `column` (from 1), `length` and `caret`, two lines. */
export function queryError(query: string, { offset, len }: Span, problem: string): DureError {
  const column = offset + 1;
  const length = Math.max(1, len);
  const caret = caretLines(query, offset, length);
  return new DureError("INVALID_QUERY", `The query cannot be read at column ${column}: ${problem}`, {
    details: { query, column, length, problem, caret },
  });
}

const shownBefore = 60;
const shownAfter = 40;

/** The query, cut to the place's surroundings, and a line of ^ below it. */
function caretLines(query: string, offset: number, length: number): string {
  const from = Math.max(0, offset - shownBefore);
  const to = Math.min(query.length, offset + length + shownAfter);
  const line = query.slice(from, to).replaceAll(/\p{Cc}/gu, " ");
  const marks = "^".repeat(Math.max(1, Math.min(length, to - offset)));
  return `${line}\n${" ".repeat(offset - from)}${marks}`;
}
