/** The grammar: tokens of a query → a tree of terms. What fields and values mean is the work of query.ts. */
import * as p from "peberminta";
import { queryError, type Span, type Token, tokensOf, unescaped } from "./query-lexer.ts";

export type Term =
  | { kind: "and" | "or"; parts: Term[] }
  | { kind: "not"; part: Term }
  | { kind: "text"; text: string; at: Token }
  | { kind: "field"; name: Token; value: Value };

/** What stands after the colon. */
export type Value =
  | { kind: "list"; isExact: boolean; items: Item[] }
  | { kind: "comparison"; end: End }
  | { kind: "range"; from?: End; to?: End };

export interface End {
  operator: ">" | ">=" | "<" | "<=" | undefined;
  item: Item;
}

/** One value: its text without quotes and escapes, and where stars stood. */
export interface Item extends Span {
  text: string;
  isQuoted: boolean;
  hasStarBefore: boolean;
  hasStarAfter: boolean;
}

interface Options {
  query: string;
}
type Parser<Value> = p.Parser<Token, Options, Value>;
type Fail = (problem: string | ((token: Token | undefined) => string)) => Parser<never>;

const nestingMax = 50;

/** @throws DureError INVALID_QUERY */
export function parseTerms(query: string): Term {
  const tokens = tokensOf(query);
  refuseDeepNesting(query, tokens);
  return p.parse(whole, tokens, { query });
}

/** Parsers call themselves for each parenthesis. */
function refuseDeepNesting(query: string, tokens: readonly Token[]): void {
  let depth = 0;
  for (const token of tokens) {
    if (token.name === "open") depth += 1;
    if (token.name === "close") depth -= 1;
    if (depth > nestingMax)
      throw queryError(query, token, `Parentheses are nested more than ${nestingMax} deep.`);
  }
}

const named = (name: string): Parser<Token> => p.token((token) => (token.name === name ? token : undefined));
const keyword = (text: string): Parser<Token> =>
  p.token((token) => (token.name === "keyword" && token.text === text ? token : undefined));

/** Ends the parsing here; the problem is told of the token that was met, or of the end. */
const fail: Fail = (problem) => (data, index) => {
  const token = data.tokens[index];
  const { query } = data.options;
  const at = token ?? { offset: query.length, len: 1 };
  throw queryError(query, at, typeof problem === "string" ? problem : problem(token));
};
const or = <Value>(parser: Parser<Value>, problem: Parameters<Fail>[0]): Parser<Value> =>
  p.eitherOr(parser, fail(problem));

const star = p.option<Token, Options, Token | undefined>(named("star"), undefined);

const item: Parser<Item> = p.eitherOr(
  p.abc(star, p.eitherOr(named("value"), named("quoted")), star, (before, word, after) => {
    const last = after ?? word;
    const { offset } = before ?? word;
    return {
      text: unescaped(word.text),
      isQuoted: word.name === "quoted",
      hasStarBefore: before !== undefined,
      hasStarAfter: after !== undefined,
      offset,
      len: last.offset + last.len - offset,
    };
  }),
  p.map(named("star"), ({ offset, len }) => {
    return { text: "", isQuoted: false, hasStarBefore: false, hasStarAfter: true, offset, len };
  }),
);

const needed = or(item, "A value is missing here. Put text that has signs of the query language in quotes.");
const operator: Parser<End["operator"]> = p.option(
  p.token((token) =>
    token.name === "operator" && token.text !== "=" ? (token.text as End["operator"]) : undefined,
  ),
  undefined,
);
const end: Parser<End> = p.ab(operator, item, (sign, found) => ({ operator: sign, item: found }));
const noEnd = p.option<Token, Options, End | undefined>(end, undefined);

