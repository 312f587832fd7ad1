/**
 * What is asked of the type alone, the queue alone or the status alone is a filter by those that meet it, as soon as it is known
 * which there are: indexes and kept counts serve such filters, and conditions they do not.
 */
import { statuses } from "../lifecycle.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import type { Task } from "../task.ts";
import type { Condition } from "./condition.ts";
import { meets } from "./meets.ts";

type Kind = "type" | "queue" | "status";

/** The same search; of a store that changes meanwhile, as it is now. */
export async function narrowed(store: TaskStore, search: StoreSearch): Promise<StoreSearch> {
  const parts = search.where?.kind === "and" ? search.where.parts : search.where ? [search.where] : [];
  const of = (kind: Kind) => parts.filter((part) => kindAskedBy(part) === kind);
  const [ofType, ofQueue, ofStatus] = [of("type"), of("queue"), of("status")];
  const rest = parts.filter((part) => kindAskedBy(part) === undefined);
  if (rest.length === parts.length) return search;
  const { where: _where, ...filters } = search;
  const there = ofType.length + ofQueue.length > 0 ? await kindsIn(store, search) : undefined;
  return {
    ...filters,
    ...(ofType.length > 0 && { types: meeting(ofType, "type", search.types ?? there!.types) }),
    ...(ofQueue.length > 0 && { queues: meeting(ofQueue, "queue", search.queues ?? there!.queues) }),
    ...(ofStatus.length > 0 && {
      statuses: meeting(ofStatus, "status", search.statuses ?? statuses),
    }),
    ...(rest.length > 0 && { where: rest.length === 1 ? rest[0]! : { kind: "and", parts: rest } }),
  };
}

/** Undefined where it asks for anything else. */
function kindAskedBy(part: Condition): Kind | undefined {
  if (part.kind === "not") return kindAskedBy(part.part);
  if ("parts" in part) {
    const [first, ...others] = part.parts.map(kindAskedBy);
    return others.every((kind) => kind === first) ? first : undefined;
  }
  if (!("field" in part) || part.field.of !== "task") return undefined;
  const { name } = part.field;
  return name === "type" || name === "queue" || name === "status" ? name : undefined;
}

function meeting<Name extends string>(
  parts: readonly Condition[],
  kind: Kind,
  names: readonly Name[],
): Name[] {
  return names.filter((name) =>
    parts.every((part) => meets(part, { task: { [kind]: name } as Partial<Task> as Task })),
  );
}

/** Of tasks, and of definitions without any where these are listed. */
async function kindsIn(
  store: TaskStore,
  { definitions }: StoreSearch,
): Promise<{ types: string[]; queues: string[] }> {
  const all: StoreSearch = {
    ...{ sortBy: "createdAt", descending: true, limit: 0, offset: 0, definitions: false },
  };
  const [{ groups }, defined] = await Promise.all([
    store.summarizeTasks(all, undefined, ["type", "queue"]),
    definitions ? store.listDefinitions() : [],
  ]);
  const types = [...groups.map(({ type }) => type!), ...defined.map(({ id }) => id)];
  const queues = [...groups.map(({ queue }) => queue!), ...defined.map(({ queue }) => queue)];
  return { types: [...new Set(types)], queues: [...new Set(queues)] };
}
