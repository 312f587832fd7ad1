/**
 * Reads what can still be read of a damaged file, and writes nothing to it (F83). Tasks are read in the order of the table;
 * where that meets a page that cannot be read, each place after it is tried, the far ones in steps, so that hardly more is missed
 * than lies on such pages. The index of ids, which lies on other pages, then tells which tasks these were.
 */
import { readdirSync } from "node:fs";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import { DureError } from "../../../core/errors.ts";
import type { DamagedSource, SalvagedTask } from "../../../core/record.ts";
import type {
  AuditFound,
  AuditRead,
  HistoryRead,
  HistoryRow,
  StoredDefinition,
  StoredPause,
  StoredSearch,
} from "../../../core/store.ts";
import { readAudit } from "../audit.ts";
import { applicationId, Connection, newestSchema } from "../connection.ts";
import { readFolded, readHistoryChanges, withChanges } from "../counts/history.ts";
import { listPauses } from "../pauses.ts";
import { listDefinitions } from "../read.ts";
import { toRecord } from "../records.ts";
import { toDefinition } from "../rows.ts";
import { listSearches } from "../saved-searches.ts";
import { toDureError } from "../sqlite-errors.ts";
import { WorkerLocks } from "../worker-locks.ts";
import { salvageSql as sql } from "./salvage-statements.ts";

type Columns = Record<string, SQLInputValue>;
/** Places of the table, both ends included. */
type Gap = [first: number, last: number];

/** Places tried between two batches, so that whoever waits for them can be told and can end it. */
const triesMax = 2_000;
/** So many places in a row are tried one by one; beyond, since a damaged number may say that the last place is far off, in growing steps. */
const eachMax = 20_000;
/** Where nothing tells how many tasks there were. */
const placesMax = 10_000_000;

export class Salvage implements DamagedSource {
  readonly location: string;
  readonly #connection: Connection;
  readonly #statements = new Map<string, StatementSync>();
  readonly #gaps: Gap[] = [];
  readonly #unreadable = new Set<string>();

  /** @throws DureError WORKER_RUNNING while a worker holds its lock; DATABASE_… when not even the table of tables can be read */
  constructor(path: string) {
    this.location = path;
    refuseWorkers(path);
    this.#connection = new Connection({ path, durability: "full", role: "salvager" });
    try {
      this.#checkTables();
    } catch (error) {
      this.#connection.close();
      throw toDureError(error, path);
    }
  }

  close(): void {
    this.#connection.close();
  }

