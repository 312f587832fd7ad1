/**
 * What must hold after any fault: nothing acknowledged is lost, nothing is settled twice, nothing started that has no
 * record, nothing RUNNING is without a living owner, the kept counts are the counted ones, and the history has every
 * attempt that ended, once.
 */
import type { Dure } from "../../server/dure.ts";
import type { Attempt } from "../../server/tasks/core/attempt.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import type { Ledger } from "./crash-ledger.ts";

/** Everything that must not be so, in sentences. */
export async function findViolations(
  dure: Dure,
  ledger: Pick<Ledger, "starts">,
  acknowledged: Iterable<string>,
): Promise<string[]> {
  const starts = startsByTask(ledger);
  const violations: string[] = [];
  const known = new Set([...acknowledged, ...starts.keys()]);
  const historyBefore = await readEndings(dure);
  const ended = { all: 0, completed: 0 };
  // Of what was stored without an answer nothing else is known, but it may have been claimed.
  const ids = [...new Set([...known, ...(await storedIds(dure))])];
  const owners = new Map((await dure.listWorkers()).map((worker) => [worker.id, worker]));
  for (let from = 0; from < ids.length; from += 200) {
    const found = await Promise.all(ids.slice(from, from + 200).map((id) => read(dure, id)));
    for (const { id, task, attempts } of found) {
      count(attempts, ended);
      if (!known.has(id)) continue;
      if (!task) violations.push(`Task ${id} was acknowledged and is lost.`);
      else violations.push(...judge(task, attempts, starts.get(id) ?? []));
      if (task?.status !== "RUNNING") continue;
      const owner = owners.get(task.workerId ?? "");
      if (owner?.state !== "alive" || !isAlive(owner.pid))
        violations.push(`Task ${id} is RUNNING without a living owner.`);
    }
  }
  for (const { level, check, message } of await dure.checkHealth({ full: true })) {
    if (level === "error") violations.push(`${check}: ${message}`);
  }
  const historyAfter = await readEndings(dure);
  for (const ending of ["all", "completed"] as const) {
    const [least, most] = [historyBefore[ending], historyAfter[ending]];
    if (ended[ending] < least || ended[ending] > most)
      violations.push(
        `The history has ${least} to ${most} ends (${ending}), the attempts are ${ended[ending]}.`,
      );
  }
  return violations;
}

interface Endings {
  all: number;
  completed: number;
}

/** Those that say how the work goes; an attempt that was given back or put off does not count. */
function count(attempts: readonly Attempt[], ended: Endings): void {
  for (const { outcome } of attempts) {
    if (outcome === undefined || outcome === "released" || outcome === "snoozed") continue;
    ended.all += 1;
    if (outcome === "completed") ended.completed += 1;
  }
}

/** Whatever the clocks of the workers said. */
async function readEndings(dure: Dure): Promise<Endings> {
  const days = await dure.readHistory({
    bucket: "day",
    start: new Date(0),
    end: new Date(Date.UTC(2300, 0)),
  });
  const ended: Endings = { all: 0, completed: 0 };
  for (const { completed, failed, cancelled, retried } of days) {
    ended.all += completed + failed + cancelled + retried;
    ended.completed += completed;
  }
  return ended;
}

async function storedIds(dure: Dure): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await dure.searchTaskPage({
      ...{ sortBy: "id", limit: 1_000, definitions: false },
      ...(cursor !== undefined && { cursor }),
    });
    ids.push(...page.tasks.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return ids;
}

async function read(
  dure: Dure,
  id: string,
): Promise<{ id: string; task: Task | undefined; attempts: Attempt[] }> {
  const [task, attempts] = await Promise.all([dure.getTaskById(id), dure.listAttempts(id)]);
  return { id, task, attempts };
}

function startsByTask(ledger: Pick<Ledger, "starts">): Map<string, number[]> {
  const starts = new Map<string, number[]>();
  for (const { taskId, fence } of ledger.starts()) {
    const fences = starts.get(taskId);
    if (fences) fences.push(fence);
    else starts.set(taskId, [fence]);
  }
  return starts;
}

function* judge(task: Task, attempts: readonly Attempt[], starts: readonly number[]): Iterable<string> {
  const history = attempts.map(({ fence, outcome }) => `${fence} ${outcome}`).join(", ");
  const about = `Task ${task.id} (${task.status}; attempts ${history}; started ${starts.join(", ")})`;
  const fences = attempts.map(({ fence }) => fence);
  if (fences.some((fence, index) => fence !== index + 1)) yield `${about} has a claim without a record.`;
  if (new Set(starts).size !== starts.length) yield `${about} was started twice for one claim.`;
  if (starts.some((fence) => !fences.includes(fence))) yield `${about} was started without a record.`;
  const completed = attempts.filter(({ outcome }) => outcome === "completed");
  const wanted = task.status === "COMPLETED" ? 1 : 0;
  if (completed.length !== wanted) yield `${about} was completed ${completed.length} times.`;
  if (completed.some(({ fence }) => !starts.includes(fence))) yield `${about} was completed without a start.`;
  const open = attempts.filter(({ outcome }) => outcome === undefined);
  if (open.length !== (task.status === "RUNNING" ? 1 : 0))
    yield `${about} has ${open.length} attempts that go on.`;
  const charged = attempts.filter(({ outcome }) => outcome === "failed" || outcome === "timed-out");
  if (charged.length > task.maxAttempts) yield `${about} was charged more often than allowed.`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
