/** Statuses as the numbers they are stored as. */
import type { TaskStatusName } from "../../core/task.ts";

/** By number; 0 is no status. */
export const statusNames: readonly TaskStatusName[] = [
  "PENDING",
  "PENDING",
  "RUNNING",
  "COMPLETED",
  "FAILED",
  "CANCELLED",
];

export const statusNumbers = { PENDING: 1, RUNNING: 2, COMPLETED: 3, FAILED: 4, CANCELLED: 5 } as const;
