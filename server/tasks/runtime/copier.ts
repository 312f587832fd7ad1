/**
 * Moves all tasks of one store to another. The source is sealed first, so that nothing is added to it or run in it
 * from then on; then its records follow, by id, each batch compared with what the target gives back. What the target
 * has already is passed over, so a copy that was broken off is simply started again. One that fails before the target may
 * have any task opens the source again; later it stays shut, since what is there already may run there.
 */
import { isDeepStrictEqual } from "node:util";
import { DureError } from "../core/errors.ts";
import { type Span, spansMs } from "../core/port/store-history.ts";
import type {
  Attributes,
  AuditRead,
  StoredDefinition,
  TaskRecord,
  TaskStore,
  WorkerRecord,
} from "../core/store.ts";
import { committed } from "../core/written.ts";

const batchSize = 1_000;
const historyBatchSize = 5_000;

export interface CopyProgress {
  /** Read from the source so far. */
  tasks: number;
  /** In the source. */
  total: number;
}

export interface Copied {
  definitions: number;
  /** Saved searches that the target had no other of that name for. */
  searches: number;
  /** Written by this call; each was read back and is the same. */
  copied: number;
  /** Found in the target: written by an earlier call, and not changed there since or by its workers. */
  present: number;
}

/**
 * @param movedTo what the seal on the source says, to people
 * @throws DureError WORKER_RUNNING while a worker of the source is alive; STATUS_CONFLICT when a task in it is RUNNING;
 * IDEMPOTENCY_CONFLICT, TASK_ID_TAKEN when the target has other tasks of the same keys or ids; DATABASE_CORRUPT when what
 * was written reads otherwise; the signal's reason
 */
export async function copyTasks(
  from: TaskStore,
  to: TaskStore,
  movedTo: string,
  options: { signal?: AbortSignal; onProgress?: (progress: CopyProgress) => void } = {},
): Promise<Copied> {
  const wasSealed = await refuseWorkers(from);
  await sealSource(from, movedTo);
  const copied: Copied = { definitions: 0, searches: 0, copied: 0, present: 0 };
  try {
    Object.assign(copied, await copyBeside(from, to));
    await copyRecords(from, to, copied, options);
    return copied;
  } catch (error) {
    const isUntouched = copied.copied + copied.present === 0 && !(error instanceof BatchFailure);
    const cause = error instanceof BatchFailure ? error.cause : error;
    if (wasSealed || !isUntouched) throw leftShut(cause, from);
    await reopenSource(from);
    throw cause;
  }
}

/** Of a batch that the target may have, all or some of it. */
class BatchFailure extends Error {}

async function copyRecords(
  from: TaskStore,
  to: TaskStore,
  copied: Copied,
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: CopyProgress) => void },
): Promise<void> {
  const total = await countAll(from);
  let after: string | undefined;
  while (true) {
    signal?.throwIfAborted();
    const records = await from.readRecords({ limit: batchSize, ...(after !== undefined && { after }) });
    if (records.length === 0) break;
    const added = await writeBatch(to, records.map(asAnywhere));
    copied.copied += added;
    copied.present += records.length - added;
    after = records.at(-1)!.id;
    onProgress?.({ tasks: copied.copied + copied.present, total });
  }
  if (copied.copied + copied.present !== total) throw incomplete(from, copied, total);
}

/** The error with what has become of the source. */
function leftShut(error: unknown, from: TaskStore): unknown {
  if (!(error instanceof DureError)) return error;
  return new DureError(
    error.code,
    `${error.message} Until the copy is finished ${from.location} takes no changes: start it again, or run ` +
      "`dure copy --reopen` with the same --from to go on there, as long as nothing has run in the new place.",
    { details: error.details, cause: error },
  );
}

/** Undoes the seal: the source may be used again. What was copied stays in the target. */
export async function reopenSource(from: TaskStore): Promise<void> {
  committed(await from.seal(undefined), from);
}

