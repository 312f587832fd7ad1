/** The audit log: a record of each change that somebody asked for, stored in the transaction of the change. */
import type { AuditPrune, AuditRead, AuditRecord, Written } from "../../core/store.ts";
import { type AuditedChange, auditRecord, type By } from "../../core/store-audit.ts";
import { type AuditRow, columns, toRecord } from "../audit-rows.ts";
import type { Context } from "./context.ts";
import type { Session } from "./database.ts";
import { nowOf, shape, statement } from "./statement.ts";

/** A change, and of a task perhaps its lane instead of its type. */
export type Recorded = AuditedChange & { lane?: number };

/** In the transaction of the change; of one that nobody asked for there is none. */
export async function record(
  context: Context,
  session: Session,
  by: By | undefined,
  change: Recorded | undefined,
): Promise<void> {
  if (by && change) await recordAll(context, session, [{ by, change }]);
}

export async function recordAll(
  { now }: Context,
  session: Session,
  changes: readonly { by: By; change: Recorded }[],
): Promise<void> {
  if (changes.length === 0) return;
  const rows = changes.map(({ by, change }) => ({
    ...toColumns(auditRecord(by, change, 0)),
    at: null,
    lane: change.lane,
  }));
  await session.query(insert, [JSON.stringify(rows), now()]);
}

/** What the first call stored is passed over by the second, so an answer that was lost is no matter. */
export function writeAudit({ database }: Context, records: readonly AuditRecord[]): Promise<Written<void>> {
  return database.written(async () => {
    const rows = JSON.stringify(records.map(toColumns));
    if (records.length > 0) await database.surely(() => database.query(insert, [rows, null]));
    return { kind: "ok", value: undefined };
  });
}

export async function readAudit({ database }: Context, request: AuditRead): Promise<AuditRecord[]> {
  const { conditions, values } = conditionsOf(request);
  const text = `SELECT ${columns} FROM :schema.audit${conditions.length > 0 ? ` WHERE ${conditions.join(" AND ")}` : ""}
    ORDER BY at DESC, id DESC LIMIT $${values.length + 1}`;
  return (await database.read(shape("readAudit", text), [...values, request.limit])).map((row) =>
    toRecord(row as AuditRow),
  );
}

export function pruneAudit({ database }: Context, { before, limit }: AuditPrune): Promise<Written<number>> {
  return database.written(async () => {
    const [row] = await database.query(prune, [before, limit]);
    return { kind: "ok", value: row![0] };
  });
}

/** Of fixed fragments, so there are few texts. */
function conditionsOf({ actions, who, via, target, exceptKind, start, end, after }: AuditRead) {
  const conditions: string[] = [];
  const values: unknown[] = [];
  const add = (condition: (first: number) => string, ...given: unknown[]) => {
    conditions.push(condition(values.length + 1));
    values.push(...given);
  };
  // One action is a stretch of its index; of several, the newest are looked through.
  if (actions?.length === 1) add((n) => `action = $${n}::text`, actions[0]);
  else if (actions) add((n) => `action = ANY($${n}::text[])`, [...actions]);
  if (who !== undefined) add((n) => `who = $${n}::text`, withoutNul(who));
  if (via !== undefined) add((n) => `via = $${n}::text`, via);
  if (target !== undefined) add((n) => `target = $${n}::text`, withoutNul(target));
  if (exceptKind) add((n) => `kind <> $${n}::text`, exceptKind);
  if (start !== undefined) add((n) => `at >= $${n}::bigint`, start);
  if (end !== undefined) add((n) => `at < $${n}::bigint`, end);
  if (after) add((n) => `(at, id) < ($${n}::bigint, $${n + 1}::text)`, after.at, withoutNul(after.id));
  return { conditions, values };
}

/** What no record holds, and the server would not take. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\ufffd");
}

function toColumns(one: AuditRecord): Record<string, unknown> {
  const { at, requestId, before, after, ...rest } = one;
  return {
    ...rest,
    at: at.getTime(),
    request_id: requestId,
    before: before && JSON.stringify(before),
    after: after && JSON.stringify(after),
  };
}

const insert = statement(
  "record",
  `INSERT INTO :schema.audit (${columns})
    SELECT id, coalesce(at, ${nowOf("$2")}), action, kind, target,
      coalesce(type, (SELECT lanes.type FROM :schema.lanes WHERE lanes.lane = given.lane)), who, via, address,
      request_id, before, after
    FROM json_to_recordset($1::json) AS given (id text, at bigint, action text, kind text, target text, type text,
      lane integer, who text, via text, address text, request_id text, before text, after text)
    ON CONFLICT (id) DO NOTHING`,
);

const prune = statement(
  "pruneAudit",
  `WITH gone AS (
    DELETE FROM :schema.audit WHERE id = ANY(ARRAY(
      SELECT id FROM :schema.audit WHERE at < $1 ORDER BY at LIMIT $2))
    RETURNING 1)
  SELECT count(*)::integer FROM gone`,
);
