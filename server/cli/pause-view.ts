/** What is paused, as commands are told it and as they tell it. */
import type { Pause, PauseTarget } from "../tasks/core/pauses.ts";
import { CommandError } from "./exit-codes.ts";
import { plainLine } from "./text.ts";
import { formatInstant } from "./times.ts";

/** @throws CommandError unless one of them is given */
export function targetOf(
  { type, queue }: { type?: string; queue?: string },
  command: "pause" | "resume",
): PauseTarget {
  if (type !== undefined && queue !== undefined)
    throw new CommandError(
      "--type and --queue are two things. Give one of them, and the other in a second call.",
    );
  if (type !== undefined) return { type };
  if (queue !== undefined) return { queue };
  throw new CommandError(`"dure ${command}" needs what to ${command}: --type <type> or --queue <queue>.`);
}

/** `type send-receipt`. */
export function targetText({ type, queue }: PauseTarget): string {
  return type === undefined ? `queue ${plainLine(queue!)}` : `type ${plainLine(type)}`;
}

/** `type send-receipt is paused since 2026-11-08 09:30:00 (the mail server is down)`. */
export function pauseText(pause: Pause): string {
  const why = pause.reason === undefined ? "" : ` (${plainLine(pause.reason)})`;
  return `${targetText(pause)} is paused since ${formatInstant(pause.pausedAt)}${why}`;
}