/** Answers whether an earlier call has sealed it. */
async function refuseWorkers(from: TaskStore): Promise<boolean> {
  try {
    await from.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: Number.MAX_SAFE_INTEGER });
  } catch (error) {
    // An earlier call sealed it, when no worker was alive. One that was started since can run nothing.
    if (error instanceof DureError && error.code === "DATABASE_MOVED") return true;
    throw error;
  }
  const alive = (await from.listWorkers()).filter(({ state }) => state === "alive");
  if (alive.length === 0) return false;
  const shown = alive.slice(0, 5).map(describeWorker).join(", ");
  throw new DureError(
    "WORKER_RUNNING",
    `${from.location} has ${alive.length} worker(s) alive: ${shown}. Stop them first; one that died is buried by any ` +
      "worker that starts after its lease. Nothing was copied.",
    { details: { workers: alive.map(({ id }) => id) } },
  );
}

function describeWorker({ name, host, pid }: WorkerRecord): string {
  return name ?? `${host} ${pid}`;
}

async function sealSource(from: TaskStore, movedTo: string): Promise<void> {
  const sealed = await from.seal(movedTo);
  if (sealed.kind !== "rejected") return committed(sealed, from);
  throw new DureError(
    "STATUS_CONFLICT",
    `A task in ${from.location} is RUNNING, though no worker is alive. Start a worker there until it is taken back, then stop it. Nothing was copied.`,
  );
}

type Beside = Pick<
  TaskStore,
  "listDefinitions" | "listSearches" | "listPauses" | "readHistory" | "readAudit"
>;

/** What lies beside the tasks. Answers how many definitions there are, and how many searches were new. */
export async function copyBeside(
  from: Beside,
  to: TaskStore,
): Promise<{ definitions: number; searches: number }> {
  const definitions = await copyDefinitions(from, to);
  const searches = await copySearches(from, to);
  await copyPauses(from, to);
  await copyHistory(from, to);
  await copyAudit(from, to);
  return { definitions, searches };
}

async function copyDefinitions(from: Beside, to: TaskStore): Promise<number> {
  const definitions = await from.listDefinitions();
  committed(await to.saveDefinitions(definitions.map(withoutTimes)), to);
  return definitions.length;
}

/** With how far their alerts have come, so that what was told of is not told of again. */
async function copySearches(from: Beside, to: TaskStore): Promise<number> {
  const present = new Set((await to.listSearches()).map(({ name }) => name));
  const searches = (await from.listSearches()).filter(({ name }) => !present.has(name));
  for (const { createdAt: _createdAt, updatedAt: _updatedAt, revision: _revision, ...search } of searches) {
    const { alertState, ...content } = search;
    const answer = await to.saveSearch(content);
    if (answer.kind === "rejected") throw tooMany("saved searches", to);
    const { name, revision } = committed(answer, to);
    if (alertState) committed(await to.writeAlertState({ name, revision, state: alertState }), to);
  }
  return searches.length;
}

/** Before the tasks, so that no worker there starts one that is to wait. They are paused since now. */
async function copyPauses(from: Beside, to: TaskStore): Promise<void> {
  for (const { pausedAt: _pausedAt, ...pause } of await from.listPauses()) {
    const answer = await to.pause(pause);
    if (answer.kind === "rejected") throw tooMany("pauses", to);
    committed(answer, to);
  }
}

/** Before any worker there adds to the same stretches of time: what is there already stays as it is. */
async function copyHistory(from: Beside, to: TaskStore): Promise<void> {
  for (const span of Object.keys(spansMs) as Span[]) {
    let start = Number.MIN_SAFE_INTEGER;
    let limit = historyBatchSize;
    while (true) {
      const rows = await from.readHistory({ span, start, end: Number.MAX_SAFE_INTEGER, limit });
      committed(await to.writeHistory(rows.map((row) => ({ ...row, span }))), to);
      if (rows.length < limit) break;
      // More types may have rows of the last start, so it is read again; by a larger batch where it fills a whole one.
      const last = rows.at(-1)!.start;
      if (last === start) limit *= 2;
      start = last;
    }
  }
}

/** The newest first; what is there already stays as it is. */
async function copyAudit(from: Beside, to: TaskStore): Promise<void> {
  let after: AuditRead["after"];
  while (true) {
    const { records } = await from.readAudit({
      limit: batchSize,
      looksMax: batchSize,
      ...(after && { after }),
    });
    committed(await to.writeAudit(records), to);
    const last = records.at(-1);
    if (!last || records.length < batchSize) return;
    after = { at: last.at.getTime(), id: last.id };
  }
}

