/** Records of the audit log as both stores keep them. */
import type { AuditFound, AuditPlace, AuditRead, AuditRecord } from "../core/store.ts";

export const columns = "id, at, action, kind, target, type, who, via, address, request_id, before, after";

export type AuditRow = [
  id: string,
  at: number,
  action: AuditRecord["action"],
  kind: AuditRecord["kind"],
  target: string,
  type: string | null,
  who: string | null,
  via: AuditRecord["via"],
  address: string | null,
  requestId: string | null,
  before: string | null,
  after: string | null,
];

export function toRecord(row: AuditRow): AuditRecord {
  const [id, at, action, kind, target, type, who, via, address, requestId, before, after] = row;
  return {
    ...{ id, at: new Date(at), action, kind, target, via },
    ...(type !== null && { type }),
    ...(who !== null && { who }),
    ...(address !== null && { address }),
    ...(requestId !== null && { requestId }),
    ...(before !== null && { before: JSON.parse(before) }),
    ...(after !== null && { after: JSON.parse(after) }),
  };
}

/** How a store writes what stands in a statement. */
export interface AuditWords {
  table: string;
  parameter(number: number, type: "text" | "bigint"): string;
  isOneOf(column: string, number: number): string;
  /** The same value, for which no index is asked. */
  unindexed(column: string): string;
}

export interface AuditStatement {
  text: string;
  values: unknown[];
}

/** A question to the log. One index serves it: that of the target, of who asked, of an action, or of the time. */
export class AuditQuestion {
  readonly #served: string[] = [];
  readonly #rest: string[] = [];
  readonly #values: unknown[] = [];
  readonly #servedValues: number;
  readonly #words: AuditWords;
  readonly #limit: number;
  readonly #looksMax: number;

  constructor(request: AuditRead, words: AuditWords) {
    const { actions, who, via, target, exceptKind, start, end, after, limit, looksMax } = request;
    this.#words = words;
    this.#limit = limit;
    this.#looksMax = looksMax;
    const action = actions?.length === 1 ? actions[0] : undefined;
    const indexed = Object.entries({ target, who, action }).filter(([, value]) => value !== undefined);
    for (const [column, value] of indexed.slice(0, 1)) this.#served.push(`${column} = ${this.#text(value)}`);
    if (start !== undefined) this.#served.push(`at >= ${this.#number(start)}`);
    if (end !== undefined) this.#served.push(`at < ${this.#number(end)}`);
    if (after) this.#served.push(`(at, id) < (${this.#number(after.at)}, ${this.#text(after.id)})`);
    this.#servedValues = this.#values.length;
    const rest = (column: string, relation: string, value: unknown) =>
      this.#rest.push(`${words.unindexed(column)} ${relation} ${this.#text(value)}`);
    for (const [column, value] of indexed.slice(1)) rest(column, "=", value);
    if (actions && action === undefined)
      this.#rest.push(words.isOneOf(words.unindexed("action"), this.#values.push([...actions])));
    if (via !== undefined) rest("via", "=", via);
    if (exceptKind) rest("kind", "<>", exceptKind);
  }

  /** Where as many have been looked at as may be; undefined when every record that the index gives fits. */
  get lastLook(): AuditStatement | undefined {
    if (this.#rest.length === 0) return undefined;
    const values = this.#values.slice(0, this.#servedValues);
    const text = `SELECT at, id FROM ${this.#words.table}${where(this.#served)} ORDER BY at DESC, id DESC LIMIT 1 OFFSET`;
    return { text: `${text} ${this.#at(values, this.#looksMax - 1)}`, values };
  }

  /** The records that fit, up to and with the last that may be looked at. */
  page(last: AuditPlace | undefined): AuditStatement {
    const values = [...this.#values];
    const conditions = [...this.#served, ...this.#rest];
    if (last)
      conditions.push(`(at, id) >= (${this.#at(values, last.at)}, ${this.#at(values, last.id, "text")})`);
    const text = `SELECT ${columns} FROM ${this.#words.table}${where(conditions)} ORDER BY at DESC, id DESC LIMIT`;
    return { text: `${text} ${this.#at(values, this.#limit)}`, values };
  }

  /** What a page and its last look tell. */
  found(rows: readonly AuditRow[], last: AuditPlace | undefined): AuditFound {
    const records = rows.map(toRecord);
    return { records, ...(last && records.length < this.#limit && { cameTo: last }) };
  }

  #text(value: unknown): string {
    return this.#at(this.#values, value, "text");
  }

  #number(value: number): string {
    return this.#at(this.#values, value);
  }

  #at(values: unknown[], value: unknown, type: "text" | "bigint" = "bigint"): string {
    return this.#words.parameter(values.push(value), type);
  }
}

/** Of fixed fragments, so there are few texts. */
function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
}
