/** Pauses of types and queues. A claim reads them in its own transaction (lanes.ts), so none comes after an answer here. */

import type { PauseKind, PauseName, StoredPause } from "../../core/port/store-pauses.ts";
import { pauseChange, pausesMax, resumeChange } from "../../core/port/store-pauses.ts";
import type { By, Written } from "../../core/store.ts";
import { record } from "./audit.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./threads/write-context.ts";

type Row = [kind: PauseKind, name: string, pausedAt: number, reason: string | null];

export function pause(
  context: WriteContext,
  { kind, name, reason, by }: PauseName & { reason?: string; by?: By | undefined },
  now: number,
): Written<StoredPause, "full"> {
  const { connection } = context;
  const before = connection.prepare(sql.findPause).get(kind, name) as Row | undefined;
  const row = connection.prepare(sql.pause).get(kind, name, now, reason ?? null, pausesMax);
  if (!row) return { kind: "rejected", reason: "full" };
  const paused = toStoredPause(row as unknown as Row);
  record(context, by, pauseChange(before && toStoredPause(before), paused), now);
  return { kind: "ok", value: paused };
}

export function resume(
  context: WriteContext,
  { kind, name, by }: PauseName & { by?: By | undefined },
  now: number,
): Written<boolean> {
  const row = context.connection.prepare(sql.resume).get(kind, name) as Row | undefined;
  if (!row) return { kind: "ok", value: false };
  record(context, by, resumeChange(toStoredPause(row)), now);
  context.changed = true;
  return { kind: "ok", value: true };
}

export function listPauses(connection: Connection, _argument: undefined): StoredPause[] {
  return (connection.prepare(sql.listPauses).all() as unknown as Row[]).map(toStoredPause);
}

function toStoredPause([kind, name, pausedAt, reason]: Row): StoredPause {
  return { kind, name, pausedAt: new Date(pausedAt), ...(reason !== null && { reason }) };
}

const columns = "kind, name, paused_at, reason";

const sql = {
  pause: `/* dure:pause */ INSERT INTO pauses (${columns})
    SELECT ?1, ?2, ?3, ?4 WHERE (SELECT count(*) FROM pauses WHERE (kind, name) <> (?1, ?2)) < ?5
    ON CONFLICT (kind, name) DO UPDATE SET reason = coalesce(excluded.reason, pauses.reason)
    RETURNING ${columns}`,
  findPause: `/* dure:findPause */ SELECT ${columns} FROM pauses WHERE kind = ? AND name = ?`,
  resume: `/* dure:resume */ DELETE FROM pauses WHERE kind = ? AND name = ? RETURNING ${columns}`,
  listPauses: `/* dure:listPauses */ SELECT ${columns} FROM pauses ORDER BY kind DESC, name`,
} as const;
