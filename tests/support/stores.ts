/** The stores that every contract test runs on, each opened anew for each test and looked through after it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect } from "vitest";
import type {
  ClaimedTask,
  ClaimRequest,
  HealthFinding,
  NewTask,
  Settled,
  Settlement,
  TaskStore,
  Written,
} from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { Connection } from "../../server/tasks/stores/sqlite/connection.ts";
import { checkHealth } from "../../server/tasks/stores/sqlite/health.ts";
import { createSqliteStore } from "../../server/tasks/stores/sqlite/store.ts";
import { newWorker, settlementOf } from "./builders.ts";
import { derivedFindingsOf, workerUrl } from "./postgres.ts";
import { takeTestSchema } from "./spare-schemas.ts";
import { TestClock } from "./test-clock.ts";

interface StoreKind {
  name: string;
  /** Whether two stores may share one database. */
  shared: boolean;
  /** Whether it holds a claim back while nothing is due; else every claim is answered at once. */
  holdsClaims: boolean;
  database(): Promise<StoreDatabase>;
}

interface StoreDatabase {
  connect(clock: TestClock): TaskStore;
  /** As a user who may change the schema, where stores have users. */
  connectOwner?(clock: TestClock): TaskStore;
  /** What is out of joint, where asking the store would start a thread for this alone, or ask the server for much else. */
  findings?(clock: TestClock): HealthFinding[] | Promise<HealthFinding[]>;
  remove(): Promise<void>;
}