  /** What lies beside the tasks and could not be read, in words. */
  get unreadable(): string[] {
    return [...this.#unreadable];
  }

  /** By the kept counts, or the index; undefined when neither can be read. */
  countTasks(): number | undefined {
    return this.#number(sql.tallied) ?? this.#number(sql.indexed);
  }

  async listDefinitions(): Promise<StoredDefinition[]> {
    return this.#beside("definitions", () => listDefinitions(this.#connection).map(toDefinition));
  }

  async listSearches(): Promise<StoredSearch[]> {
    return this.#beside("saved searches", () => listSearches(this.#connection, undefined));
  }

  async listPauses(): Promise<StoredPause[]> {
    return this.#beside("pauses", () => listPauses(this.#connection, undefined));
  }

  async readHistory(request: HistoryRead): Promise<HistoryRow[]> {
    const folded = this.#beside(`history by ${request.span}s`, () => readFolded(this.#connection, request));
    const changes = this.#hasHistoryChanges
      ? this.#beside("latest history", () => readHistoryChanges(this.#connection, request))
      : [];
    return withChanges(folded, changes, request);
  }

  async readAudit(request: AuditRead): Promise<AuditFound> {
    const records = this.#beside("audit log", () => {
      // Older files have none.
      if (this.#connection.rows("SELECT 1 FROM sqlite_schema WHERE name = 'audit'").length === 0) return [];
      return readAudit(this.#connection, request).records;
    });
    return { records };
  }

  /** In batches of at most `limit`; an empty one says only that it goes on. */
  *readTasks(limit: number): Generator<SalvagedTask[]> {
    const lanes = new Map(
      this.#twice("types and queues", sql.lanes, sql.lanesByIndex).map((row) => [row.lane!, row]),
    );
    const workers = new Map(
      this.#twice("names of workers", sql.workers, sql.workersByIndex).map((row) => [row.worker!, row.id!]),
    );
    const last = this.#lastPlace();
    for (let next = 0; next <= last; ) {
      const { found, isWhole } = this.#tasksFrom(next, limit);
      yield found.map((row) => this.#toTask(row, lanes.get(row.lane!), workers));
      if (found.length > 0) next = placeOf(found.at(-1)!) + 1;
      if (isWhole && found.length < limit) return;
      if (!isWhole) next = yield* this.#passOver(next, last);
    }
  }

  /** Of the tasks that `readTasks` has passed over, so far as the index can be read. */
  *missedIds(): Generator<string> {
    if (this.#gaps.length === 0) return;
    const seen = new Set<string>();
    for (const text of sql.missedIds) {
      const found: Columns[] = [];
      const isWhole = this.#read(text, [JSON.stringify(this.#gaps)], found);
      for (const { id } of found as { id: string }[]) {
        if (!seen.has(id)) yield id;
        seen.add(id);
      }
      if (isWhole && text === sql.missedIds[0]) return;
    }
  }

  /** Answers the first place after `from` whose task can be read, or one after the last. */
  *#passOver(from: number, last: number): Generator<SalvagedTask[], number> {
    let place = from;
    let failed = from;
    for (let tries = 1; place < last; tries += 1) {
      failed = place;
      place = Math.min(last, place + stepBehind(place - from));
      if (this.#canRead(place)) {
        const first = this.#firstReadable(failed, place);
        this.#gaps.push([from, first - 1]);
        return first;
      }
      if (tries % triesMax === 0) yield [];
    }
    this.#gaps.push([from, last]);
    return last + 1;
  }

  /** Between a place that cannot be read, and one that can. */
  #firstReadable(failed: number, readable: number): number {
    let [before, first] = [failed, readable];
    while (first - before > 1) {
      const middle = Math.floor((before + first) / 2);
      if (this.#canRead(middle)) first = middle;
      else before = middle;
    }
    return first;
  }

  /** Also where what comes after it is damaged. */
  #canRead(place: number): boolean {
    // Most places that are tried lie on one unreadable page, or far from any task: this costs a fourth there.
    if (!this.#read(sql.placeFrom, [place], [])) return false;
    const { found, isWhole } = this.#tasksFrom(place, 1);
    return isWhole || found.length > 0;
  }

  /** Up to the first that cannot be read, or whose place is damaged; one more is read, to see by it whether the last one's is. */
  #tasksFrom(place: number, limit: number): { found: Columns[]; isWhole: boolean } {
    const found: Columns[] = [];
    const isRead = this.#read(sql.tasksFrom(this.#hasAttributes), [place, limit + 1], found);
    const sound = countInOrder(found.map(placeOf), place);
    const isWhole = sound === found.length && (isRead || sound >= limit);
    return { found: found.slice(0, Math.min(sound, limit)), isWhole };
  }

  #toTask(row: Columns, lane: Columns | undefined, workers: Map<SQLInputValue, SQLInputValue>): SalvagedTask {
    const id = String(row.id);
    if (!lane) return { id };
    const withWorker = (columns: Columns) => ({
      ...columns,
      worker_id: workers.get(columns.worker!) ?? null,
    });
    const history: Columns[] = [];
    if (!this.#read(sql.attemptsOf, [row.seq!], history)) this.#unreadable.add("attempts of some tasks");
    try {
      const whole = withWorker({ ...row, type: lane.type!, queue: lane.queue! });
      const record = toRecord(whole, history.map(withWorker));
      if (row.status !== 2) return { id, record };
      return { id, running: { ...record, cancelRequested: row.cancel_requested_at !== null } };
    } catch {
      return { id };
    }
  }

  #checkTables(): void {
    const owner = this.#connection.rows("PRAGMA application_id")[0]!.application_id;
    const { stored } = this.#connection.schemaVersion();
    this.#connection.rows("SELECT count(*) FROM sqlite_schema");
    if (stored > newestSchema) this.#connection.refuseNewer();
    if (owner === applicationId || stored > 0) return;
    throw new DureError(
      "DATABASE_CORRUPT",
      `${this.location} is no database of Dure, or its first page is gone: nothing tells what the rest of it means. Restore a backup.`,
      { details: { location: this.location } },
    );
  }

