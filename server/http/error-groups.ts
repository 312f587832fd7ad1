/** The latest failed tasks, grouped by messages that say the same. */
import type { Dure } from "../dure.ts";
import { quote } from "../tasks/core/query/query-lexer.ts";
import type { Task } from "../tasks/core/task.ts";
import { fingerprintsOf } from "../tasks/core/values/error-group.ts";
import type { ErrorGroup, ErrorsAnswer } from "./contract.ts";

/** Failed tasks that are looked at, the latest. */
export const failuresMax = 2_000;
const groupsMax = 200;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Steps of a trend. */
const stepsMax = 24;

/** What the trends are of: the last day, or as much of it as the failures reach back, an hour at least. */
interface Span {
  from: number;
  to: number;
}

/** The largest group first. */
export async function readErrors(dure: Dure): Promise<ErrorsAnswer> {
  const now = Date.now();
  const failed = await dure.searchTasks({
    status: "FAILED",
    sortBy: "updatedAt",
    limit: failuresMax,
    definitions: false,
  });
  const isAll = failed.length < failuresMax;
  const earliest = failed.at(-1)?.updatedAt.getTime() ?? now;
  const span = { from: Math.min(now - hourMs, Math.max(earliest, now - dayMs)), to: now };
  return {
    errors: groupsOf(failed, span),
    trend: { from: new Date(span.from).toISOString(), to: new Date(now).toISOString(), steps: stepsMax },
    ...(!isAll && { lookedBackTo: new Date(earliest).toISOString() }),
  };
}

function groupsOf(failed: readonly Task[], span: Span): ErrorGroup[] {
  const groups = new Map<string, ErrorGroup>();
  const fingerprints = fingerprintsOf(failed.map(({ error = "" }) => error));
  for (const [place, task] of failed.entries()) addFailure(groups, task, fingerprints[place]!, span);
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, groupsMax);
}

function addFailure(
  groups: Map<string, ErrorGroup>,
  { id, type, error = "", updatedAt }: Task,
  fingerprint: string,
  { from, to }: Span,
): void {
  const at = updatedAt.toISOString();
  let group = groups.get(fingerprint);
  if (!group) {
    group = {
      ...{ fingerprint, message: error, count: 0, types: [], firstAt: at, lastAt: at, exampleId: id },
      query: queryOf(fingerprint),
      trend: Array.from({ length: stepsMax }, () => 0),
    };
    groups.set(fingerprint, group);
  }
  group.count += 1;
  group.firstAt = at;
  if (!group.types.includes(type)) group.types.push(type);
  const step = Math.floor(((updatedAt.getTime() - from) / Math.max(1, to - from)) * stepsMax);
  if (step >= 0) group.trend[Math.min(step, stepsMax - 1)]! += 1;
}

/** The failed tasks of the group, of any age. */
function queryOf(fingerprint: string): string {
  return `status:failed errorGroup:${quote(fingerprint)}`;
}