const kinds: StoreKind[] = [
  {
    name: "SQLite in memory",
    shared: false,
    holdsClaims: true,
    database: async () => ({
      connect: (clock) => createSqliteStore({ path: ":memory:", clock }),
      remove: async () => undefined,
    }),
  },
  {
    name: "SQLite on disk",
    shared: true,
    holdsClaims: true,
    database: async () => {
      const folder = mkdtempSync(join(tmpdir(), "dure-contract-"));
      const path = join(folder, "tasks.db");
      return {
        connect: (clock) => createSqliteStore({ path, clock }),
        findings: (clock) => {
          const reader = new Connection({ path, durability: "full", role: "reader" });
          try {
            // One moment of the file: the writing thread may still be filling its index of attributes.
            return reader.snapshot(() => checkHealth(reader, { full: true }, clock.now()));
          } finally {
            reader.close();
          }
        },
        remove: async () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  },
  {
    name: "PostgreSQL",
    shared: true,
    holdsClaims: false,
    database: async () => {
      const { createPostgresStore } = await import("../../server/tasks/stores/postgres/store.ts");
      const schema = await takeTestSchema("granted");
      const own = workerUrl(schema.url);
      return {
        connect: (clock) => createPostgresStore({ url: own, clock }),
        connectOwner: (clock) => createPostgresStore({ url: schema.url, clock }),
        findings: () => derivedFindingsOf(schema),
        remove: () => schema.drop(),
      };
    },
  },
];

/** What a contract test works with. `worker-1` is alive and runs resize-image. */
export class World {
  clock = new TestClock();
  store!: TaskStore;
  /** Whether `connect` may open the same database once more, as another process would. */
  readonly shared: boolean;
  /** Whether a claim is held back while nothing is due. */
  readonly holdsClaims: boolean;
  readonly #kind: StoreKind;
  #database!: StoreDatabase;
  #others: TaskStore[] = [];
  #owner: TaskStore | undefined;

  constructor(kind: StoreKind) {
    this.#kind = kind;
    this.shared = kind.shared;
    this.holdsClaims = kind.holdsClaims;
  }

  async open(): Promise<void> {
    this.clock = new TestClock();
    this.#database = await this.#kind.database();
    this.store = this.#database.connect(this.clock);
    await this.store.open();
    await this.store.registerWorker(newWorker());
  }

  /** A second store on the same database. */
  async connect(): Promise<TaskStore> {
    const other = this.#database.connect(this.clock);
    this.#others.push(other);
    await other.open();
    return other;
  }

  /** The store for one who may do more than a worker: seal a database, to move what is in it. */
  async owner(): Promise<TaskStore> {
    if (!this.#database.connectOwner) return this.store;
    if (!this.#owner) {
      this.#owner = this.#database.connectOwner(this.clock);
      this.#others.push(this.#owner);
      await this.#owner.open();
    }
    return this.#owner;
  }

  /** Closes the store and opens a new one: on disk the same database, in memory an empty one. */
  async reopen(): Promise<void> {
    await this.store.close();
    this.store = this.#database.connect(this.clock);
    await this.store.open();
  }

  /** Nothing in the database is out of joint, whatever the test did to it. */
  async check(): Promise<void> {
    const findings =
      (await this.#database.findings?.(this.clock)) ?? (await this.store.checkHealth({ full: true }));
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
  }

  async close(): Promise<void> {
    await Promise.all([this.store, ...this.#others].map((store) => store.close()));
    this.#others = [];
    this.#owner = undefined;
    await this.#database.remove();
  }

  /** Enqueues tasks that must all be new. */
  async enqueue(...tasks: NewTask[]): Promise<void> {
    expect(ok(await this.store.enqueueTasks(tasks)).every((existing) => existing === null)).toBe(true);
  }

  /** Claims as worker-1 unless told otherwise. */
  async claim(request: Partial<ClaimRequest> = {}): Promise<ClaimedTask[]> {
    return ok(await this.store.claimTasks(claimRequest(request))).claimed;
  }

  /** Enqueues one task and claims it. */
  async running(task: NewTask, request: Partial<ClaimRequest> = {}): Promise<ClaimedTask> {
    await this.enqueue(task);
    const claimed = (await this.claim({ types: [task.type], ...request })).find(
      (found) => found.task.id === task.id,
    );
    expect(claimed, "the task is claimed").toBeDefined();
    return claimed!;
  }

  /** Settles one attempt. */
  async settle(
    claimed: ClaimedTask,
    outcome: Settlement["outcome"],
    facts: Partial<Settlement> = {},
  ): Promise<Settled> {
    return ok(await this.store.settleTasks([settlementOf(claimed, outcome, facts)]))[0]!;
  }

  async get(id: string): Promise<Task> {
    const task = await this.store.getTask(id);
    expect(task, `task ${id}`).toBeDefined();
    return task!;
  }

  /** Takes the tasks of a worker as the reaper would, by its renewals standing still. */
  async bury(workerId = "worker-1", crashBudget = 3) {
    const { renewals } = (await this.store.listWorkers()).find(({ id }) => id === workerId)!;
    return ok(
      await this.store.reapWorkers({
        suspects: [{ workerId, renewals }],
        crashBudget,
        cancelGraceMs: 60_000,
      }),
    );
  }
}

/** Runs a suite of rules on every store. */
export function onEachStore(verb: string, rules: (world: World) => void, on = kinds): void {
  describe.each(on)(`${verb} on $name`, (kind) => {
    const world = new World(kind);
    beforeEach(() => world.open());
    afterEach(async () => {
      try {
        await world.check();
      } finally {
        await world.close();
      }
    });
    rules(world);
  });
}

/** But for the one in memory, which reads by the same code as the one on disk: for searches, and for what takes long. */
export function onEachLastingStore(verb: string, rules: (world: World) => void): void {
  onEachStore(
    verb,
    rules,
    kinds.filter(({ shared }) => shared),
  );
}

export function claimRequest(request: Partial<ClaimRequest> = {}): ClaimRequest {
  return { workerId: "worker-1", types: ["resize-image"], limit: 10, suspect: false, ...request };
}

/** The value of a step that was done. */
export function ok<Value>(written: Written<Value, string>): Value {
  expect(written.kind, JSON.stringify(written)).toBe("ok");
  return (written as { kind: "ok"; value: Value }).value;
}

/** Why a step was refused. */
export function reasonOf(written: Written<unknown, string>): string | undefined {
  return written.kind === "rejected" ? written.reason : undefined;
}

export function detailsOf(written: Written<unknown, string>): Record<string, unknown> | undefined {
  return written.kind === "rejected" ? written.details : undefined;
}

/** A short real wait, for what happens on the store's own threads. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
