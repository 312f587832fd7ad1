/** Tasks: search, one of them, enqueue, and what an operator does to one. */
import { z } from "zod";
import type { Dure } from "../../dure.ts";
import { actionType } from "../../tasks/core/act.ts";
import { parseDuration } from "../../tasks/core/duration.ts";
import { DureError } from "../../tasks/core/errors.ts";
import { findNearIdsIn } from "../../tasks/core/find.ts";
import { didYouMean } from "../../tasks/core/names.ts";
import type { TaskSearchOptions } from "../../tasks/core/search.ts";
import { sortFields } from "../../tasks/core/sort-fields.ts";
import type { Attributes } from "../../tasks/core/store.ts";
import type { Task } from "../../tasks/core/task.ts";
import {
  type Json,
  oneTask,
  searchExplanation,
  task,
  taskCount,
  taskDetail,
  taskExplanation,
  taskPage,
} from "../contract.ts";
import { HttpError } from "../errors.ts";
import { listOf } from "../faults.ts";
import { fittingPage } from "../fitting-page.ts";
import { type Call, route } from "../route.ts";

const pageMax = 200;
const batchMax = 1_000;

/** Of a variable that is not set there is an empty one, which no task would fit. */
const someNames = z
  .string()
  .refine((text) => listOf(text).length > 0, "it names none; leave it out, or name one");
const statuses = someNames.transform((text) => listOf(text).map((status) => status.toUpperCase()));
export const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text));

/** The filters that every list, count and summary takes. */
export const filterQuery = {
  q: z.string().max(10_000).optional(),
  status: statuses.optional(),
  type: someNames.transform(listOf).optional(),
  queue: someNames.transform(listOf).optional(),
  from: instant.optional(),
  to: instant.optional(),
};
export const boolean = z.enum(["true", "false"]).transform((text) => text === "true");

export const taskFilters = z.object(filterQuery);

/** Whoever may only look must not keep a reader of the store busy for long. */
export const budgetQuery = z.string().max(20).optional();
const budgetRange = { minMs: 1, maxMs: 5_000 };

/** @throws DureError INVALID_OPTION */
export function budgetOf(text: string | undefined): { budget?: number } {
  return text === undefined ? {} : { budget: parseDuration(text, "budget", budgetRange) };
}

const listQuery = taskFilters.extend({
  sort: z.enum(sortFields).optional(),
  order: z.enum(["asc", "desc"]).optional(),
  limit: z.coerce.number().int().min(1).max(pageMax).default(50),
  offset: z.coerce.number().int().min(0).optional(),
  cursor: z.string().max(10_000).optional(),
  updatedSince: z.string().max(32_768).optional(),
  budget: budgetQuery,
  definitions: boolean.default(false),
  attributes: boolean.default(false),
});

/** What a stream of changes takes. */
export const watchQuery = taskFilters.extend({ since: z.string().max(32_768).optional() });

/** A filter as the instance takes it. What is wrong with it, the instance says. */
export function searchOf({
  q,
  status,
  type,
  queue,
  from,
  to,
}: z.output<typeof taskFilters>): TaskSearchOptions {
  return {
    ...(q !== undefined && { query: q }),
    ...(status && { status: status as never }),
    ...(type && { type }),
    ...(queue && { queue }),
    ...((from || to) && { createdAtRange: { ...(from && { start: from }), ...(to && { end: to }) } }),
  };
}

const settings = {
  delay: z.union([z.string(), z.number()]).optional(),
  runAt: instant.optional(),
  priority: z.number().int().optional(),
  queue: z.string().optional(),
  tags: z.array(z.string()).optional(),
  idempotencyKey: z.string().optional(),
  id: z.string().optional(),
  maxAttempts: z.number().int().optional(),
  timeout: z.union([z.string(), z.number()]).optional(),
  description: z.string().optional(),
};
const newTask = z.strictObject({ type: z.string(), payload: z.unknown(), ...settings });
const change = z.strictObject({ expectedVersion: z.number().int().optional() });

