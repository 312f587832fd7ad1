/** What a store is asked for changes, and what it answers; its cursors are texts that only it reads. */
import { openText, sealText } from "../cursor.ts";
import { DureError } from "../errors.ts";
import type { Task } from "../task.ts";
import { showValue } from "../values/show.ts";

export interface ChangesRequest {
  /** Without it nothing is told but the cursor of now. */
  since?: string;
  /** At most this many. */
  limit: number;
}

export interface Changes {
  changes: Task[];
  /** For the next question, also when there was nothing. */
  cursor: string;
  /** Where to go on after the change of this index and all before it. */
  cursorAfter(index: number): string;
  /** Whether to ask on at once: there is more, or there may be. False when this was all. */
  more: boolean;
}

/** One is some hundred characters; with very many transactions under way, more. */
const cursorLengthMax = 32_768;

/** @param kind names the store, whose cursors are no other's */
export function encodeChangeCursor(kind: string, state: unknown): string {
  return sealText(JSON.stringify([kind, state]));
}

/** @throws DureError INVALID_CURSOR */
export function decodeChangeCursor<State>(kind: string, text: string): State {
  const body = openText(text, cursorLengthMax);
  const parts = body === undefined ? undefined : (JSON.parse(body) as unknown);
  if (Array.isArray(parts) && parts.length === 2 && parts[0] === kind) return parts[1] as State;
  throw new DureError(
    "INVALID_CURSOR",
    `${showValue(text)} is no cursor of this database's changes, or a damaged one. Pass it on exactly as it was given, or start without one.`,
    { details: { cursor: showValue(text) } },
  );
}
