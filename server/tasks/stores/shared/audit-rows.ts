/** Records of the audit log as both stores keep them, and how both are asked for them. */

import type { AuditFound, AuditPlace, AuditRead, AuditRecord } from "../../core/store.ts";
import { compareText } from "../../core/values/compare.ts";

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

type ParameterType = "text" | "bigint" | "text[]";

/** How a store writes what stands in a statement. */
export interface AuditWords {
  audit: string;
  /** A task by the id that a parameter is. */
  taskOf(parameter: string): string;
  parameter(number: number, type: ParameterType): string;
  isOneOf(column: string, list: string): string;
  /** The same value, for which no index is asked. */
  unindexed(column: string): string;
}

export interface AuditStatement {
  text: string;
  values: unknown[];
}

/** Gives each value its place in a statement. */
type Add = (value: unknown, type?: ParameterType) => string;
type Condition = (add: Add) => string;

const newestFirst = "ORDER BY at DESC, id DESC LIMIT";

/** A question to the log. One index serves it: that of the target, of who asked, of an action, or of the time. */
export class AuditQuestion {
  readonly #request: AuditRead;
  readonly #words: AuditWords;
  readonly #indexed: Condition[];
  readonly #range: Condition[];
  readonly #rest: Condition[];
  readonly #kinds: Condition[];

  constructor(request: AuditRead, words: AuditWords) {
    const { actions, who, via, target, exceptKind, start, end, after } = request;
    this.#request = request;
    this.#words = words;
    const action = actions?.length === 1 ? actions[0] : undefined;
    const columns = Object.entries({ target, who, action }).filter(([, value]) => value !== undefined);
    const looked = (column: string, relation: string, value: unknown) => (add: Add) =>
      `${words.unindexed(column)} ${relation} ${add(value, "text")}`;
    this.#indexed = columns.slice(0, 1).map(
      ([column, value]) =>
        (add) =>
          `${column} = ${add(value, "text")}`,
    );
    this.#range = [
      ...(start !== undefined ? [(add: Add) => `at >= ${add(start)}`] : []),
      ...(end !== undefined ? [(add: Add) => `at < ${add(end)}`] : []),
      ...(after ? [(add: Add) => `(at, id) < ${placeOf(after, add)}`] : []),
    ];
    this.#rest = [
      ...columns.slice(1).map(([column, value]) => looked(column, "=", value)),
      ...(actions && action === undefined
        ? [(add: Add) => words.isOneOf(words.unindexed("action"), add([...actions], "text[]"))]
        : []),
      ...(via !== undefined ? [looked("via", "=", via)] : []),
    ];
    this.#kinds = exceptKind ? [looked("kind", "<>", exceptKind)] : [];
  }

  /** Where as many have been looked at as may be; undefined when every record that the index gives fits. */
  get lastLook(): AuditStatement | undefined {
    if (this.#rest.length + this.#kinds.length === 0) return undefined;
    const most = this.#request.looksMax - 1;
    return this.#select("at, id", [...this.#indexed, ...this.#range], `${newestFirst} 1 OFFSET`, most);
  }

  /** The records that fit, up to and with the last that may be looked at. */
  page(last: AuditPlace | undefined): AuditStatement {
    const bound = last ? [(add: Add) => `(at, id) >= ${placeOf(last, add)}`] : [];
    const conditions = [...this.#indexed, ...this.#range, ...this.#rest, ...this.#kinds, ...bound];
    return this.#select(columns, conditions, newestFirst, this.#request.limit);
  }

  /** The record that the target remembers, if that is a task; it is named by its task, so its own target may be of any kind. */
  get remembered(): AuditStatement | undefined {
    const { target } = this.#request;
    if (target === undefined) return undefined;
    const named = (add: Add) => `id = (SELECT action_record FROM ${this.#words.taskOf(add(target, "text"))})`;
    return this.#select(columns, [named, ...this.#range, ...this.#rest], "LIMIT", 1);
  }

  found(
    rows: readonly AuditRow[],
    last: AuditPlace | undefined,
    remembered: AuditRow | undefined,
  ): AuditFound {
    const { limit } = this.#request;
    const records = rows.map(toRecord);
    const isPart = rows.length < limit && last !== undefined;
    const one = remembered && toRecord(remembered);
    if (one && !(isPart && isBehind(one, last))) {
      const place = records.findIndex((record) => isBehind(record, { at: one.at.getTime(), id: one.id }));
      records.splice(place === -1 ? records.length : place, 0, one);
    }
    return { records: records.slice(0, limit), ...(isPart && { cameTo: last }) };
  }

  #select(what: string, conditions: readonly Condition[], end: string, count: number): AuditStatement {
    const values: unknown[] = [];
    const add: Add = (value, type = "bigint") => this.#words.parameter(values.push(value), type);
    const where = conditions.map((condition) => condition(add)).join(" AND ");
    const text = `SELECT ${what} FROM ${this.#words.audit}${where && ` WHERE ${where}`} ${end} ${add(count)}`;
    return { text, values };
  }
}

function placeOf({ at, id }: AuditPlace, add: Add): string {
  return `(${add(at)}, ${add(id, "text")})`;
}

/** Older, or of the same instant with a lesser id. */
function isBehind({ at, id }: AuditRecord, place: AuditPlace): boolean {
  return at.getTime() < place.at || (at.getTime() === place.at && compareText(id, place.id) < 0);
}
