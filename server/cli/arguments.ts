/** Options as commander gives them, texts, to what the interface takes. Wrong ones are answered with the nearest. */
import { grouped } from "../tasks/core/grouped.ts";
import { didYouMean } from "../tasks/core/names.ts";
import type { TaskStatusName } from "../tasks/core/task.ts";
import { TaskStatus } from "../tasks/core/task.ts";
import { parseJson } from "../tasks/core/values/json-text.ts";
import { showValue } from "../tasks/core/values/show.ts";
import { CommandError } from "./exit-codes.ts";

/** `--type a,b --type c` → [a, b, c]; for commander's `argParser`. */
export function collect(text: string, earlier: readonly string[] = []): string[] {
  return [
    ...earlier,
    ...text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  ];
}

/** The same without commas as separators. */
export function collectWhole(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

/** A whole number, both ends of the range included. @throws CommandError */
export function parseInteger(text: string, option: string, least?: number, most?: number): number {
  const isWhole = /^[+-]?\d{1,15}$/.test(text);
  const value = Number(text);
  if (isWhole && value >= (least ?? value) && value <= (most ?? value)) return value;
  const from =
    least === undefined ? "" : ` from ${least}${most === undefined ? " up" : ` to ${grouped(most)}`}`;
  throw new CommandError(`${option} is ${showValue(text)}; it must be a whole number${from}.`);
}

/** @throws CommandError unless it may be a port; 0 stands for any that is free */
export function parsePort(text: string): number {
  return parseInteger(text, "--port", 0, 65_535);
}

/** One of some words, in any case. @throws CommandError with the nearest */
export function parseChoice<Choice extends string>(
  text: string,
  choices: readonly Choice[],
  option: string,
): Choice {
  const found = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
  if (found !== undefined) return found;
  throw new CommandError(
    `${option} is ${showValue(text)}; it must be one of ${choices.join(", ")}.${didYouMean(text, choices)}`,
  );
}

/** @param what "The payload", as errors name it @param remedy what else would do @throws CommandError */
export function parsePayload(json: string, what: string, remedy = ""): unknown {
  try {
    return parseJson(json);
  } catch (error) {
    throw new CommandError(
      `${what} ${showValue(json)} is not JSON: ${(error as Error).message}. Text wants its quotes, and the shell ` +
        `wants quotes around it all: '{"widthPx":640}', '"text"'${remedy}.`,
    );
  }
}

/** @throws CommandError with the nearest */
export function parseStatuses(texts: readonly string[]): TaskStatusName[] {
  return texts.map((text) => parseChoice<TaskStatusName>(text, Object.values(TaskStatus), "--status"));
}

/** Calls `parse` unless the option was left out. */
export function given<Value, Parsed>(
  value: Value | undefined,
  parse: (value: Value) => Parsed,
): Parsed | undefined {
  return value === undefined ? undefined : parse(value);
}