  /** As far as anything tells: one of the tables or indexes may have lost its end. */
  #lastPlace(): number {
    const known = sql.lastPlaces.map((text) => this.#number(text) ?? 0);
    const last = Math.max(...known);
    return last > 0 ? last : placesMax;
  }

  get #hasAttributes(): boolean {
    return this.#connection.schemaVersion().stored >= 2;
  }

  get #hasHistoryChanges(): boolean {
    return this.#connection.schemaVersion().stored >= 19;
  }

  /** Rows of a table, and those of an index that has all of its columns. */
  #twice(what: string, table: string, index: string): Columns[] {
    const found: Columns[] = [];
    const isWhole = this.#read(table, [], found);
    if (!isWhole && !this.#read(index, [], found)) this.#unreadable.add(what);
    return found;
  }

  #beside<Value>(what: string, read: () => Value[]): Value[] {
    try {
      return read();
    } catch {
      this.#unreadable.add(what);
      return [];
    }
  }

  #number(text: string): number | undefined {
    const found: Columns[] = [];
    const isWhole = this.#read(text, [], found);
    const value = isWhole ? Object.values(found[0] ?? {})[0] : undefined;
    return typeof value === "number" ? value : undefined;
  }

  #statement(text: string): StatementSync {
    const statement = this.#statements.get(text) ?? this.#connection.prepareObjects(text);
    this.#statements.set(text, statement);
    return statement;
  }

  /** Adds the rows up to the first that cannot be read; answers whether there was none such. */
  #read(text: string, values: SQLInputValue[], into: Columns[]): boolean {
    try {
      for (const row of this.#statement(text).iterate(...values)) into.push(row as Columns);
      return true;
    } catch (error) {
      // Used again it would begin by throwing what it ended with.
      this.#statements.delete(text);
      const { code } = toDureError(error, this.location) as DureError;
      if (code === "DATABASE_CORRUPT" || code === "DATABASE_UNAVAILABLE") return false;
      throw error;
    }
  }
}

/** @param passed how many places were passed over so far */
function stepBehind(passed: number): number {
  return passed < eachMax ? 1 : Math.ceil(passed / 1_000);
}

function placeOf(row: Columns): number {
  return row.seq as number;
}

/**
 * How many come before a damaged place: they rise from `from` on in a sound table. Where one is below that before it, either
 * may be damaged: the one before, if those around it rise without it.
 */
function countInOrder(places: readonly number[], from: number): number {
  const fall = places.findIndex((place, at) => place < (at === 0 ? from : places[at - 1]! + 1));
  if (fall < 1) return fall < 0 ? places.length : 0;
  const before = fall > 1 ? places[fall - 2]! : from - 1;
  return places[fall]! > before ? fall - 1 : fall;
}

/** Its table may be unreadable, but a lock that is held says enough. */
function refuseWorkers(path: string): void {
  const locks = new WorkerLocks(path);
  const alive = lockedWorkers(path).filter((id) => !locks.isFree(id));
  if (alive.length === 0) return;
  throw new DureError(
    "WORKER_RUNNING",
    `${alive.length} worker(s) of ${path} are alive. Stop them first: what they still run would run again from the new file.`,
    { details: { workers: alive } },
  );
}

function lockedWorkers(path: string): string[] {
  try {
    return readdirSync(`${path}-workers`).flatMap((name) => /^(.+)\.lock$/.exec(name)?.[1] ?? []);
  } catch {
    return [];
  }
}