export const taskRoutes = [
  route({
    method: "GET",
    path: "tasks",
    role: "viewer",
    answer: taskPage,
    summary: "A page of the tasks that fit, newest first unless told otherwise",
    query: listQuery,
    run: async ({ dure, documents, query }) => {
      const { sort, order, limit, offset, cursor, updatedSince, budget, definitions, attributes } = query;
      const search = {
        ...searchOf(query),
        ...budgetOf(budget),
        ...(sort && { sortBy: sort }),
        ...(order && { sortOrder: order }),
        ...(offset !== undefined && { offset }),
        ...(cursor !== undefined && { cursor }),
        ...(updatedSince !== undefined && { updatedSince }),
        definitions,
      };
      const ask = (room: TaskSearchOptions) => dure.searchTaskPage({ ...search, ...room });
      const { page, tasks } = await fittingPage(limit, ask, async (asked) => {
        const found = attributes ? await attributesOf(dure, asked.tasks) : undefined;
        return (task) => documents.task(task, found?.get(task.id));
      });
      const { tasks: _tasks, isCut: _isCut, searchedBackTo, ...rest } = page;
      return {
        ...rest,
        tasks,
        ...(searchedBackTo && { searchedBackTo: searchedBackTo.toISOString() }),
      };
    },
  }),
  route({
    method: "GET",
    path: "tasks/count",
    role: "viewer",
    answer: taskCount,
    summary: "How many tasks fit; an estimate, and said to be one, where counting takes too long",
    query: taskFilters,
    run: async ({ dure, query }) => {
      const { total } = await dure.summarizeTasks({ ...searchOf(query), by: [] });
      return { count: total.count, exact: total.errorMax === 0, errorMax: total.errorMax };
    },
  }),
  route({
    method: "GET",
    path: "tasks/explain",
    role: "viewer",
    answer: searchExplanation,
    summary: "Which way a page of tasks is found, how many are looked at, and what would make it cheaper",
    query: taskFilters.extend({
      sort: z.enum(sortFields).optional(),
      order: z.enum(["asc", "desc"]).optional(),
      offset: z.coerce.number().int().min(0).optional(),
    }),
    run: async ({ dure, query: { sort, order, offset, ...filters } }) => {
      const { indexes, tested, hints, ...rest } = await dure.explainSearch({
        ...searchOf(filters),
        ...(sort && { sortBy: sort }),
        ...(order && { sortOrder: order }),
        ...(offset !== undefined && { offset }),
        definitions: false,
      });
      return { ...rest, indexes: [...indexes], tested: [...tested], hints: [...hints] };
    },
  }),
  route({
    method: "GET",
    path: "tasks/:id",
    role: "viewer",
    answer: taskDetail,
    summary: "One task with its attempts and their logs",
    run: async (call) => {
      const { dure, documents, params } = call;
      const task = await existing(call);
      const attempts = await dure.listAttempts(params.id!);
      const attributes = (await attributesOf(dure, [task])).get(task.id);
      return {
        task: documents.task(task, attributes),
        attempts: attempts.map((attempt) => documents.attempt(attempt)),
      };
    },
  }),
  route({
    method: "GET",
    path: "tasks/:id/explain",
    role: "viewer",
    answer: taskExplanation,
    summary: "Why a task is where it is, and what happens to it next",
    run: async ({ dure, documents, params }) => {
      const { task, reasons, uncharged, attemptsLeft, nextAttemptAt, workers } = await dure.explainTask(
        params.id!,
      );
      return {
        attemptsLeft,
        ...(nextAttemptAt && { nextAttemptAt: nextAttemptAt.toISOString() }),
        reasons: reasons.map((reason) => documents.reason(reason, task.error)),
        task: documents.task(task),
        uncharged: uncharged.map((attempt) => documents.attempt(attempt)),
        workers: workers.map((worker) => documents.worker(worker)),
      };
    },
  }),
  route({
    method: "POST",
    path: "tasks",
    role: "operator",
    answer: oneTask,
    summary: "Enqueues a task of a definition that is known to the database",
    body: newTask,
    run: async ({ dure, documents, body, charge, enqueuedBy: by }) => {
      charge(1);
      const { type, payload, ...options } = body;
      const task = await dure.enqueueTask(type, payload, { ...options, ...(by && { by }) });
      return { task: documents.task(task) };
    },
  }),
  route({
    method: "POST",
    path: "tasks/batch",
    role: "operator",
    answer: z.object({ tasks: z.array(task) }),
    summary: `Enqueues at most ${batchMax} tasks, each by itself; answers them in order. Where one is refused, details.index names the first such and details.stored the ids of those that are stored, null for the others`,
    body: z.strictObject({ tasks: z.array(newTask).max(batchMax) }),
    run: async ({ dure, documents, body, charge, enqueuedBy: by }) => {
      charge(body.tasks.length);
      const asked = body.tasks.map(({ type, payload, ...options }) =>
        dure.enqueueTask(type, payload, { ...options, ...(by && { by }) }),
      );
      return { tasks: (await allStored(asked)).map((task) => documents.task(task)) };
    },
  }),
  route({
    method: "POST",
    path: "tasks/:id/cancel",
    role: "operator",
    answer: oneTask.extend({ requested: z.boolean() }),
    summary: "Cancels a task; one that runs is asked to stop",
    body: change,
    run: async ({ dure, documents, params, body, by }) => {
      const { task, requested } = await dure.cancelTask(params.id!, { ...body, by });
      return { task: documents.task(task), requested };
    },
  }),
  route({
    method: "POST",
    path: "tasks/:id/retry",
    role: "operator",
    answer: oneTask,
    summary: "Puts a FAILED or CANCELLED task back, with all its attempts again",
    body: change,
    run: async ({ dure, documents, params, body, need, by }) => {
      await needForAction(dure, params.id!, need);
      return { task: documents.task(await dure.retryTask(params.id!, { ...body, by })) };
    },
  }),
  route({
    method: "POST",
    path: "tasks/:id/run-again",
    role: "operator",
    answer: oneTask,
    summary:
      "Enqueues a new task of the same type, with the same payload or an edited one: what is in it as it was shown is what it was, secrets and types included",
    body: z.strictObject({ payload: z.unknown().optional(), ...settings }),
    run: async (call) => {
      const { dure, documents, body, by } = call;
      const { id, type, payload, isDefinition } = await existing(call);
      if (isDefinition)
        throw new HttpError(409, "STATUS_CONFLICT", "This is a definition; enqueue a task of it instead.");
      call.charge(1);
      const { payload: edited, ...options } = body;
      const isEdited = "payload" in body;
      const again = await dure.enqueueTask(
        type,
        isEdited ? documents.edited(edited as Json, payload) : payload,
        {
          ...options,
          by: { ...by, action: "run-again", after: { from: id, ...(isEdited && { payloadEdited: true }) } },
        },
      );
      return { task: documents.task(again) };
    },
  }),
  route({
    method: "PATCH",
    path: "tasks/:id",
    role: "operator",
    answer: oneTask,
    summary: "Changes the priority or the due time of a PENDING task",
    body: change.extend({ priority: z.number().int().optional(), dueAt: instant.nullish() }),
    run: async ({ dure, documents, params, body, by }) => {
      const { priority, dueAt, expectedVersion } = body;
      const task = await dure.editTask(params.id!, {
        by,
        ...(priority !== undefined && { priority }),
        ...(dueAt === null ? { delay: 0 } : dueAt && { runAt: dueAt }),
        ...(expectedVersion !== undefined && { expectedVersion }),
      });
      return { task: documents.task(task) };
    },
  }),
  route({
    method: "DELETE",
    path: "tasks/:id",
    role: "admin",
    answer: z.object({ deleted: z.string() }),
    summary: "Deletes a task that has ended, with its attempts and logs",
    query: z.object({ expectedVersion: z.coerce.number().int().optional() }),
    run: async ({ dure, params, query: { expectedVersion }, by }) => {
      await dure.deleteTask(params.id!, { by, ...(expectedVersion !== undefined && { expectedVersion }) });
      return { deleted: params.id! };
    },
  }),
];