const range: Parser<Value> = p.abc(noEnd, named("dots"), noEnd, (from, _dots, to) => ({
  kind: "range",
  ...(from && { from }),
  ...(to && { to }),
}));
const comparison: Parser<Value> = (data, index) => {
  const found = end(data, index);
  if (!found.matched || found.value.operator === undefined) return { matched: false };
  return { ...found, value: { kind: "comparison", end: found.value } };
};
const equals: Parser<Token> = p.token((token) =>
  token.name === "operator" && token.text === "=" ? token : undefined,
);
const list: Parser<Value> = p.eitherOr(
  p.ab(equals, p.sepBy1(needed, named("comma")), (_sign, items) => ({ kind: "list", isExact: true, items })),
  p.map(p.ab(item, p.many(p.right(named("comma"), needed)), (one, more) => [one, ...more]), (items) => ({
    kind: "list",
    isExact: false,
    items,
  })),
);

const value: Parser<Value> = p.left(
  or(p.first(range, comparison, list), valueProblem),
  p.not(
    p.right(
      p.satisfy((token) => token.state === "value"),
      (data, index) => fail(restProblem)(data, index - 1),
    ),
  ),
);

function valueProblem(token: Token | undefined): string {
  if (token?.name === "operator") return `A value is missing after ${token.text}.`;
  if (token?.name === "open") return "A list of values is written without parentheses, like status:failed,cancelled.";
  return "A value is missing after the colon. Write it without a space between, in quotes if it has spaces.";
}

function restProblem(token: Token | undefined): string {
  const { name, text } = token!;
  if (name === "comma") return "A list takes values only, no comparisons or ranges. Join those with OR.";
  if (name === "star") return "* stands at an end of the text. Put a * that is meant itself in quotes.";
  if (name === "dots") return "A range has two ends. Put text that has .. in it in quotes.";
  return `${text} cannot follow here. Put the whole value in quotes.`;
}

const text: Parser<Term> = p.map(p.eitherOr(named("word"), named("quoted")), (at) => ({
  kind: "text",
  text: unescaped(at.text),
  at,
}));
const field: Parser<Term> = p.ab(named("field"), value, (name, found) => ({
  kind: "field",
  name,
  value: found,
}));
const group: Parser<Term> = p.middle(
  named("open"),
  p.recursive(() => p.option(anyOf, everything)),
  or(named("close"), 'A ")" is missing.'),
);
const everything: Term = { kind: "and", parts: [] };

const negated: Parser<Term> = p.ab(
  p.many(p.eitherOr(named("minus"), keyword("NOT"))),
  p.first(field, text, group),
  (signs, part) => (signs.length % 2 === 1 ? { kind: "not", part } : part),
);
const term: Parser<Term> = p.eitherOr(
  negated,
  p.right(p.ahead(p.eitherOr(named("minus"), keyword("NOT"))), (data, index) => {
    const next = data.tokens.findIndex((token, at) => at >= index && !isNegation(token));
    return fail("Something to exclude must follow, without a space after the -.")(
      data,
      next < 0 ? data.tokens.length : next,
    );
  }),
);
const allOf: Parser<Term> = p.ab(
  term,
  p.many(
    p.eitherOr(
      p.right(keyword("AND"), or(term, "A term is missing after AND. In quotes it is a word to find.")),
      term,
    ),
  ),
  (one, more) => (more.length === 0 ? one : { kind: "and", parts: [one, ...more] }),
);
const anyOf: Parser<Term> = p.ab(
  allOf,
  p.many(p.right(keyword("OR"), or(allOf, "A term is missing after OR. In quotes it is a word to find."))),
  (one, more) => (more.length === 0 ? one : { kind: "or", parts: [one, ...more] }),
);
const whole: Parser<Term> = p.left(
  p.option(anyOf, everything),
  p.eitherOr(
    p.end,
    p.right(
      p.any,
      (data, index) => fail(strayProblem)(data, index - 1),
    ),
  ) as Parser<unknown>,
);

function isNegation({ name, text: sign }: Token): boolean {
  return name === "minus" || (name === "keyword" && sign === "NOT");
}

function strayProblem(token: Token | undefined): string {
  const { name, text: met } = token!;
  if (name === "close") return 'No "(" stands before this ")". Put one that is meant itself in quotes.';
  return `${met} has nothing before it to join. Put a word that is meant itself in quotes: "${met}".`;
}
