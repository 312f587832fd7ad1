/**
 * What is asked of the type alone, the queue alone or the status alone is a filter by those that meet it, as soon as it is known
 * which there are: indexes and kept counts serve such filters, and conditions they do not. A condition that asks for them beside others
 * leaves those out of which no task can meet it.
 */
import { statuses } from "../lifecycle.ts";
import type { StoreSearch, TaskStore } from "../store.ts";
import type { Task, TaskStatusName } from "../task.ts";
import type { Condition } from "./condition.ts";
import { asksForKinds, decided, isOfKinds, type Kinds } from "./decided.ts";
import { meets } from "./meets.ts";

type Kind = "type" | "queue" | "status";

/** The same search; of a store that changes meanwhile, as it is now. */
export async function narrowed(store: TaskStore, search: StoreSearch): Promise<StoreSearch> {
  const listed = await withLists(store, search);
  const { where, ...filters } = listed;
  if (!where || listed.id !== undefined) return listed;
  const isMet = decided(where, {});
  if (isMet !== undefined) return isMet ? filters : { ...filters, statuses: [] };
  return asksForKinds(where) ? withoutOthers(await groupsIn(store, listed), listed, where) : listed;
}

/**
 * How many tasks fit, as kept counts tell: where no more is asked of a task than its type, queue and status, and the instants of its
 * creation and latest change. Undefined elsewhere.
 */
export async function countByKinds(store: TaskStore, search: StoreSearch): Promise<number | undefined> {
  const { where, ...filters } = search;
  if (!where || search.id !== undefined || !isOfKinds(where)) return undefined;
  const { groups, cells } = await store.summarizeTasks(filters, undefined, ["type", "queue", "status"]);
  let count = 0;
  for (let at = 0; at < cells.length; at += 3)
    if (decided(where, groups[cells[at]!]!)) count += cells[at + 2]!;
  return count;
}

async function withLists(store: TaskStore, search: StoreSearch): Promise<StoreSearch> {
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

/** Kinds of which no task can meet the condition are left out, as far as lists of types, queues and statuses tell them from others. */
function withoutOthers(
  groups: readonly Required<Kinds>[],
  search: StoreSearch,
  where: Condition,
): StoreSearch {
  const may = groups.filter((kinds) => decided(where, kinds) !== false);
  if (may.length === groups.length) return search;
  const { where: _where, ...filters } = search;
  if (may.length === 0) return { ...filters, statuses: [] };
  const [types, queues, statuses] = namesOf(may);
  const [allTypes, allQueues, allStatuses] = namesOf(groups);
  return {
    ...search,
    ...(types.length < allTypes.length && { types }),
    ...(queues.length < allQueues.length && { queues }),
    ...(statuses.length < allStatuses.length && { statuses }),
  };
}

function namesOf(
  groups: readonly Required<Kinds>[],
): [types: string[], queues: string[], statuses: TaskStatusName[]] {
  return [
    [...new Set(groups.map(({ type }) => type))],
    [...new Set(groups.map(({ queue }) => queue))],
    [...new Set(groups.map(({ status }) => status))],
  ];
}

/** Of tasks, and of definitions without any where these are listed. */
async function kindsIn(
  store: TaskStore,
  search: StoreSearch,
): Promise<{ types: string[]; queues: string[] }> {
  const { definitions } = search;
  const [types, queues] = namesOf(await groupsIn(store, { ...everything, definitions }));
  return { types, queues };
}

const everything = { sortBy: "createdAt", descending: true, limit: 0, offset: 0 } as const satisfies Omit<
  StoreSearch,
  "definitions"
>;

/** Those that pass the lists of the search. */
async function groupsIn(
  store: TaskStore,
  { types, queues, statuses, definitions }: StoreSearch,
): Promise<Required<Kinds>[]> {
  const asked = { ...(types && { types }), ...(queues && { queues }), ...(statuses && { statuses }) };
  const [{ groups }, defined] = await Promise.all([
    store.summarizeTasks({ ...everything, ...asked, definitions: false }, undefined, [
      "type",
      "queue",
      "status",
    ]),
    definitions ? store.listDefinitions() : [],
  ]);
  const entries = defined
    .map(({ id, queue }): Required<Kinds> => ({ type: id, queue, status: "PENDING" }))
    .filter(
      ({ type, queue, status }) =>
        (types?.includes(type) ?? true) &&
        (queues?.includes(queue) ?? true) &&
        (statuses?.includes(status) ?? true),
    );
  return [...(groups as Required<Kinds>[]), ...entries];
}
