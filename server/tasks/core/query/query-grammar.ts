/** The grammar of queries: text → a tree of terms, or an error that points at a place. Meaning is given by query.ts. */
import * as p from "peberminta";
import {
  isNegation,
  keysOf,
  queryError,
  type Span,
  spanOf,
  type Token,
  tokensOf,
  unescaped,
} from "./query-lexer.ts";

export { queryError, type Span };

export type QueryNode =
  | { kind: "and" | "or"; nodes: QueryNode[] }
  | { kind: "not"; node: QueryNode }
  | { kind: "text"; value: QueryValue }
  | { kind: "saved"; name: string; span: Span }
  | { kind: "field"; field: string; span: Span; match: QueryMatch };

/** What stands after the colon of a field. */
export type QueryMatch =
  | { kind: "values"; values: readonly QueryValue[] }
  | { kind: "compare"; operator: Operator; value: QueryValue }
  | { kind: "range"; from: QueryValue | undefined; to: QueryValue | undefined };

export type Operator = ">" | ">=" | "<" | "<=";

/** Text without its quotes and escapes; `*` alone keeps its star. */
export interface QueryValue extends Span {
  text: string;
  /** Or escaped: it means nothing but itself. */
  isQuoted: boolean;
  isPrefix: boolean;
}

interface Options {
  query: string;
}
type Parser<Value> = p.Parser<Token, Options, Value>;
type Problem = string | ((met: Token | undefined) => string);

const nestingMax = 50;

/**
 * The tree of a query; undefined for an empty one.
 * @throws DureError INVALID_QUERY
 */
export function readQuery(query: string): QueryNode | undefined {
  const tokens = tokensOf(query);
  refuseDeepNesting(query, tokens);
  return tokens.length === 0 ? undefined : p.parse(whole, tokens, { query });
}

/** Parsers call themselves for each parenthesis. */
function refuseDeepNesting(query: string, tokens: readonly Token[]): void {
  let depth = 0;
  for (const token of tokens) {
    if (token.name === "open") depth += 1;
    if (token.name === "close") depth -= 1;
    if (depth > nestingMax)
      throw queryError(query, spanOf(token), `parentheses are nested more than ${nestingMax} deep`);
  }
}

function named(name: string): Parser<Token> {
  return p.token((token) => (token.name === name ? token : undefined));
}

function keyword(text: string): Parser<Token> {
  return p.token((token) => (token.name === "keyword" && token.text === text ? token : undefined));
}

/** Ends the reading here; the problem is told of the token that was met, or of the end. */
function fail(problem: Problem): Parser<never> {
  return ({ tokens, options: { query } }, index) => {
    const met = tokens[index];
    const span = met ? spanOf(met) : { start: query.length, end: query.length + 1 };
    throw queryError(query, span, typeof problem === "string" ? problem : problem(met));
  };
}

function needed<Value>(parser: Parser<Value>, problem: Problem): Parser<Value> {
  return p.eitherOr(parser, fail(problem));
}

function optional<Value>(parser: Parser<Value>): Parser<Value | undefined> {
  return (data, index) => {
    const found = parser(data, index);
    return found.matched ? found : { matched: true, position: index, value: undefined };
  };
}

function valueIn(word: Token, star?: Token): QueryValue {
  return {
    text: unescaped(word.text),
    isQuoted: word.name === "quoted" || word.text.includes("\\"),
    isPrefix: star !== undefined,
    start: word.offset,
    end: spanOf(star ?? word).end,
  };
}

/** Of this field: quotes after a space are a text of their own. */
const valueWord: Parser<Token> = p.satisfy(
  ({ state, name }) => state === "value" && (name === "value" || name === "quoted"),
);
const value: Parser<QueryValue> = p.eitherOr(
  p.ab(valueWord, optional(named("star")), valueIn),
  p.map(named("star"), (star): QueryValue => valueIn(star)),
);
const operator: Parser<Operator | "="> = p.map(named("operator"), ({ text }) => text as Operator | "=");