/** @throws DureError of the first that was refused, with its `index` and the ids of those that are `stored`, null for the others */
async function allStored(asked: readonly Promise<Task>[]): Promise<Task[]> {
  const ends = await Promise.allSettled(asked);
  const index = ends.findIndex(({ status }) => status === "rejected");
  if (index < 0) return Promise.all(asked);
  const { reason } = ends[index] as PromiseRejectedResult;
  if (!(reason instanceof DureError)) throw reason;
  const stored = ends.map((end) => (end.status === "fulfilled" ? end.value.id : null));
  const details = { ...reason.details, index, stored };
  throw new DureError(reason.code, `tasks[${index}]: ${reason.message}`, { details, cause: reason });
}

async function attributesOf(dure: Dure, tasks: readonly Task[]): Promise<Map<string, Attributes>> {
  const store = await dure.instance.store();
  return new Map(await store.readAttributes(tasks.map(({ id }) => id)));
}

/** Whoever retries an action needs the role that it took to start it. */
async function needForAction(dure: Dure, id: string, need: Call["need"]): Promise<void> {
  const task = await dure.getTaskById(id);
  if (task?.type === actionType && task.payload?.action === "delete") need("admin");
}

async function existing({ dure, params }: Call): Promise<Task> {
  const id = params.id!;
  const task = await dure.getTaskById(id);
  if (task) return task;
  const near = await findNearIdsIn(await dure.instance.store(), id);
  throw new DureError("TASK_NOT_FOUND", `There is no task "${id}".${didYouMean(id, near)}`, {
    details: { id, near },
  });
}
