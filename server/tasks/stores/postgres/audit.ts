/** The audit log: a record of each change that somebody asked for, stored in the transaction of the change. */

import { type AuditedChange, auditRecord, type By } from "../../core/port/store-audit.ts";
import type { AuditFound, AuditPrune, AuditRead, AuditRecord, Written } from "../../core/store.ts";
import {
  AuditQuestion,
  type AuditRow,
  type AuditStatement,
  type AuditWords,
  columns,
} from "../shared/audit-rows.ts";
import type { Session } from "./connections/database.ts";
import type { Context } from "./context.ts";
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

export async function readAudit({ database }: Context, request: AuditRead): Promise<AuditFound> {
  const question = new AuditQuestion(request, words);
  const run = async (asked: AuditStatement | undefined) =>
    asked ? database.read(shape("readAudit", asked.text), asked.values.map(withoutNul)) : [];
  const [last] = await run(question.lastLook);
  const place = last && { at: last[0] as number, id: last[1] as string };
  const [rows, [remembered]] = await Promise.all([run(question.page(place)), run(question.remembered)]);
  return question.found(rows as AuditRow[], place, remembered as AuditRow | undefined);
}

const words: AuditWords = {
  audit: ":schema.audit",
  taskOf: (parameter) => `:schema.tasks WHERE id = ${parameter}`,
  parameter: (number, type) => `$${number}::${type}`,
  isOneOf: (column, list) => `${column} = ANY(${list})`,
  unindexed: (column) => `(${column} || '')`,
};

export function pruneAudit({ database }: Context, { before, limit }: AuditPrune): Promise<Written<number>> {
  return database.written(async () => {
    const [row] = await database.query(prune, [before, limit]);
    return { kind: "ok", value: row![0] };
  });
}

/** What no record holds, and the server would not take. */
function withoutNul(value: unknown): unknown {
  return typeof value === "string" ? value.replaceAll("\0", "\ufffd") : value;
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
