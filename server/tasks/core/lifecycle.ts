/** Which status may follow which. The stores' guarded updates say the same in SQL. */
import type { TaskStatusName } from "./task.ts";

/** The statuses that may follow each status. FAILED and CANCELLED are left only by an operator's retry. */
export const following = {
  PENDING: ["RUNNING", "CANCELLED"],
  RUNNING: ["PENDING", "COMPLETED", "FAILED", "CANCELLED"],
  COMPLETED: [],
  FAILED: ["PENDING"],
  CANCELLED: ["PENDING"],
} as const satisfies Record<TaskStatusName, readonly TaskStatusName[]>;

export const statuses = Object.keys(following) as readonly TaskStatusName[];

/** Whether a task with this status has ended: COMPLETED, FAILED or CANCELLED. */
export function isFinished(status: TaskStatusName): boolean {
  return status !== "PENDING" && status !== "RUNNING";
}

/** Whether a task may go from one status to another. */
export function mayFollow(from: TaskStatusName, to: TaskStatusName): boolean {
  return (following[from] as readonly TaskStatusName[]).includes(to);
}
