/**
 * Whatever a handler threw, as an error that can be stored. Nothing here may fail or grow without bound: reading a
 * thrown value can run its getters and proxies, and its texts can have any size.
 *
 * The limits below are of JSON text as UTF-8, and add up to less than 64 KiB: 33.5 KiB for the error itself and
 * 5.5 KiB for each of five causes.
 */
import type { StoredError } from "../attempt.ts";
import { showValue } from "./show.ts";

const nameBytesMax = 256;
const messageBytesMax = 16 * 1024;
const stackBytesMax = 16 * 1024;
const causeMessageBytesMax = 2 * 1024;
const causeStackBytesMax = 3 * 1024;
const causeDepthMax = 5;
/** Members of an AggregateError that its message lists. */
const membersMax = 5;

const unreadable: StoredError = Object.freeze({
  name: "Error",
  message: "The handler threw something that cannot be read.",
});

/**
 * Name, message, stack, code and causes (at most five deep) of anything thrown, at most 64 KiB as JSON. Texts are cut
 * with a note of what is missing, halves of surrogate pairs replaced, and U+0000 written as `\u0000`. Never throws.
 */
export function toStoredError(thrown: unknown): StoredError {
  try {
    return read(thrown, 0, new Set());
  } catch {
    return { ...unreadable };
  }
}

function read(thrown: unknown, depth: number, seen: Set<unknown>): StoredError {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null)
    return fromPrimitive(thrown, depth);
  seen.add(thrown);
  const name = textOf(thrown, "name") || "Error";
  const message = messageOf(thrown);
  const stored: StoredError = { name: clip(name, nameBytesMax), message: clip(message, messageMax(depth)) };
  const stack = textOf(thrown, "stack");
  if (stack)
    stored.stack = clip(
      shortened(stack, textOf(thrown, "message")),
      depth === 0 ? stackBytesMax : causeStackBytesMax,
    );
  const code = property(thrown, "code");
  if (typeof code === "string" || typeof code === "number") stored.code = clip(String(code), nameBytesMax);
  const cause = causeOf(thrown);
  if (cause !== undefined && depth < causeDepthMax && !seen.has(cause))
    stored.cause = read(cause, depth + 1, seen);
  return stored;
}

function fromPrimitive(thrown: unknown, depth: number): StoredError {
  const message = typeof thrown === "string" && thrown !== "" ? thrown : `${showValue(thrown)} was thrown.`;
  return { name: "Error", message: clip(message, messageMax(depth)) };
}

function messageMax(depth: number): number {
  return depth === 0 ? messageBytesMax : causeMessageBytesMax;
}

function messageOf(thrown: object): string {
  const message = textOf(thrown, "message");
  const members = membersOf(thrown);
  if (members !== undefined) return `${message}${listOfMembers(members)}`;
  if (message !== undefined) return message;
  return `Something that is no Error was thrown: ${showValue(thrown)}.`;
}

function listOfMembers(members: unknown[]): string {
  const shown = Array.from({ length: Math.min(members.length, membersMax) }, (_, index) => {
    const member = property(members, String(index));
    const text = typeof member === "object" && member !== null ? textOf(member, "message") : undefined;
    return `\n[${index}] ${clip(text ?? showValue(member), 1024)}`;
  });
  const rest = members.length - shown.length;
  return `${shown.join("")}${rest > 0 ? `\n… and ${rest} more` : ""}`;
}

/** The errors of an AggregateError. */
function membersOf(thrown: object): unknown[] | undefined {
  const errors = property(thrown, "errors");
  if (!attempt(() => thrown instanceof AggregateError && Array.isArray(errors))) return undefined;
  return errors as unknown[];
}

function causeOf(thrown: object): unknown {
  const cause = property(thrown, "cause");
  if (cause !== undefined) return cause;
  const members = membersOf(thrown);
  return members === undefined ? undefined : property(members, "0");
}

function textOf(thrown: object, key: string): string | undefined {
  const value = property(thrown, key);
  return typeof value === "string" ? value : undefined;
}

function property(thrown: object, key: string): unknown {
  return attempt(() => (thrown as Record<string, unknown>)[key]);
}

function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** A stack begins with the message: a long one would leave no room for the places below it. */
function shortened(stack: string, message: string | undefined): string {
  if (message === undefined || message.length <= 1024) return stack;
  const at = stack.slice(0, message.length + 1024).indexOf(message);
  if (at < 0) return stack;
  return stack.slice(0, at) + clip(message, 1024) + stack.slice(at + message.length);
}

/** Cuts a text so that it takes at most `bytesMax` as JSON without its quotes, the note of the cut included. */
function clip(text: string, bytesMax: number): string {
  const head = safeText(text.slice(0, bytesMax + 1));
  const whole = text.length <= bytesMax ? endWithin(head, bytesMax) : 0;
  if (whole === head.length && text.length <= bytesMax) return head;
  const note = `… (cut; ${text.length} characters in all)`;
  return head.slice(0, endWithin(head, bytesMax - note.length - 2)) + note;
}

function safeText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\\u0000");
}

/** How many UTF-16 units of a well-formed text fit in `bytesMax`; never ends between the halves of a pair. */
function endWithin(text: string, bytesMax: number): number {
  let bytes = 0;
  let index = 0;
  while (index < text.length) {
    const point = text.codePointAt(index)!;
    bytes += jsonBytes(point);
    if (bytes > bytesMax) return index;
    index += point > 0xffff ? 2 : 1;
  }
  return index;
}

function jsonBytes(point: number): number {
  if (point < 0x20) return 6;
  if (point === 0x22 || point === 0x5c) return 2;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  return point > 0xffff ? 4 : 3;
}
