/** The log of one attempt: bounded lines of storable fields. What goes beyond the bounds is counted, not kept. */
import type { LogEntry, LogLevel, TaskLog } from "../core/attempt.ts";
import type { Clock } from "../core/clock.ts";

const linesMax = 1_000;
const sizeMax = 256 * 1024;
const messageMax = 8 * 1024;
const fieldsMax = 16 * 1024;
/** What a line costs beside its text. */
const lineOverhead = 32;

export class AttemptLog implements TaskLog {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #lines: LogEntry[] = [];
  #size = 0;
  #dropped = 0;
  #droppedAt = 0;

  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  // Functions of their own, so that a handler may take them out of the context.
  readonly info = (message: string, fields?: Record<string, unknown>): void =>
    this.#add("info", message, fields);
  readonly warn = (message: string, fields?: Record<string, unknown>): void =>
    this.#add("warn", message, fields);
  readonly error = (message: string, fields?: Record<string, unknown>): void =>
    this.#add("error", message, fields);

  /** The lines so far; when some were dropped, a last line says how many. */
  entries(): LogEntry[] {
    if (this.#dropped === 0) return [...this.#lines];
    const message = `${this.#dropped} further lines were dropped: an attempt keeps ${linesMax} lines and ${sizeMax} bytes.`;
    return [...this.#lines, { at: new Date(this.#droppedAt), level: "warn", message }];
  }

  #add(level: LogLevel, message: unknown, fields: unknown): void {
    const text = clip(textOf(message), messageMax);
    const kept = fields === undefined ? undefined : storableFields(fields);
    const size = Buffer.byteLength(text) + (kept?.size ?? 0) + lineOverhead;
    // One line is left free for the one that says how many were dropped.
    if (this.#lines.length >= linesMax - 1 || this.#size + size > sizeMax) {
      this.#dropped += 1;
      this.#droppedAt = this.#clock.now();
    } else {
      this.#size += size;
      this.#lines.push({
        at: new Date(this.#clock.now()),
        level,
        message: text,
        ...(kept && { fields: kept.value }),
      });
    }
    this.#onChange();
  }
}

/** Fields as plain JSON; whatever cannot be JSON is described instead, so that a log call never throws. */
function storableFields(fields: unknown): { value: Record<string, unknown>; size: number } {
  try {
    const text = JSON.stringify(fields, describeOdd) ?? "{}";
    const size = Buffer.byteLength(text);
    if (size > fieldsMax)
      return { value: { dropped: `fields of ${size} bytes; at most ${fieldsMax} are kept` }, size: 64 };
    const value = JSON.parse(text);
    return {
      value: typeof value === "object" && value !== null && !Array.isArray(value) ? value : { value },
      size,
    };
  } catch (error) {
    return { value: { dropped: `fields that cannot be kept: ${clip(textOf(error), 200)}` }, size: 300 };
  }
}

function describeOdd(_key: string, value: unknown): unknown {
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  if (typeof value === "function") return "[function]";
  if (value instanceof Error)
    return { name: value.name, message: value.message, ...("code" in value && { code: value.code }) };
  if (value instanceof Map || value instanceof Set) return [...value];
  return value;
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return String(value);
  } catch {
    return "a value that cannot be shown";
  }
}

function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
