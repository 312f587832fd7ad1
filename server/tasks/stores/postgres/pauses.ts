/**
 * Pauses of types and queues. A claim that began before a pause was committed does not see it, so a pause waits for those
 * that run: each of them locks this table in a mode (ROW SHARE) that the pause's own conflicts with, and reads it after
 * that. Plain reads, a dump among them, lock it in another, and are not waited for.
 */

import type { PauseName, StoredPause } from "../../core/port/store-pauses.ts";
import { pauseChange, pausesMax, resumeChange } from "../../core/port/store-pauses.ts";
import type { By, Written } from "../../core/store.ts";
import { record } from "./audit.ts";
import type { ResultRow } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { nowOf, statement } from "./statement.ts";

export function pause(
  context: Context,
  { kind, name, reason }: PauseName & { reason?: string },
  by?: By,
): Promise<Written<StoredPause, "full">> {
  const { database, now } = context;
  const values = [kind, name, now(), reason ?? null, pausesMax];
  return database.written<StoredPause, "full">(async () => {
    const pausing = () =>
      database.transaction(async (session) => {
        await session.query(limitWait);
        await session.query(waitForClaims);
        const [before] = by ? await session.query(find, [kind, name]) : [];
        const [row] = await session.query(save, values);
        if (!row) return undefined;
        const paused = toStoredPause(row);
        await record(context, session, by, pauseChange(before && toStoredPause(before), paused));
        return paused;
      });
    const paused = await database.surely(pausing);
    return paused ? { kind: "ok", value: paused } : { kind: "rejected", reason: "full" };
  });
}

export function resume(context: Context, { kind, name }: PauseName, by?: By): Promise<Written<boolean>> {
  const { database } = context;
  return database.written(async () => {
    const wasPaused = await database.transaction(async (session) => {
      const [row] = await session.query(remove, [kind, name]);
      if (row) await record(context, session, by, resumeChange(toStoredPause(row)));
      return row !== undefined;
    });
    if (wasPaused) context.tasksAdded();
    return { kind: "ok", value: wasPaused };
  });
}

export async function listPauses({ database }: Context): Promise<StoredPause[]> {
  return (await database.read(list)).map(toStoredPause);
}

/** A CTE of one row, what is paused; for statements that look for tasks. */
export const pausedForLook = pausedWhere("true");
/** The same for a claim, which locks the table; no row has this kind, so none is locked. */
export const pausedForClaim = pausedWhere(
  "NOT EXISTS (SELECT 1 FROM :schema.pauses WHERE kind = '' FOR KEY SHARE)",
);

/** Whether a lane, of that type and queue, may be claimed from. */
export function isNotPaused(lanes: string): string {
  return `${lanes}.type <> ALL ((SELECT types FROM paused)::text[])
      AND ${lanes}.queue <> ALL ((SELECT queues FROM paused)::text[])`;
}

function pausedWhere(condition: string): string {
  const names = (kind: string) => `coalesce(array_agg(name) FILTER (WHERE kind = '${kind}'), '{}')`;
  return `paused AS MATERIALIZED (
    SELECT ${names("type")} AS types, ${names("queue")} AS queues FROM :schema.pauses WHERE ${condition})`;
}

function toStoredPause([kind, name, pausedAt, reason]: ResultRow): StoredPause {
  return { kind, name, pausedAt: new Date(pausedAt), ...(reason !== null && { reason }) };
}

const columns = "kind, name, paused_at, reason";

// Claims wait behind the lock, so it is not waited for long.
const limitWait = statement("limitPauseWait", "SET LOCAL lock_timeout = '5s'");
const waitForClaims = statement("waitForClaims", "LOCK TABLE :schema.pauses IN EXCLUSIVE MODE");

const save = statement(
  "pause",
  `INSERT INTO :schema.pauses AS kept (${columns})
    SELECT $1::text, $2::text, ${nowOf("$3")}, $4::text
      WHERE (SELECT count(*) FROM :schema.pauses WHERE (kind, name) <> ($1::text, $2::text)) < $5::integer
    ON CONFLICT (kind, name) DO UPDATE SET reason = coalesce(excluded.reason, kept.reason)
    RETURNING ${columns}`,
);

const find = statement("findPause", `SELECT ${columns} FROM :schema.pauses WHERE kind = $1 AND name = $2`);

const remove = statement(
  "resume",
  `DELETE FROM :schema.pauses WHERE kind = $1 AND name = $2 RETURNING ${columns}`,
);

const list = statement(
  "listPauses",
  `SELECT ${columns} FROM :schema.pauses ORDER BY kind COLLATE "C" DESC, name COLLATE "C"`,
);
