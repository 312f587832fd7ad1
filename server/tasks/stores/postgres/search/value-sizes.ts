/**
 * Values within a number of bytes. A task's values travel with its row where they are small; how large the others are is told,
 * and they are read when it is known that they are wanted, so many at once.
 */
import type { Task } from "../../../core/task.ts";
import type { Session } from "../connections/database.ts";
import type { Lane } from "../lanes.ts";
import { type TaskRow, toTask } from "../rows.ts";
import { readSubjects } from "./subjects.ts";

/** Read at once beside the values that are small. */
export const portionBytesMax = 4 * 1024 * 1024;

/** A share that no values fit into. */
export const noValues = -1;

/** What each of so many tasks may have so that all of them fit. */
export function shareOf(bytesMax: number, tasks: number): number {
  return Math.floor(bytesMax / Math.max(1, tasks));
}

/** How large the values of tasks are, and which of them were left where they are. */
export class ValueSizes {
  readonly #bytes = new Map<string, number>();
  readonly #left = new Set<string>();

  /** @param share values of more bytes are not in the row */
  note(row: TaskRow, share: number): void {
    const bytes = row[27] ?? 0;
    this.#bytes.set(row[0], bytes);
    if (bytes > share) this.#left.add(row[0]);
  }

  of({ id, isDefinition }: Task): number {
    return isDefinition ? 0 : (this.#bytes.get(id) ?? 0);
  }

  /** Whether they were left. */
  areLeft({ id }: Pick<Task, "id">): boolean {
    return this.#left.has(id);
  }

  /** The task without its values, which are read again when they are wanted. */
  without(task: Task): Task {
    this.#left.add(task.id);
    const { result: _result, error: _error, ...bare } = task;
    return { ...bare, payload: undefined };
  }

  /** How many of the tasks, in their order, fit; the first one that has values does, and entries of definitions do. */
  fitting(tasks: readonly Task[], bytesMax: number | undefined): number {
    if (bytesMax === undefined) return tasks.length;
    let bytes = 0;
    const end = tasks.findIndex((task) => {
      const before = bytes;
      bytes += this.of(task);
      return bytes > bytesMax && before > 0 && !task.isDefinition;
    });
    return end === -1 ? tasks.length : end;
  }

  /** The tasks in parts of so many bytes, at most `portionBytesMax`. */
  portions(tasks: readonly Task[], bytesMax = portionBytesMax): Task[][] {
    const portions: Task[][] = [];
    for (let rest = tasks; rest.length > 0; rest = rest.slice(portions.at(-1)!.length))
      portions.push(rest.slice(0, this.fitting(rest, Math.min(bytesMax, portionBytesMax))));
    return portions;
  }

  /** The tasks with the values that were left. What was deleted meanwhile is left out. */
  async whole(
    session: Pick<Session, "query">,
    tasks: readonly Task[],
    named: (numbers: Set<number>) => Promise<ReadonlyMap<number, Lane>>,
  ): Promise<Task[]> {
    const left = tasks.filter((task) => this.areLeft(task)).map(({ id }) => id);
    if (left.length === 0) return [...tasks];
    const rows = await readSubjects(session, left, null, { attributes: false, text: false });
    const lanes = await named(new Set(rows.map((row) => row[3])));
    const read = new Map(rows.map(([, , ...row]) => [row[0] as string, toTask(row as TaskRow, lanes)]));
    const whole = tasks.flatMap((task) => (this.areLeft(task) ? (read.get(task.id) ?? []) : task));
    for (const id of left) this.#left.delete(id);
    return whole;
  }
}
