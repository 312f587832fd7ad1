/** What the value of an option or argument may be: fixed words, names and ids from the database, or files. */
import type { Dure } from "../dure.ts";
import { roleKinds } from "../dure-grants.ts";
import { TaskStatus, type TaskStatusName } from "../tasks/core/task.ts";
import { shells } from "./completion-scripts.ts";

/** A word that may stand there. */
export interface Offer {
  text: string;
  detail?: string;
  /** Whether more of the same word follows: `--text=`, `userId=`. */
  open?: boolean;
}

export type Source = { kind: "words"; words: readonly string[]; list?: true } | { kind: "files" } | Read;

/** Read from the database; `list` where values are separated by commas. */
interface Read {
  kind: "read";
  read(dure: Dure, begun: string): Promise<Offer[]>;
  list?: true;
}

const idsMax = 30;
const ended = [TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED] as const;
const files: Source = { kind: "files" };
const words = (all: readonly string[]): Source => ({ kind: "words", words: all });
const statuses = Object.values(TaskStatus).map((status) => status.toLowerCase());

const types: Read = { kind: "read", list: true, read: async (dure) => named(await typesOf(dure)) };
const oneType: Read = { kind: "read", read: types.read };
const queues: Read = {
  kind: "read",
  list: true,
  read: async (dure) => named((await dure.stats()).byType.map(({ queue }) => queue)),
};

/** By the long flag of an option, or the name of an argument; `command name` before one that holds for it alone. */
const sources: Readonly<Record<string, Source>> = {
  "--type": types,
  "--status": { kind: "words", words: statuses, list: true },
  "--queue": queues,
  "--queues": queues,
  "--id": ids(),
  "--query": { kind: "read", read: queryOffers },
  "--attribute": { kind: "read", read: attributeOffers },
  "--by": words("status type queue minute hour day".split(" ")),
  "--sort-by": words("createdAt updatedAt startedAt completedAt dueAt duration priority id".split(" ")),
  "--sort-order": words(["asc", "desc"]),
  "--bucket": words(["minute", "hour", "day"]),
  "--as": words(roleKinds),
  "--host": words(["127.0.0.1", "::1"]),
  ...Object.fromEntries(["--database", "--dir", "--watch", "--to", "--from"].map((name) => [name, files])),
  "enqueue type": oneType,
  "search query": { kind: "read", read: queryOffers },
  "searches action": words(["list", "save", "delete"]),
  "searches name": {
    kind: "read",
    read: async (dure) =>
      (await dure.listSearches()).map(({ name, query }) => ({ text: name, detail: query })),
  },
  "searches query": { kind: "read", read: queryOffers },
  "--enqueue": oneType,
  "--recovered": oneType,
  "tail query": { kind: "read", read: queryOffers },
  "pause --type": oneType,
  "resume --type": { kind: "read", read: async (dure) => named(await pausedOf(dure, "type")) },
  "resume --queue": { kind: "read", read: async (dure) => named(await pausedOf(dure, "queue")) },
  "show id": ids(),
  "edit ids": ids([TaskStatus.PENDING]),
  "cancel ids": ids([TaskStatus.PENDING, TaskStatus.RUNNING]),
  "retry ids": ids([TaskStatus.FAILED, TaskStatus.CANCELLED]),
  "delete ids": ids(ended),
  "worker modules": files,
  "run file": files,
  "completion shell": words(shells),
};

/** @param name a flag such as `--type`, or an argument's name */
export function sourceOf(command: string, name: string): Source | undefined {
  return sources[`${command} ${name}`] ?? sources[name];
}

function ids(status?: readonly TaskStatusName[]): Read {
  return {
    kind: "read",
    async read(dure, begun) {
      const found = await dure.searchTasks({
        ...(begun !== "" && { id: { prefix: begun } }),
        ...(status && { status: [...status] }),
        definitions: false,
        limit: idsMax,
        budget: "200ms",
      });
      return found.map((task) => ({ text: task.id, detail: `${task.status} ${task.type}` }));
    },
  };
}

async function pausedOf(dure: Dure, kind: "type" | "queue"): Promise<string[]> {
  return (await dure.listPauses()).flatMap(({ [kind]: name }) => name ?? []);
}

async function typesOf(dure: Dure): Promise<string[]> {
  const [definitions, { byType }] = await Promise.all([dure.listDefinitions(), dure.stats()]);
  return [...definitions.map(({ id }) => id), ...byType.map(({ type }) => type)];
}

async function attributeOffers(dure: Dure): Promise<Offer[]> {
  const definitions = await dure.listDefinitions();
  return named(definitions.flatMap(({ attributes = [] }) => [...attributes])).map(({ text }) => ({
    text: `${text}=`,
    open: true,
  }));
}

/** The last word of a query, completed as the dashboard does. */
async function queryOffers(dure: Dure, begun: string): Promise<Offer[]> {
  const { from, items } = await dure.completeQuery(begun);
  return items.map(({ text, detail }) => ({ text: begun.slice(0, from) + text, detail }));
}

function named(names: readonly string[]): Offer[] {
  return [...new Set(names)].sort().map((text) => ({ text }));
}
