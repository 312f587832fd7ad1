/**
 * Large batches of new tasks, by COPY: a fifth faster than arrays. Rows of their attributes are written behind them
 * (attribute-work.ts); where too many are left to be, they follow by a COPY of their own. Those with ids of their own go by enqueue.ts.
 */
import { lackingName } from "../../core/attributes.ts";
import type { NewTask } from "../../core/store.ts";
import { hourOfMinuteSql, minuteOf } from "../shared/kept-counts.ts";
import { arrayLiteral, isFoundKey, keysOf } from "./attributes/attribute-values.ts";
import type { Noted } from "./attributes/attribute-work.ts";
import type { OpenTransaction, Session } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { type CopyIn, copyLine } from "./copy-in.ts";
import { byMinute, notingSums } from "./counts/minute-changes.ts";
import { columnNames, keyOf, lateMs, sizeOfTask } from "./enqueue.ts";
import { portions } from "./portions.ts";
import { plainText } from "./rows.ts";
import { nowOf, statement } from "./statement.ts";

/** Tasks that all go by COPY, as text that is made ahead, while the server is busy with those before. */
export interface CopyPart {
  lines: string[];
  /** Of the index of attributes. */
  keyLines: string;
  /** Tasks whose rows there are not among these. */
  noted: Noted[];
}

export function isCopied(tasks: readonly NewTask[]): boolean {
  return tasks.every(({ ownId }) => !ownId);
}

export async function copyPartOf(
  context: Context,
  tasks: readonly NewTask[],
  began: Storing,
  isBehind: boolean,
): Promise<CopyPart> {
  const lines: string[] = [];
  const noted: Noted[] = [];
  const numberOf = await context.attributes.ofAll(tasks);
  let keyLines = "";
  for (const portion of portions(tasks, sizeOfTask)) {
    let text = "";
    for (const task of portion) {
      const { id, type, createdAt, attributes } = task;
      const found = laneOf(context, task);
      const lane = typeof found === "number" ? found : await found;
      const keys = attributes && keysOf(attributes, (name) => numberOf(type, name));
      text += lineOf(task, keys, lane, began);
      if (!keys) continue;
      // Who lacks attributes is always to be found.
      if (isBehind && !(lackingName in attributes)) noted.push({ lane, createdAt });
      else for (const key of keys) if (isFoundKey(key)) keyLines += copyLine([createdAt, 0, key, id]);
    }
    lines.push(text);
  }
  return { lines, keyLines, noted };
}

/** So many parts, or characters, go by one statement: not for ever by the same, for there may be a limit to its time. */
const partsMax = 32;
const charactersMax = 32 * 1024 * 1024;

/** The way in, in one transaction. A statement stays open from part to part, so that the server need not wait for the next. */
export class Copying {
  readonly #session: OpenTransaction;
  #copy: CopyIn | undefined;
  /** What follows when the tasks are stored. */
  #keyLines: string[] = [];
  #parts = 0;
  #characters = 0;

  constructor(session: OpenTransaction) {
    this.#session = session;
  }

