/** What defineTask does: checks the options once, registers the definition, and gives it its verbs. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { attributesRule, registerAttributes } from "./attributes.ts";
import { resolveBackoff } from "./backoff.ts";
import { parseDuration } from "./duration.ts";
import { enqueueOf, runOf } from "./enqueue.ts";
import { enqueueManyOf } from "./enqueue-many.ts";
import { DureError } from "./errors.ts";
import { countTasksIn, searchTaskPageIn, searchTasksIn } from "./find.ts";
import type { Instance } from "./instance.ts";
import { checkDefinitionId, checkQueue, checkTag } from "./names.ts";
import {
  booleanRule,
  checkOptions,
  checkPlain,
  durationRule,
  integerBetween,
  listOf,
  problemOf,
  stringUpTo,
} from "./options.ts";
import type { RegisteredDefinition } from "./registry.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { TaskDefinition, TaskHandler, TaskOptions } from "./task.ts";

/** `setTimeout` and the abort machinery are exact up to here; a longer attempt wants `'none'`. */
const timeoutMsMax = 365 * 24 * 3_600_000;

const defaults = {
  queue: "default",
  priority: 0,
  maxAttempts: 1,
  timeoutMs: 5 * 60_000,
  abortGraceMs: 5_000,
} as const;

/**
 * Registers a definition with the instance. `caller` is the function whose caller is named in messages.
 * @throws DureError as `defineTask`
 */
export function define(
  instance: Instance,
  id: string,
  handler: TaskHandler,
  options: TaskOptions | undefined,
  caller: (...args: any[]) => unknown,
): TaskDefinition {
  checkDefinitionId(id);
  if (typeof handler !== "function") {
    throw new DureError(
      "INVALID_OPTION",
      `defineTask("${id}", handler): the handler is ${handler === null ? "null" : typeof handler}; ` +
        `expected a function such as async (task, context) => result.`,
      { details: { id } },
    );
  }
  const registered = register(id, handler, checkTaskOptions(id, options), callSite(caller));
  instance.registry.add(registered, options?.replace ?? false);
  return definitionOf(instance, registered);
}

/** The public face of a registered definition. */
export function definitionOf(instance: Instance, registered: RegisteredDefinition): TaskDefinition {
  const { id, description, maxAttempts, queue, priority } = registered;
  return Object.freeze({
    id,
    ...(description === undefined ? {} : { description }),
    maxAttempts,
    queue,
    priority,
    enqueue: (payload, enqueueOptions) => enqueueOf(instance, registered, payload, enqueueOptions),
    enqueueMany: (items, manyOptions) => enqueueManyOf(instance, registered, items, manyOptions),
    run: (payload, runOptions) => runOf(instance, registered, payload, runOptions),
    search: async (searchOptions) => searchTasksIn(instance, ofType(id, "search", searchOptions)),
    searchPage: async (searchOptions) => searchTaskPageIn(instance, ofType(id, "searchPage", searchOptions)),
    count: async (searchOptions) => countTasksIn(instance, ofType(id, "count", searchOptions)),
  } satisfies TaskDefinition);
}

function ofType(type: string, what: string, options: TaskSearchOptions | undefined): TaskSearchOptions {
  checkPlain(`${what} of "${type}"`, options);
  return { ...options, type };
}

function checkTaskOptions(id: string, options: TaskOptions | undefined): TaskOptions {
  if (options === undefined) return {};
  checkOptions(`defineTask("${id}", …, options)`, options, {
    description: stringUpTo(1_000),
    maxAttempts: integerBetween(1, 1_000),
    backoff: (value) =>
      typeof value === "function" ? undefined : problemOf(() => resolveBackoff(value as object)),
    timeout: durationRule({ minMs: 1, maxMs: timeoutMsMax, also: ["none"] }),
    abortGrace: durationRule({ minMs: 0, maxMs: 3_600_000 }),
    queue: (value) => problemOf(() => checkQueue(value as string)),
    priority: integerBetween(-1_000, 1_000),
    tags: listOf((value) => problemOf(() => checkTag(value as string)), 20),
    rerunAfterCrash: booleanRule,
    payload: schemaRule,
    attributes: attributesRule,
    replace: booleanRule,
  });
  return options;
}

function schemaRule(value: unknown, name: string): string | undefined {
  const standard = (value as StandardSchemaV1 | null)?.["~standard"];
  if (typeof standard?.validate === "function") return undefined;
  return `${name} is not a Standard Schema; expected one made by zod, valibot, arktype or another library that implements it`;
}

function register(
  id: string,
  handler: TaskHandler,
  options: TaskOptions,
  definedAt: string,
): RegisteredDefinition {
  return {
    id,
    handler,
    description: options.description,
    maxAttempts: options.maxAttempts ?? defaults.maxAttempts,
    backoff: options.backoff,
    timeoutMs: timeoutMsOf(options.timeout),
    abortGraceMs:
      options.abortGrace === undefined
        ? defaults.abortGraceMs
        : parseDuration(options.abortGrace, "abortGrace"),
    queue: options.queue ?? defaults.queue,
    priority: options.priority ?? defaults.priority,
    tags: options.tags ?? [],
    rerunAfterCrash: options.rerunAfterCrash ?? true,
    schema: options.payload,
    attributes: registerAttributes(options.attributes),
    definedAt,
  };
}

function timeoutMsOf(timeout: TaskOptions["timeout"]): number | null {
  if (timeout === undefined) return defaults.timeoutMs;
  return timeout === "none" ? null : parseDuration(timeout, "timeout");
}

/** `file:line:column` of the place that called `caller`. */
function callSite(caller: (...args: any[]) => unknown): string {
  const trace: { stack?: string } = {};
  Error.captureStackTrace(trace, caller);
  const frame = trace.stack?.split("\n")[1]?.trim().replace(/^at /, "");
  return frame?.match(/\((.*)\)$/)?.[1] ?? frame ?? "an unknown place";
}
