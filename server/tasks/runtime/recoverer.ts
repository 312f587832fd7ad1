/**
 * Brings what can still be read of a damaged store into a new one (F83). What was RUNNING is taken back, since its worker
 * is not there any more; what does not hold together is counted as lost, like what lies on pages that cannot be read.
 */
import type { Clock } from "../core/clock.ts";
import type { DamagedSource, SalvagedTask, TaskRecord } from "../core/record.ts";
import { isSoundRecord } from "../core/sound-record.ts";
import type { TaskStore } from "../core/store.ts";
import { committed } from "../core/written.ts";
import { copyBeside } from "./copier.ts";

const batchSize = 500;
/** Ids of lost tasks that an answer names. */
const namedMax = 10_000;

export interface RecoverProgress {
  /** Read so far. */
  tasks: number;
  /** In the damaged store, when it can be told. */
  total?: number;
}

export interface Recovered {
  /** Tasks that are in the new store. */
  tasks: number;
  /** Of these, those that were RUNNING and wait again. */
  takenBack: number;
  /** Tasks that could not be read, or not whole. Where nothing tells how many there were, at least so many. */
  lost: number;
  /** As many of those as are known by their ids; 10,000 at most. */
  lostIds: string[];
  /** What lies beside the tasks and was lost with damaged pages, in words. */
  unreadable: string[];
  definitions: number;
  searches: number;
}

/** @throws DureError DATABASE_… of the new store; the signal's reason */
export async function recoverTasks(
  from: DamagedSource,
  to: TaskStore,
  clock: Clock,
  options: { signal?: AbortSignal; onProgress?: (progress: RecoverProgress) => void } = {},
): Promise<Recovered> {
  const beside = await copyBeside(from, to);
  const total = from.countTasks();
  const lostIds: string[] = [];
  const recovered = { tasks: 0, takenBack: 0 };
  for (const batch of from.readTasks(batchSize)) {
    options.signal?.throwIfAborted();
    const records = batch.flatMap((task) => recordsOf(task, clock.now(), lostIds));
    const added = new Set(await write(to, records));
    lostIds.push(...records.map(({ id }) => id).filter((id) => !added.has(id)));
    recovered.tasks += added.size;
    recovered.takenBack += batch.filter(({ id, running }) => running && added.has(id)).length;
    options.onProgress?.({ tasks: recovered.tasks, ...(total !== undefined && { total }) });
    // Reading blocks: so a signal, or whoever draws the progress, has its turn.
    if (batch.length === 0) await clock.sleep(0);
  }
  for (const id of from.missedIds()) lostIds.push(id);
  const lost = Math.max(lostIds.length, (total ?? 0) - recovered.tasks);
  const { unreadable } = from;
  return { ...recovered, lost, lostIds: lostIds.slice(0, namedMax), unreadable: [...unreadable], ...beside };
}

function recordsOf({ id, record, running }: SalvagedTask, now: number, lostIds: string[]): TaskRecord[] {
  const found = record ?? (running && takenBack(running, now));
  if (found && isSoundRecord(found)) return [found];
  lostIds.push(id);
  return [];
}

/** As a reaper would, but for the crash budget: that the file was damaged says nothing against the task. */
function takenBack(running: NonNullable<SalvagedTask["running"]>, now: number): TaskRecord {
  const { cancelRequested, ...record } = running;
  const { fence, attempts, rerunAfterCrash, workerId, startedAt = now } = record;
  const lost = {
    ...{ fence, number: attempts, startedAt, endedAt: now, outcome: "lost" as const },
    ...(workerId !== undefined && { workerId }),
    error: JSON.stringify({ name: "WorkerLost", message: lostMessage, code: "LEASE_LOST" }),
  };
  const back = {
    ...record,
    updatedAt: now,
    version: record.version + 1,
    history: [...record.history.filter((attempt) => attempt.fence !== fence), lost],
  };
  if (cancelRequested) return { ...back, status: "CANCELLED", completedAt: now };
  if (rerunAfterCrash) return { ...back, status: "PENDING", attempts: Math.max(0, attempts - 1) };
  return { ...back, status: "FAILED", completedAt: now, error: `${lostMessage} rerunAfterCrash is false.` };
}

const lostMessage =
  "It was running when its database was damaged, and was taken back from what could be read.";

/** Answers the ids that are there now. Of two with one key or id, which a sound file never has, the first stays. */
async function write(to: TaskStore, records: readonly TaskRecord[]): Promise<string[]> {
  const answer = await to.writeRecords(records);
  if (answer.kind !== "rejected" || records.length === 1) {
    return answer.kind === "rejected" ? [] : committed(answer, to);
  }
  const added: string[] = [];
  for (const record of records) added.push(...(await write(to, [record])));
  return added;
}