  /** Resolves when the next may follow. @throws an error of the server when one of the tasks so far is not new: 23505 */
  async add({ lines, keyLines }: CopyPart): Promise<void> {
    if (keyLines !== "") this.#keyLines.push(keyLines);
    this.#characters += keyLines.length;
    for (const portion of lines) {
      this.#copy ??= this.#session.copy(copyAll);
      this.#characters += portion.length;
      await this.#copy.send(portion);
      if (this.#characters >= charactersMax) await this.end();
    }
    this.#parts += 1;
    if (this.#parts >= partsMax) await this.end();
  }

  /** Resolves when all are stored. @throws as `add` */
  async end(): Promise<void> {
    await this.#forget()?.end();
    const keyLines = this.#keyLines.splice(0);
    if (keyLines.length === 0) return;
    this.#copy = this.#session.copy(copyKeys);
    for (const lines of keyLines) await this.#copy.send(lines);
    await this.#forget()?.end();
  }

  /** Leaves the connection free; the transaction can only be undone. Never rejects. */
  async abort(): Promise<void> {
    await this.#forget()?.abort();
  }

  #forget(): CopyIn | undefined {
    const copy = this.#copy;
    this.#copy = undefined;
    this.#parts = 0;
    this.#characters = 0;
    return copy;
  }
}

/** Counts tasks that were stored by COPY, with their first and last creation. */
export async function tallyTasks(
  context: Context,
  session: Session,
  tasks: readonly NewTask[],
): Promise<void> {
  const counts = new Map<
    string,
    { lane: number; minute: number; count: number; first: number; last: number }
  >();
  for (const task of tasks) {
    const found = laneOf(context, task);
    const lane = typeof found === "number" ? found : await found;
    const { createdAt } = task;
    const minute = minuteOf(createdAt);
    const key = `${lane} ${minute}`;
    const known = counts.get(key);
    if (known) {
      known.count += 1;
      known.first = Math.min(known.first, createdAt);
      known.last = Math.max(known.last, createdAt);
    } else counts.set(key, { lane, minute, count: 1, first: createdAt, last: createdAt });
  }
  const columns = [...counts.values()];
  await session.query(tallyLanes, [
    columns.map(({ lane }) => lane),
    columns.map(({ count }) => count),
    columns.map(({ minute }) => minute),
    columns.map(({ first }) => first),
    columns.map(({ last }) => last),
  ]);
}

/** The beginning of a transaction: the store's clock, and the transaction's number, which it has from then on. */
export interface Storing {
  now: number;
  xact: string;
}

export async function beginStoring(context: Context, session: Session): Promise<Storing> {
  const [row] = await session.query(begin, [context.now()]);
  return { now: row![0], xact: row![1] };
}

function laneOf({ lanes }: Context, { type, queue, ownId }: NewTask): number | Promise<number> {
  return lanes.known(type, queue, ownId) ?? lanes.of(type, queue, ownId);
}

/** In the order of `columnNames`. */
function lineOf(
  task: NewTask,
  keys: readonly string[] | undefined,
  lane: number,
  { now, xact }: Storing,
): string {
  const { createdAt, payload, tags, settings } = task;
  return copyLine([
    task.id,
    lane,
    task.ownId,
    task.priority,
    // A task that is due when it is created is due at once, whatever the clock of the process that made it says.
    task.dueAt <= createdAt ? Math.min(task.dueAt, now) : task.dueAt,
    createdAt,
    createdAt,
    task.maxAttempts,
    task.rerunAfterCrash,
    payload.json,
    payload.types,
    plainText(task.description),
    tags && JSON.stringify(tags),
    keyOf(task),
    settings && JSON.stringify(settings),
    createdAt < now - lateMs ? xact : undefined,
    arrayLiteral(keys),
  ]);
}

const copyAll = statement(
  "copyTasks",
  `COPY :schema.tasks (${columnNames}, stored_in, attributes) FROM STDIN`,
);
const copyKeys = statement(
  "copyAttributes",
  "COPY :schema.attributes (created_at, state, key, task_id) FROM STDIN",
);
const tallyLanes = statement(
  "tallyTasks",
  `WITH added AS MATERIALIZED (
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
      AS added (lane, tasks, minute, first_at, last_at)),
  minuted AS (${notingSums("SELECT lane, NULL::smallint, 0, tasks, minute, NULL::bigint FROM added")})
  INSERT INTO :schema.tally_changes (lane, status, tasks, hour, first_at, last_at, ${byMinute})
    SELECT lane, 1, sum(tasks), ${hourOfMinuteSql("minute")}, min(first_at), max(last_at), true FROM added GROUP BY 1, 4`,
);
const begin = statement("beginStoring", `SELECT ${nowOf("$1")}, pg_current_xact_id()::text`);
