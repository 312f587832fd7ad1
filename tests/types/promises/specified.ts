/** The specification's signatures, written as it has them, fit the package's. Compiled, never run. */
import {
  defineTask,
  getTaskById,
  searchTasks,
  type Task,
  type TaskDefinition,
  type TaskHandler,
  type TaskOptions,
  type TaskSearchOptions,
  TaskStatus,
} from "dure";
import { type Equal, expectType } from "./expect.ts";

interface SpecifiedSearchOptions {
  id?: string;
  type?: string;
  status?: TaskStatus;
  createdAtRange?: { start?: Date; end?: Date };
  updatedAtRange?: { start?: Date; end?: Date };
  limit?: number;
  offset?: number;
  sortBy?: "createdAt" | "updatedAt" | "id";
  sortOrder?: "asc" | "desc";
}
type SpecifiedHandler<Payload = any, Result = any> = (
  task: Task<Payload>,
) => Promise<Result | { status: "success" | "failure"; message?: string; data?: Result }>;
type SpecifiedDefine = <Payload = any, Result = any>(
  id: string,
  handler: SpecifiedHandler<Payload, Result>,
  options?: TaskOptions,
) => TaskDefinition<Payload, Result>;

/** A task needs no more than what is specified. */
export const task: Task<{ userId: string }, { reportUrl: string }> = {
  id: "1",
  type: "nightly-report",
  status: TaskStatus.PENDING,
  createdAt: new Date(),
  updatedAt: new Date(),
  payload: { userId: "ann" },
  maxAttempts: 3,
  attempts: 0,
};
expectType<Equal<typeof task.startedAt, Date | undefined>>();
expectType<Equal<typeof task.result, { reportUrl: string } | undefined>>();
expectType<Equal<typeof task.error, string | undefined>>();
expectType<Equal<typeof task.description, string | undefined>>();

const specifiedOptions: SpecifiedSearchOptions = { status: TaskStatus.FAILED, limit: 5, sortBy: "id" };
export const options: TaskSearchOptions = specifiedOptions;
export const define: SpecifiedDefine = defineTask;
export const search: (options?: SpecifiedSearchOptions) => Promise<Task[]> = searchTasks;
export const getOne: (id: string) => Promise<Task | undefined> = getTaskById;

const oneParameter: SpecifiedHandler<string, number> = async (given) => given.payload.length;
export const handler: TaskHandler<string, number> = oneParameter;
/** As in the specification's program: the handler's task has the result's type as well. */
export const twoArguments: TaskHandler<string, number> = async (given: Task<string, number>) =>
  given.payload.length;

/** A real enum: a value at run time, and not any string. */
export const statuses: TaskStatus[] = Object.values(TaskStatus);
export const failed: "FAILED" extends `${TaskStatus}` ? true : false = true;
// @ts-expect-error: a plain string is no TaskStatus
export const notAStatus: TaskStatus = "PENDING";
/** But every input takes the plain strings. */
void searchTasks({ status: "PENDING" });
void searchTasks({ status: ["FAILED", TaskStatus.CANCELLED] });
// @ts-expect-error: no such status
void searchTasks({ status: "DONE" });
// @ts-expect-error: no such option
void searchTasks({ statuses: "PENDING" });
// @ts-expect-error: no such field
void searchTasks({ sortBy: "payload" });
