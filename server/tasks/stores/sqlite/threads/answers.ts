/** What the threads answered, as the port gives it. */
import type { Attempt } from "../../../core/attempt.ts";
import { declaredOf } from "../../../core/attributes.ts";
import type { ArchivedTask, Attributes, EnqueueRefusal, Written } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import type { Enqueued } from "../enqueue.ts";
import type { RecordRows } from "../record-rows.ts";
import { namesOf, type Row, toAttempts, toTask } from "../rows.ts";
import type { Rows } from "./protocol.ts";

export function toTasks(rows: Rows): Task[] {
  const names = namesOf(rows);
  return rows.rows.map((row) => toTask(row, names));
}

export function attemptsOf({ task, attempts, workers }: RecordRows): Attempt[] {
  const names = namesOf({ lanes: task.lanes, workers: [...task.workers, ...workers] });
  return toAttempts(task.rows[0] as Row, attempts, names);
}

export function archivedOf(record: RecordRows): ArchivedTask {
  const json = (record.task.rows[0] as Row)[19] ?? null;
  const attributes = json === null ? undefined : declaredOf(JSON.parse(json) as Attributes);
  return {
    task: toTasks(record.task)[0]!,
    attempts: attemptsOf(record),
    ...(attributes && { attributes }),
  };
}

export function changedTask<Reason extends string>(
  answer: Written<{ task: Rows }, Reason>,
): Written<{ task: Task }, Reason> {
  if (answer.kind !== "ok") return answer;
  return { kind: "ok", value: { task: toTasks(answer.value.task)[0]! } };
}

/** `null` for each task that was new, in order. */
export function existingTasks(answer: Enqueued, tasks: number): Written<(Task | null)[], EnqueueRefusal> {
  if (answer.kind !== "ok") return answer;
  const value: (Task | null)[] = new Array(tasks).fill(null);
  if (answer.value) {
    const found = toTasks(answer.value.found);
    answer.value.indexes.forEach((place, index) => {
      value[place] = found[index]!;
    });
  }
  return { kind: "ok", value };
}
