/** The audit log: a record of each change that somebody asked for, stored in the transaction of the change. */
import type { SQLInputValue } from "node:sqlite";
import type { AuditPrune, AuditRead, AuditRecord, Written } from "../../core/store.ts";
import { type AuditedChange, auditRecord, type By } from "../../core/store-audit.ts";
import { type AuditRow, columns, toRecord } from "../audit-rows.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./write-context.ts";

/** In the transaction of the change; of one that nobody asked for there is none. */
export function record(
  { connection }: Pick<WriteContext, "connection">,
  by: By | undefined,
  change: AuditedChange | undefined,
  now: number,
): void {
  if (by && change) connection.prepare(sql.record).run(...toValues(auditRecord(by, change, now)));
}

export function writeAudit({ connection }: WriteContext, records: readonly AuditRecord[]): Written<void> {
  for (const one of records) connection.prepare(sql.record).run(...toValues(one));
  return { kind: "ok", value: undefined };
}

export function readAudit(connection: Connection, request: AuditRead): AuditRecord[] {
  const { conditions, values } = conditionsOf(request);
  const text = `/* dure:readAudit */ SELECT ${columns} FROM audit${conditions.length > 0 ? ` WHERE ${conditions.join(" AND ")}` : ""}
    ORDER BY at DESC, id DESC LIMIT ?`;
  return (connection.prepare(text).all(...values, request.limit) as unknown as AuditRow[]).map(toRecord);
}

export function pruneAudit({ connection }: WriteContext, { before, limit }: AuditPrune): Written<number> {
  const { changes } = connection.prepare(sql.prune).run(before, limit);
  return { kind: "ok", value: Number(changes) };
}

/** Of fixed fragments, so there are few texts. */
function conditionsOf({ actions, who, via, target, exceptKind, start, end, after }: AuditRead) {
  const conditions: string[] = [];
  const values: SQLInputValue[] = [];
  const add = (condition: string, ...given: SQLInputValue[]) => {
    conditions.push(condition);
    values.push(...given);
  };
  // One action is a stretch of its index; of several, the newest are looked through.
  if (actions?.length === 1) add("action = ?", actions[0]!);
  else if (actions) add("+action IN (SELECT value FROM json_each(?))", JSON.stringify(actions));
  if (who !== undefined) add("who = ?", who);
  if (via !== undefined) add("via = ?", via);
  if (target !== undefined) add("target = ?", target);
  if (exceptKind) add("kind <> ?", exceptKind);
  if (start !== undefined) add("at >= ?", start);
  if (end !== undefined) add("at < ?", end);
  if (after) add("(at, id) < (?, ?)", after.at, after.id);
  return { conditions, values };
}

function toValues(one: AuditRecord): SQLInputValue[] {
  const { id, at, action, kind, target, type, who, via, address, requestId, before, after } = one;
  return [
    ...[id, at.getTime(), action, kind, target, type ?? null, who ?? null, via, address ?? null],
    ...[requestId ?? null, before ? JSON.stringify(before) : null, after ? JSON.stringify(after) : null],
  ];
}

const sql = {
  record: `/* dure:record */ INSERT INTO audit (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO NOTHING`,
  prune: `/* dure:pruneAudit */ DELETE FROM audit WHERE id IN (
    SELECT id FROM audit WHERE at < ? ORDER BY at LIMIT ?)`,
} as const;
