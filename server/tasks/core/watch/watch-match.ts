/** Whether a task that has changed is in a search, by what is known of it; and whether it may have been before. */
import type { Condition, TaskField } from "../filters/condition.ts";
import { meets, type Subject } from "../filters/meets.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import type { Task } from "../task.ts";
import { searchableText } from "../values/searchable-text.ts";

/** Attempts of so many tasks are read side by side. */
const readsAtOnce = 20;

export type WatchedSearch = Pick<
  StoreSearch,
  "id" | "types" | "statuses" | "queues" | "created" | "updated" | "where"
>;

/** The ids of those tasks that are in the search, each as it is given. Attributes and attempts are asked of the store. */
export async function matching(
  store: TaskStore,
  search: WatchedSearch,
  tasks: readonly Task[],
): Promise<Set<string>> {
  const { where } = search;
  const fitting = tasks.filter((task) => fitsLasting(search, task) && fitsPassing(search, task));
  if (!where || fitting.length === 0) return idsOf(fitting);
  const subjects = await subjectsOf(store, where, fitting);
  return idsOf(subjects.filter((subject) => meets(where, subject)).map(({ task }) => task));
}

async function subjectsOf(store: TaskStore, where: Condition, tasks: readonly Task[]): Promise<Subject[]> {
  const wantsAttributes = asks(where, (part) => "field" in part && part.field.of === "attribute");
  const wantsTexts = asks(where, ({ kind }) => kind === "text");
  const attributes = new Map(wantsAttributes ? await store.readAttributes(tasks.map(({ id }) => id)) : []);
  const texts = new Map(wantsTexts ? await textsOf(store, tasks) : []);
  return tasks.map((task) => {
    const own = attributes.get(task.id);
    const text = texts.get(task.id);
    return { task, ...(own && { attributes: own }), ...(text !== undefined && { text }) };
  });
}

/** With the errors and logs of their attempts, as the index of texts will have them; of tasks that have had any. */
async function textsOf(store: TaskStore, tasks: readonly Task[]): Promise<[id: string, text: string][]> {
  const begun = tasks.filter(({ startedAt }) => startedAt !== undefined);
  const texts: [string, string][] = [];
  for (let start = 0; start < begun.length; start += readsAtOnce) {
    const some = begun.slice(start, start + readsAtOnce);
    const attempts = await Promise.all(some.map(({ id }) => store.listAttempts(id)));
    texts.push(
      ...some.map((task, index): [string, string] => [task.id, searchableText(task, attempts[index]!)]),
    );
  }
  return texts;
}

/** False when nothing that happens to a task can have taken it out of the search: it never was in it. */
export function mayHaveMatched({ where, ...search }: WatchedSearch, task: Task): boolean {
  return fitsLasting(search, task) && task.version !== 1 && (!where || judge(where, task) !== false);
}

function idsOf(tasks: readonly Task[]): Set<string> {
  return new Set(tasks.map(({ id }) => id));
}

function fitsLasting({ id, types, queues, created }: WatchedSearch, task: Task): boolean {
  return (
    (id === undefined || task.id === id) &&
    (!types || types.includes(task.type)) &&
    (!queues || queues.includes(task.queue!)) &&
    within(created, task.createdAt.getTime())
  );
}

function fitsPassing({ statuses, updated }: WatchedSearch, task: Task): boolean {
  return (!statuses || statuses.includes(task.status)) && within(updated, task.updatedAt.getTime());
}

function within(range: { start?: number; end?: number } | undefined, at: number): boolean {
  return (range?.start === undefined || at >= range.start) && (range?.end === undefined || at < range.end);
}

const lasting: ReadonlySet<TaskField> = new Set([
  "id",
  "type",
  "queue",
  "createdAt",
  "maxAttempts",
  "tag",
  "idempotencyKey",
  "description",
]);

/** Undefined where it may have been otherwise once. */
function judge(condition: Condition, task: Task): boolean | undefined {
  switch (condition.kind) {
    case "and":
    case "or": {
      const decides = condition.kind === "or";
      const parts = condition.parts.map((part) => judge(part, task));
      return parts.includes(decides) ? decides : parts.includes(undefined) ? undefined : !decides;
    }
    case "not": {
      const part = judge(condition.part, task);
      return part === undefined ? undefined : !part;
    }
    case "text":
      return undefined;
    default: {
      const { field } = condition;
      const stays = field.of === "payload" || (field.of === "task" && lasting.has(field.name));
      return stays ? meets(condition, { task }) : undefined;
    }
  }
}

function asks(condition: Condition, is: (part: Condition) => boolean): boolean {
  if (condition.kind === "not") return asks(condition.part, is);
  if (condition.kind === "and" || condition.kind === "or")
    return condition.parts.some((part) => asks(part, is));
  return is(condition);
}
