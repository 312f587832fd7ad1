/** Pauses of types and queues. A claim reads them in its own transaction (lanes.ts), so none comes after an answer here. */
import type { Written } from "../../core/store.ts";
import type { PauseKind, PauseName, StoredPause } from "../../core/store-pauses.ts";
import { pausesMax } from "../../core/store-pauses.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./write-context.ts";

type Row = [kind: PauseKind, name: string, pausedAt: number, reason: string | null];

export function pause(
  { connection }: WriteContext,
  { kind, name, reason }: PauseName & { reason?: string },
  now: number,
): Written<StoredPause, "full"> {
  const row = connection.prepare(sql.pause).get(kind, name, now, reason ?? null, pausesMax);
  return row
    ? { kind: "ok", value: toStoredPause(row as unknown as Row) }
    : { kind: "rejected", reason: "full" };
}

export function resume(context: WriteContext, { kind, name }: PauseName): Written<boolean> {
  const { changes } = context.connection.prepare(sql.resume).run(kind, name);
  const wasPaused = Number(changes) > 0;
  if (wasPaused) context.changed = true;
  return { kind: "ok", value: wasPaused };
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
  resume: "/* dure:resume */ DELETE FROM pauses WHERE kind = ? AND name = ?",
  listPauses: `/* dure:listPauses */ SELECT ${columns} FROM pauses ORDER BY kind DESC, name`,
} as const;
