/** The audit log: a record of each change that somebody asked for, stored in the transaction of the change. */
import type { SQLInputValue } from "node:sqlite";
import { type AuditedChange, auditRecord, type By } from "../../core/port/store-audit.ts";
import type { AuditFound, AuditPrune, AuditRead, AuditRecord, Written } from "../../core/store.ts";
import {
  AuditQuestion,
  type AuditRow,
  type AuditStatement,
  type AuditWords,
  columns,
} from "../shared/audit-rows.ts";
import type { Connection } from "./connection.ts";
import type { WriteContext } from "./threads/write-context.ts";

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

export function readAudit(connection: Connection, request: AuditRead): AuditFound {
  const question = new AuditQuestion(request, words);
  const run = (asked: AuditStatement | undefined) =>
    asked
      ? (connection
          .prepare(`/* dure:readAudit */ ${asked.text}`)
          .all(...asked.values.map(toValue)) as unknown[])
      : [];
  const [last] = run(question.lastLook) as [at: number, id: string][];
  const place = last && { at: last[0], id: last[1] };
  const [remembered] = run(question.remembered) as AuditRow[];
  return question.found(run(question.page(place)) as AuditRow[], place, remembered);
}

const words: AuditWords = {
  audit: "audit",
  taskOf: (parameter) => `tasks WHERE own_id IN (0, 1) AND id = ${parameter}`,
  parameter: (number) => `?${number}`,
  isOneOf: (column, list) => `${column} IN (SELECT value FROM json_each(${list}))`,
  unindexed: (column) => `+${column}`,
};

function toValue(value: unknown): SQLInputValue {
  return (Array.isArray(value) ? JSON.stringify(value) : value) as SQLInputValue;
}

export function pruneAudit({ connection }: WriteContext, { before, limit }: AuditPrune): Written<number> {
  const { changes } = connection.prepare(sql.prune).run(before, limit);
  return { kind: "ok", value: Number(changes) };
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