const range: Parser<QueryMatch> = p.abc(
  optional(value),
  named("dots"),
  optional(value),
  (from, _dots, to) => ({ kind: "range", from, to }),
);
const comparison: Parser<QueryMatch> = p.ab(
  operator,
  needed(value, "a value is missing after the comparison"),
  (sign, found) =>
    sign === "=" ? { kind: "values", values: [found] } : { kind: "compare", operator: sign, value: found },
);
const values: Parser<QueryMatch> = p.map(
  p.ab(
    value,
    p.many(p.right(named("comma"), needed(value, "a value is missing after the comma"))),
    (one, more) => [one, ...more],
  ),
  (found) => ({ kind: "values", values: found }),
);
const match: Parser<QueryMatch> = p.left(
  needed(p.first(range, comparison, values), noValueProblem),
  (data, index) =>
    data.tokens[index]?.state === "value"
      ? fail((met) => restProblem(met, data.tokens[index - 1]?.name === "star"))(data, index)
      : { matched: true, position: index, value: undefined },
);

function noValueProblem(met: Token | undefined): string {
  if (met?.name === "open")
    return "a list of values has no parentheses; write it like status:failed,cancelled";
  return met && met.state !== "value"
    ? "the value must stand right after the colon, without a space; in quotes if it has spaces itself"
    : "there is no value after the colon";
}

function restProblem(met: Token | undefined, isBehindStar: boolean): string {
  const { name, text } = met!;
  if (name === "comma") return "a list takes values only; join comparisons and ranges with OR";
  if (name === "star") return "* stands at the end of a value; put one that is meant itself in quotes";
  if (name === "dots") return "a range has two ends; put a value that has .. in it in quotes";
  if (isBehindStar)
    return "only how a text begins can be asked for: * stands at the end of a value. One that is meant itself goes in quotes";
  return `${text} cannot follow here; put the whole value in quotes`;
}

const text: Parser<QueryNode> = p.map(p.eitherOr(named("word"), named("quoted")), (word) => ({
  kind: "text",
  value: valueIn(word),
}));
const saved: Parser<QueryNode> = p.map(named("saved"), (token) => ({
  kind: "saved",
  name: unescaped(token.text.slice(1)),
  span: spanOf(token),
}));
const field: Parser<QueryNode> = p.ab(named("field"), match, (name, found, { options }) => {
  const span = { start: name.offset, end: spanOf(name).end - 1 };
  const keys = keysOf(name.text.slice(0, -1));
  if (/^(payload|result)$/i.test(keys[0]!) && keys.some((key) => key.includes(".")))
    throw queryError(options.query, span, dottedKeyProblem);
  return { kind: "field", field: keys.join("."), span, match: found };
});
const dottedKeyProblem =
  'a key with a dot in it cannot be asked for by a query; the option can: payload: { "a.b": … }';
const group: Parser<QueryNode> = p.middle(
  named("open"),
  needed(
    p.recursive(() => anyOf),
    "a term is missing in the parentheses",
  ),
  needed(named("close"), "a closing parenthesis is missing"),
);

const negation: Parser<Token> = p.satisfy(isNegation);
const term: Parser<QueryNode> = p.eitherOr(
  p.first(field, saved, text, group),
  p.ab(
    p.many1(negation),
    needed(p.first(field, saved, text, group), "what is not wanted is missing here"),
    (signs, node) => (signs.length % 2 === 1 ? { kind: "not", node } : node),
  ),
);
const allOf: Parser<QueryNode> = p.ab(
  term,
  p.many(p.eitherOr(p.right(keyword("AND"), needed(term, afterKeyword("AND"))), term)),
  (one, more) => (more.length === 0 ? one : { kind: "and", nodes: [one, ...more] }),
);
const anyOf: Parser<QueryNode> = p.ab(
  allOf,
  p.many(p.right(keyword("OR"), needed(allOf, afterKeyword("OR")))),
  (one, more) => (more.length === 0 ? one : { kind: "or", nodes: [one, ...more] }),
);
const whole: Parser<QueryNode> = p.left(needed(anyOf, strayProblem), needed(p.end, strayProblem));

function afterKeyword(word: string): string {
  return `a term is missing after ${word}; to look for the word itself write "${word}"`;
}

function strayProblem(met: Token | undefined): string {
  const { name, text: sign } = met!;
  if (name === "close") return "this parenthesis closes nothing; put one that is meant itself in quotes";
  return `${sign} cannot stand here; to look for the word itself write "${sign}"`;
}
