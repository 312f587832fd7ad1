/** An alert rule as it stands in a form: its texts, the rule that they make, and what is wrong with them, by field. */
import type { Json, SavedSearchDocument } from "./contract.ts";
import type { Messages } from "./i18n/en.ts";
import { isObject } from "./payload-schema.ts";

export type AlertRule = NonNullable<SavedSearchDocument["alert"]>;
type AlertTask = AlertRule["enqueue"];

/** As it is written in the form; empty for what is not given. */
export interface AlertTexts {
  over: string;
  under: string;
  /** How many of `unit`. */
  span: string;
  unit: SpanUnit;
  type: string;
  payload: string;
  recoveredType: string;
  recoveredPayload: string;
}

export type AlertField = Exclude<keyof AlertTexts, "unit">;
export type AlertProblems = { [field in AlertField]?: string };

const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };
export type SpanUnit = keyof typeof unitsMs;
export const spanUnits: readonly SpanUnit[] = ["s", "m", "h", "d"];

/** As the server has it. */
const spanMsMax = 30 * unitsMs.d;

export const noTexts: AlertTexts = {
  ...{ over: "", under: "", span: "5", unit: "m", type: "", payload: "" },
  ...{ recoveredType: "", recoveredPayload: "" },
};

export function textsOf(rule: AlertRule | undefined): AlertTexts {
  if (!rule) return noTexts;
  const ms = spanMs(rule.for);
  const unit = (Object.keys(unitsMs) as SpanUnit[]).find((one) => ms > 0 && ms % unitsMs[one] === 0) ?? "s";
  return {
    ...{ over: String(rule.over ?? ""), under: String(rule.under ?? "") },
    ...{ span: String(ms / unitsMs[unit]), unit },
    ...{ type: rule.enqueue.type, payload: payloadText(rule.enqueue) },
    ...{ recoveredType: rule.recovered?.type ?? "", recoveredPayload: payloadText(rule.recovered) },
  };
}

function payloadText(task: AlertTask | undefined): string {
  return task?.payload === undefined ? "" : JSON.stringify(task.payload, null, 2);
}

/** How long a count must be out of bounds, in milliseconds: `5m`, `1h30m`, or a number. */
export function spanMs(span: AlertRule["for"] = 0): number {
  if (typeof span === "number") return span;
  const parts = [...span.matchAll(/(\d+(?:\.\d+)?)(ms|w|d|h|m|s)/g)];
  const known: { [unit: string]: number } = { ...unitsMs, ms: 1, w: 7 * unitsMs.d };
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * known[unit!]!, 0);
}

/** The rule, or what keeps the texts from being one. */
export function ruleOf(
  texts: AlertTexts,
  words: Messages,
): { rule: AlertRule } | { problems: AlertProblems } {
  const problems: AlertProblems = {};
  const over = wholeNumber(texts.over, 0);
  const under = wholeNumber(texts.under, 1);
  if (over === null) problems.over = words.alertWholeNumber(0);
  if (under === null) problems.under = words.alertWholeNumber(1);
  if (over === undefined && under === undefined) problems.over = words.alertNoBound;
  if (typeof over === "number" && typeof under === "number" && under > over + 1)
    problems.under = words.alertAlways;
  const span = Number(texts.span);
  if (!(span >= 0 && span * unitsMs[texts.unit] <= spanMsMax)) problems.span = words.alertTooLong;
  if (texts.type === "") problems.type = words.alertNoType;
  const [payload, payloadProblem] = payloadOf(texts.payload, words);
  const [recoveredPayload, recoveredProblem] = payloadOf(texts.recoveredPayload, words);
  if (payloadProblem !== undefined) problems.payload = payloadProblem;
  if (texts.recoveredType !== "" && recoveredProblem !== undefined)
    problems.recoveredPayload = recoveredProblem;
  if (Object.keys(problems).length > 0) return { problems };
  return {
    rule: {
      ...(typeof over === "number" && { over }),
      ...(typeof under === "number" && { under }),
      ...(span > 0 && { for: `${span}${texts.unit}` }),
      enqueue: { type: texts.type, ...(payload && { payload }) },
      ...(texts.recoveredType !== "" && {
        recovered: { type: texts.recoveredType, ...(recoveredPayload && { payload: recoveredPayload }) },
      }),
    },
  };
}

/** Undefined where nothing is written, null where that is no such number. */
function wholeNumber(text: string, min: number): number | undefined | null {
  if (text.trim() === "") return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) && value >= min ? value : null;
}

function payloadOf(text: string, words: Messages): [payload?: { [key: string]: Json }, problem?: string] {
  if (text.trim() === "") return [];
  try {
    const value: Json = JSON.parse(text);
    return isObject(value) ? [value] : [undefined, words.alertNoObject];
  } catch (error) {
    return [undefined, words.payloadInvalid((error as Error).message)];
  }
}
