/**
 * A server, or the role that a program logs in as, may end statements that take too long. What does much at once is then
 * asked for less, so that it comes to its end however short that time is.
 */
import { DureError } from "../../../core/errors.ts";

/** Asks for half as many each time that it was too much. @param ask with how many at most */
export async function orFewer<Answer>(
  most: number,
  ask: (limit: number) => Promise<Answer>,
): Promise<{ answer: Answer; limit: number }> {
  for (let limit = most; ; limit = Math.ceil(limit / 2)) {
    try {
      return { answer: await ask(limit), limit };
    } catch (error) {
      if (limit < 2 || !tookTooLong(error)) throw error;
    }
  }
}

/** All items, in parts that are half as large where they were too much; one of them may be asked for more than once. */
export async function inParts<Item>(items: Item[], ask: (part: Item[]) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; ) {
    const rest = items.slice(from);
    const { limit } = await orFewer(rest.length, (length) => ask(rest.slice(0, length)));
    from += limit;
  }
}

/** The server's code for a statement that was cancelled. */
export function tookTooLong(error: unknown): boolean {
  return error instanceof DureError && error.details?.sqlState === "57014";
}