function tooMany(what: string, to: TaskStore): DureError {
  return new DureError(
    "INVALID_OPTION",
    `${to.location} has too many ${what} for those of the source to fit in. Delete some there, then start the copy again.`,
  );
}

function withoutTimes({
  createdAt: _createdAt,
  updatedAt: _updatedAt,
  ...definition
}: StoredDefinition): Omit<StoredDefinition, "createdAt" | "updatedAt"> {
  return definition;
}

async function countAll(store: TaskStore): Promise<number> {
  const all = { sortBy: "id", descending: false, limit: 1, offset: 0, definitions: false } as const;
  return (await store.countTasks(all)).count;
}

/**
 * Answers how many were new. An unknown commit is settled by writing again.
 * @throws BatchFailure with the reason, unless all of it was refused
 */
async function writeBatch(to: TaskStore, records: readonly TaskRecord[]): Promise<number> {
  const answer = await writeAgain(to, records).catch(failBatch);
  if (answer.kind === "rejected") return committed<never>(answer, to);
  try {
    const added = committed(answer, to);
    const written = new Set(added);
    const read = await to.readRecords({ ids: records.map(({ id }) => id) });
    const stored = new Map(read.map((record) => [record.id, record]));
    for (const record of records) compare(record, stored.get(record.id), written.has(record.id), to);
    return added.length;
  } catch (error) {
    return failBatch(error);
  }
}

async function writeAgain(to: TaskStore, records: readonly TaskRecord[]) {
  const answer = await to.writeRecords(records);
  return answer.kind === "unknown" ? to.writeRecords(records) : answer;
}

function failBatch(cause: unknown): never {
  throw new BatchFailure("A batch was not copied.", { cause });
}

/** A task that an earlier call wrote may have gone on there since; one that has not is still what was sent. */
function compare(sent: TaskRecord, stored: TaskRecord | undefined, isNew: boolean, to: TaskStore): void {
  if (isDeepStrictEqual(comparable(sent), stored && comparable(stored))) return;
  if (!isNew && (stored === undefined || hasGoneOn(sent, stored))) return;
  const isOther = stored !== undefined && !isSameTask(sent, stored);
  throw new DureError(
    isOther ? "TASK_ID_TAKEN" : "DATABASE_CORRUPT",
    isOther
      ? `${to.location} has another task with the id ${sent.id}. Copy to an empty database or schema; the source has it all.`
      : `Task ${sent.id} read back from ${to.location} is not what was written. Nothing is lost: the source has it all. Please report this.`,
    { details: { id: sent.id } },
  );
}

/** A list of an attribute is the set of its values: a store may keep each once, one alone without a list, and none not at all. */
function comparable({ attributes, ...record }: TaskRecord): TaskRecord {
  if (!attributes) return record;
  const sets: [name: string, Attributes[string]][] = [];
  for (const [name, given] of Object.entries(attributes)) {
    const values = [...new Set([given].flat())];
    if (values.length > 0) sets.push([name, values.length === 1 ? values[0]! : values]);
  }
  return sets.length > 0 ? { ...record, attributes: Object.fromEntries(sets) } : record;
}

function hasGoneOn(sent: TaskRecord, stored: TaskRecord): boolean {
  const hasChanged =
    stored.fence > sent.fence || stored.version > sent.version || stored.updatedAt > sent.updatedAt;
  return hasChanged && isSameTask(sent, stored);
}

function isSameTask(sent: TaskRecord, stored: TaskRecord): boolean {
  const { type, createdAt, payload } = sent;
  return type === stored.type && createdAt === stored.createdAt && isDeepStrictEqual(payload, stored.payload);
}

/** Not every store can hold U+0000 in a plain text; JSON is escaped, so only messages and descriptions can have it. */
function asAnywhere(record: TaskRecord): TaskRecord {
  const { error, description } = record;
  return {
    ...record,
    ...(error !== undefined && { error: error.replaceAll("\0", "\ufffd") }),
    ...(description !== undefined && { description: description.replaceAll("\0", "\ufffd") }),
  };
}

function incomplete(from: TaskStore, { copied, present }: Copied, total: number): DureError {
  return new DureError(
    "DATABASE_CORRUPT",
    `${from.location} counts ${total} tasks, but ${copied + present} could be read. Run \`dure doctor --full\` on it.`,
    { details: { total, copied, present } },
  );
}
