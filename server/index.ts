/** The published surface. */
import "./types.ts"; // empty at run time: declarations that a compiler writes for a user find `dure/types` by it

export type { Dure } from "./dure.ts";
export { createDure, defaultDure, enqueueTask, waitForTask, watchTasks } from "./dure.ts";
export type { DureOptions, WorkerOptions } from "./dure-options.ts";
export type { Attempt, TaskContext } from "./tasks/core/attempt.ts";
export { AbortReason } from "./tasks/core/attempt.ts";
export type { Backoff } from "./tasks/core/backoff.ts";
export type { Duration } from "./tasks/core/duration.ts";
export type { EnqueueOptions, RunOptions } from "./tasks/core/enqueue.ts";
export type { ErrorCode } from "./tasks/core/errors.ts";
export { DureError, NonRetryableError, RetryAfter, Snooze } from "./tasks/core/errors.ts";
export type { TaskFilter } from "./tasks/core/filters/filter.ts";
export { cancelTask, deleteTask, editTask, listAttempts, retryTask } from "./tasks/core/manage.ts";
export type { TaskPage, TaskSearchOptions } from "./tasks/core/search.ts";
export { countTasks, getTaskById, searchTaskPage, searchTasks } from "./tasks/core/search.ts";
export type { Task, TaskDefinition, TaskHandler, TaskOptions } from "./tasks/core/task.ts";
export { defineTask, TaskStatus } from "./tasks/core/task.ts";
export type { Logger } from "./tasks/runtime/logger.ts";
