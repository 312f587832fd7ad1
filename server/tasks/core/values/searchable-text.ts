/** What the full-text index holds of a task: its texts and numbers, folded, without the names of fields and what secrets they hold. */
import type { Attempt, LogEntry, StoredError } from "../attempt.ts";
import { foldText } from "../filters/condition.ts";
import type { Task } from "../task.ts";
import { isSecretKey, withoutSecretEntries } from "./secret-keys.ts";
import { encodeValue } from "./value.ts";

/** In UTF-16 code units; what comes later is left out. */
export const searchableSizeMax = 64 * 1024;
const depthMax = 100;

/**
 * Payload, result, error, description, tags, and of its attempts the errors with their stacks and causes and the logs;
 * one text a line, so that nothing is found across two of them.
 */
export function searchableText(
  task: TaskInText & Partial<Pick<Task, "payload" | "result">>,
  attempts: readonly AttemptInText[],
  json: StoredJson = storedJsonOf(task),
): string {
  const lines = new Lines();
  addTask(lines, task, json);
  for (const { error, logs } of [...attempts].reverse()) {
    if (error) addError(lines, error);
    for (const { message, fields } of logs) {
      lines.add(message);
      addJson(lines, fields);
    }
  }
  return lines.text;
}

/** What a text has of a task besides its payload and result. */
export type TaskInText = Pick<Task, "error" | "description" | "tags">;
/** What a text has of an attempt. */
export interface AttemptInText extends Pick<Attempt, "error"> {
  logs: readonly Pick<LogEntry, "message" | "fields">[];
}

/** What the task alone gives of it. */
export function textOfTask(task: Task): string {
  const lines = new Lines();
  addTask(lines, task, storedJsonOf(task));
  return lines.text;
}

class Lines {
  readonly #lines: string[] = [];
  /** With the ends of lines between them. */
  #size = 0;

  get isFull(): boolean {
    return this.#size >= searchableSizeMax;
  }

  get text(): string {
    const text = this.#lines.join("\n");
    return text.length > searchableSizeMax ? text.slice(0, searchableSizeMax) : text;
  }

  add(line: string): void {
    if (this.isFull || line === "") return;
    const folded = foldText(line.length > searchableSizeMax ? line.slice(0, searchableSizeMax) : line);
    this.#size += folded.length + (this.#lines.length > 0 ? 1 : 0);
    this.#lines.push(folded);
  }
}

/** The JSON that is stored of payload and result. */
export interface StoredJson {
  payload?: string;
  result?: string;
}

function storedJsonOf({ payload, result }: Partial<Pick<Task, "payload" | "result">>): StoredJson {
  return {
    ...(payload !== undefined && { payload: encodeValue(payload, "payload").json }),
    ...(result !== undefined && { result: encodeValue(result, "result").json }),
  };
}

function addTask(
  lines: Lines,
  { error, description, tags = [] }: TaskInText,
  { payload, result }: StoredJson,
): void {
  for (const text of [error, description, ...tags]) if (text !== undefined) lines.add(text);
  for (const json of [payload, result]) if (json !== undefined) addStored(lines, json);
}

/** Of what is damaged the text as it is. */
function addStored(lines: Lines, json: string): void {
  let value: unknown = json;
  try {
    value = JSON.parse(json);
  } catch {
    // It is searched as it stands there.
  }
  addJson(lines, value);
}

function addError(lines: Lines, { name, message, stack, code, cause }: StoredError): void {
  lines.add(`${name}: ${message}`);
  if (code !== undefined) lines.add(code);
  if (stack !== undefined) lines.add(stack);
  if (cause) addError(lines, cause);
}

function addJson(lines: Lines, value: unknown, depth = 0): void {
  if (lines.isFull || depth > depthMax) return;
  if (typeof value === "string") lines.add(value);
  else if (typeof value === "number") lines.add(String(value));
  else if (Array.isArray(value)) {
    for (const item of withoutSecretEntries(value)) addJson(lines, item, depth + 1);
  } else if (typeof value === "object" && value !== null) {
    for (const key of Object.keys(value))
      if (!isSecretKey(key)) addJson(lines, (value as Record<string, unknown>)[key], depth + 1);
  }
}
