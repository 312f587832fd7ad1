/** `definition.enqueueMany`: many tasks in one transaction, taken up in parts. */
import { byOf } from "./audit.ts";
import {
  callRules,
  checkEnqueueOptions,
  checkedPayload,
  dated,
  type EnqueueItem,
  type EnqueueOptions,
  enqueueRules,
  newTask,
  storeFor,
  taskOf,
  type Undated,
} from "./enqueue.ts";
import { DureError } from "./errors.ts";
import type { Instance } from "./instance.ts";
import { checkOptions } from "./options.ts";
import type { Origin } from "./origin.ts";
import type { RegisteredDefinition } from "./registry.ts";
import type { NewTask, TaskStore } from "./store.ts";
import type { Task } from "./task.ts";
import { showValue } from "./values/show.ts";
import { committed } from "./written.ts";

/** Tasks are handed to the store in parts of this many, so that no part holds the event loop for long. */
const partSize = 1_000;
const itemRules = { ...enqueueRules, payload: () => undefined };

/** `definition.enqueueMany`. */
export async function enqueueManyOf(
  instance: Instance,
  definition: RegisteredDefinition,
  items: Iterable<EnqueueItem>,
  options: Pick<EnqueueOptions, "tx" | "by"> = {},
): Promise<Task[]> {
  const origin = instance.origin();
  checkOptions(`enqueueMany of "${definition.id}"`, options, callRules);
  const { tx } = options;
  const by = options.by === undefined ? undefined : byOf(instance, options.by);
  if (typeof items?.[Symbol.iterator] !== "function") {
    throw new DureError(
      "INVALID_OPTION",
      `enqueueMany of "${definition.id}" takes a list of { payload, …options }.`,
    );
  }
  const tasks: Task[] = [];
  const opening = storeFor(instance, tx);
  // A list may be emptied and filled again by its owner while this waits.
  const given = Array.isArray(items) ? items.slice() : items;
  const coming = begun(parts({ instance, definition, items: given, tasks, origin, opening }));
  const store = await opening;
  const existing = committed(await store.enqueueTasks(coming, tx, by), store);
  for (let index = 0; index < tasks.length; index++) tasks[index] = existing[index] ?? tasks[index]!;
  return tasks;
}

/**
 * The items as tasks, in parts, of which the first is taken up before the store is open. A bad one ends the call, and those
 * before it are not counted as the handler's either.
 */
async function* parts({
  instance,
  definition,
  items,
  tasks,
  origin,
  opening,
}: {
  instance: Instance;
  definition: RegisteredDefinition;
  items: Iterable<EnqueueItem>;
  tasks: Task[];
  origin: Origin | undefined;
  opening: Promise<TaskStore>;
}): AsyncGenerator<readonly NewTask[], undefined> {
  const datedPart = (undated: readonly Undated[]): NewTask[] =>
    undated.map((one) => {
      const task = dated(instance, one);
      tasks.push(taskOf(task, one.payload, definition));
      return task;
    });
  let part: Undated[] = [];
  let index = 0;
  for (const item of items) {
    try {
      checkItem(item);
      checkEnqueueOptions(`enqueueMany of "${definition.id}"`, item, itemRules);
      const accepted = definition.schema
        ? checkedPayload(definition, item.payload)
        : { payload: item.payload };
      const { payload } = accepted instanceof Promise ? await accepted : accepted;
      part.push(newTask(instance, definition, payload, item, origin));
    } catch (error) {
      if (origin) origin.children -= index;
      throw atIndex(error, index);
    }
    index += 1;
    if (part.length === partSize) {
      await opening;
      yield datedPart(part);
      part = [];
      await instance.clock.sleep(0);
    }
  }
  await opening;
  if (part.length > 0) yield datedPart(part);
  return undefined;
}

/** The first is worked on from now, whenever it is asked for. */
function begun<Part>(parts: AsyncGenerator<Part, undefined>): AsyncIterable<Part> {
  const first = parts.next();
  // Its error is for whoever asks for it.
  first.catch(() => undefined);
  return {
    async *[Symbol.asyncIterator]() {
      const { done, value } = await first;
      if (done) return;
      yield value;
      yield* parts;
    },
  };
}

function checkItem(item: unknown): void {
  if (typeof item === "object" && item !== null) return;
  throw new DureError("INVALID_OPTION", `It is ${showValue(item)}; each item is { payload, …options }.`);
}

function atIndex(error: unknown, index: number): unknown {
  if (!(error instanceof DureError)) return error;
  return new DureError(error.code, `Item ${index}: ${error.message} Nothing was enqueued.`, {
    details: { ...error.details, index },
    cause: error,
  });
}
