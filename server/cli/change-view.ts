/** Who asked for the last change of a task. */
import type { AuditRecord } from "../tasks/core/port/store-audit.ts";
import type { Output } from "./output.ts";
import { plainLine } from "./text.ts";
import { formatInstant, formatRelative } from "./times.ts";

/** `cancel by anna (cli)  2026-11-28 12:00:00  5 minutes ago`. */
export function changeLine({ colors }: Output, record: AuditRecord, now: number): string {
  const { who, via, at } = record;
  const by = who === undefined ? `from ${via}` : `by ${plainLine(who)} (${via})`;
  return `${deed(record)} ${by}  ${formatInstant(at)}  ${colors.dim(formatRelative(at, now))}`;
}

/** Of an action on a search, what it did and to what. */
function deed({ action, kind, target, after }: AuditRecord): string {
  if (action !== "start-action") return action;
  const query = kind === "tasks" ? target : after?.of;
  return plainLine(`${after?.action} of all that fit ${typeof query === "string" ? query : "a search"},`);
}
