/** What handlers of the crash tests do: each is told by its payload, and some of them behave only on later claims. */
import type { EnqueueOptions, Task, TaskContext } from "dure";
import { endThreads } from "../support/store-threads.ts";
import { oddResult, oddThrow } from "./odd-values.ts";

/** The payload of every task of the crash tests. */
export interface Deed {
  does: keyof typeof deeds;
  /** How long it takes or blocks. */
  ms?: number;
  /** Which odd value it throws or returns. */
  what?: string;
  /** How many tasks it waits to be running beside it, or enqueues. */
  count?: number;
  /** From this claim on it only returns. */
  calmFrom?: number;
}

/** What a handler is given beside its task and context. */
export interface DeedWorld {
  /** Handlers of this process that have started and not ended. */
  running(): number;
  record(event: string, taskId: string, fence: number): void;
  enqueue(payload: Deed, options?: EnqueueOptions): Promise<Task>;
}

type Act = (deed: Deed, task: Task, context: TaskContext, world: DeedWorld) => unknown;

/** By name. */
export const deeds = {
  nothing: () => "done",
  wait: ({ ms = 0 }) => sleep(ms),
  never: () => new Promise(() => {}),
  block: ({ ms = Number.POSITIVE_INFINITY }) => block(ms),
  fail: () => {
    throw new Error("as told");
  },

  /** Goes on until its signal aborts, then returns. */
  heed: (_deed, task, context, world) =>
    untilAborted(context, (kind) => world.record(`aborted ${kind}`, task.id, context.fence)),
  /** Goes on until its signal aborts, then throws the reason. */
  obey: async (_deed, task, context, world) => {
    await untilAborted(context, (kind) => world.record(`aborted ${kind}`, task.id, context.fence));
    throw context.signal.reason;
  },

  /** On its first claim it waits for company. */
  "abort-process": async ({ count = 0 }, _task, { fence }, world) => {
    while (fence === 1 && world.running() < count) await sleep(5);
    process.abort();
  },
  /** Takes memory until there is none. On its first claim it waits for company. */
  hoard: async ({ count = 0 }, _task, { fence }, world) => {
    while (fence === 1 && world.running() < count) await sleep(5);
    const hoard: unknown[] = [];
    for (;;) {
      hoard.push(Array.from({ length: 100_000 }, (_, n) => ({ n })));
      await sleep(0);
    }
  },
  "exit-process": () => process.exit(0),
  /** All that this process's store has. */
  "end-threads": () => endThreads(),

  "stray-rejection": async ({ ms = 0 }) => {
    void Promise.reject(new Error("nobody awaits me"));
    await sleep(ms);
  },
  "stray-timer": async ({ ms = 0 }) => {
    setTimeout(() => {
      throw new Error("nobody catches me");
    }, ms / 2);
    await sleep(ms);
  },
  "late-timer": async ({ ms = 0 }) => {
    setTimeout(() => {
      throw new Error("after the end");
    }, ms);
  },

  /** Changes its payload and fails; returns when it is given the changed one. */
  spoil: (deed) => {
    if (deed.what === "spoiled") return "spoiled";
    deed.what = "spoiled";
    throw new Error("as told");
  },

  throw: ({ what = "" }) => {
    throw oddThrow(what);
  },
  return: ({ what = "" }) => oddResult(what),

  /** Enqueues others, and puts on record which of them were acknowledged. */
  spread: async ({ ms = 0, count = 1 }, _task, _context, world) => {
    await sleep(ms);
    for (let made = 0; made < count; made += 1) {
      const { id } = await world.enqueue({ does: "wait", ms });
      world.record("acknowledged", id, 0);
    }
  },
  /** Enqueues so many, 500 at once, under ids that are the same on every claim. */
  "fan-out": async ({ count = 1 }, task, _context, world) => {
    for (let from = 0; from < count; from += 500) {
      const children = Array.from(
        { length: Math.min(500, count - from) },
        (_, n) => `${task.id}.${from + n}`,
      );
      await Promise.all(children.map((id) => world.enqueue({ does: "nothing" }, { id })));
    }
    return count;
  },
  /** Enqueues the next link of a chain of so many. */
  chain: async ({ count = 0, ms = 0 }, _task, _context, world) => {
    await sleep(ms);
    if (count > 1) await world.enqueue({ does: "chain", ms, count: count - 1 }, { id: `link-${count - 1}` });
    return count;
  },
} satisfies Record<string, Act>;

/** Does what the payload says. */
export async function act(deed: Deed, task: Task, context: TaskContext, world: DeedWorld): Promise<unknown> {
  if (deed.calmFrom !== undefined && context.fence >= deed.calmFrom) return "calm";
  return (deeds[deed.does] as Act)(deed, task, context, world);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function untilAborted(context: TaskContext, aborted: (kind: string) => void): Promise<void> {
  return new Promise((resolve) => {
    // The timer keeps the process alive as any real work would.
    const work = setInterval(() => {}, 60_000);
    context.signal.addEventListener("abort", () => {
      clearInterval(work);
      aborted(context.signal.reason.kind);
      resolve();
    });
  });
}
