/** What is read as a text to look for, and was perhaps meant otherwise: told where such a query finds nothing. */
import { queryField } from "./query-fields.ts";
import { spanOf, type Token, tokensSoFar } from "./query-lexer.ts";

const toldMax = 3;
const joining: Readonly<Record<string, string>> = {
  or: "OR",
  and: "AND",
  not: "NOT",
  "|": "OR",
  "||": "OR",
  "&": "AND",
  "&&": "AND",
};
const name = String.raw`[\p{L}_$][\p{L}\p{N}_$.[\]-]*`;
const sign = "!=|<>|==?|[<>]=?";
const namePattern = new RegExp(`^${name}$`, "u");
const comparedPattern = new RegExp(`^(${name})(${sign})(.*)$`, "su");
const signPattern = new RegExp(`^(${sign}|:)(.*)$`, "s");
const starredPattern = /^\*?([^*"\\]+)\*?$/s;
const deniedPattern = new RegExp(`^!+(${name}:.*)$`, "su");

/** A sentence for each, at most three. */
export function slipsIn(query: string): string[] {
  const tokens = tokensSoFar(query);
  const found = tokens.flatMap((_token, index) => slipAt(query, tokens, index) ?? []);
  const quotes = /[“”„‟«»]/.test(query)
    ? ['Only straight quotes (") hold a text together; others are signs to look for.']
    : [];
  return [...new Set([...quotes, ...found])].slice(0, toldMax);
}

function slipAt(query: string, tokens: readonly Token[], index: number): string | undefined {
  const token = tokens[index]!;
  if (token.state === "value") return token.name === "star" ? beginningSlip(query, tokens, index) : undefined;
  if (token.name !== "word") return undefined;
  const { text } = token;
  const next = tokens[index + 1];
  const word = text.toLowerCase();
  if (Object.hasOwn(joining, word)) {
    const stands = next !== undefined && (word === "not" || index > 0);
    return stands
      ? `"${text}" is read as a text to look for; write ${joining[word]} to join terms.`
      : undefined;
  }
  if (text === "*") return "* is looked for as a sign; a query without it finds all.";
  const starred = text.includes("*") ? starredPattern.exec(text) : undefined;
  if (starred) return `${text} is looked for with the star in it; ${starred[1]} is found wherever it stands.`;
  const denied = deniedPattern.exec(text);
  if (denied) return readAsText(query, token, token, `-${denied[1]}`);
  return comparisonSlip(query, tokens, index);
}

/** `tag=vip`, `status!=failed`, `created > 2h`. */
function comparisonSlip(query: string, tokens: readonly Token[], index: number): string | undefined {
  const token = tokens[index]!;
  const before = tokens[index - 1];
  const next = tokens[index + 1];
  const isValue = next && (next.name === "word" || next.name === "quoted");
  const within = comparedPattern.exec(token.text);
  if (within) {
    const value = within[3] || (isValue ? next.text : "");
    const last = within[3] || !isValue ? token : next;
    return value === "" ? undefined : readAsText(query, token, last, termOf(within[1]!, within[2]!, value));
  }
  const apart = signPattern.exec(token.text);
  if (!apart || before?.name !== "word" || !namePattern.test(before.text)) return undefined;
  const value = apart[2] || (isValue ? next.text : "");
  if (value === "") return undefined;
  return readAsText(query, before, apart[2] ? token : next!, termOf(before.text, apart[1]!, value));
}

function termOf(field: string, compared: string, value: string): string {
  if (compared === "!=" || compared === "<>") return `-${field}:${value}`;
  return /^[<>]/.test(compared) ? `${field}:${compared}${value}` : `${field}:${value}`;
}

function readAsText(query: string, first: Token, last: Token, term: string): string {
  return `${query.slice(first.offset, spanOf(last).end)} is read as a text to look for; write ${term}.`;
}

/** `error:ETIME*` asks for messages that begin so; without the star it is a part of them. */
function beginningSlip(query: string, tokens: readonly Token[], index: number): string | undefined {
  const [field, value] = [tokens[index - 2], tokens[index - 1]];
  if (field?.name !== "field" || value?.state !== "value") return undefined;
  if (queryField(field.text.slice(0, -1))?.kind !== "message") return undefined;
  const part = query.slice(field.offset, spanOf(value).end);
  return `${part}* asks for messages that begin like this; ${part} asks for a part, wherever it stands.`;
}

/** The texts that a query looks for, as they are written, at most three. */
export function textsIn(query: string): string[] {
  return tokensSoFar(query)
    .filter((token) => token.state !== "value" && (token.name === "word" || token.name === "quoted"))
    .slice(0, toldMax)
    .map(({ text }) => text.replace(/^"([\s\S]*)"$/, "$1"));
}
