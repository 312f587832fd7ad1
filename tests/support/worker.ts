/** A worker service on a fake store and a test clock, with one definition. */
import { createIds } from "../../server/tasks/core/ids.ts";
import type { RegisteredDefinition } from "../../server/tasks/core/registry.ts";
import { Registry } from "../../server/tasks/core/registry.ts";
import type { TaskHandler } from "../../server/tasks/core/task.ts";
import type { Indexer } from "../../server/tasks/runtime/indexer.ts";
import { WorkerService } from "../../server/tasks/runtime/worker-service.ts";
import { FakeStore } from "./fake-store.ts";
import { TestClock } from "./test-clock.ts";

export interface TestWorkerOptions extends Partial<Omit<RegisteredDefinition, "handler">> {
  concurrency?: number;
  stopGraceMs?: number;
  indexer?: Indexer;
}

export interface TestWorker {
  store: FakeStore;
  clock: TestClock;
  registry: Registry;
  service: WorkerService;
  logged: string[];
  unhealthy: string[];
  ended: string[];
}

/** The definition is `resize-image`: one attempt, no timeout, 5 s of grace after an abort, unless told otherwise. */
export function makeTestWorker(handler: TaskHandler, options: TestWorkerOptions = {}): TestWorker {
  const { concurrency = 10, stopGraceMs = 30_000, indexer, ...definition } = options;
  const store = new FakeStore();
  const clock = new TestClock();
  const registry = new Registry();
  registry.add(makeDefinition("resize-image", handler, definition), false);
  const logged: string[] = [];
  const unhealthy: string[] = [];
  const ended: string[] = [];
  const log = (message: string) => void logged.push(message);
  const service = new WorkerService({
    store: store.asStore(),
    registry,
    clock,
    ids: createIds(clock.now, (count) => Uint8Array.from({ length: count }, () => clock.random() * 256)),
    logger: { info: log, warn: log, error: log },
    pruner: undefined,
    ...(indexer && { indexer }),
    concurrency,
    queues: undefined,
    leaseMs: 15_000,
    stopGraceMs,
    name: "test",
    watchProcess: () => () => undefined,
    limits: { childrenMax: 10_000, depthMax: 100 },
    valueSizeMax: 1024 * 1024,
    historyMs: null,
    onEnded: (taskId) => ended.push(taskId),
    onUnhealthy: (reason) => unhealthy.push(reason),
    followClock: async () => undefined,
  });
  return { store, clock, registry, service, logged, unhealthy, ended };
}

export async function startTestWorker(
  handler: TaskHandler,
  options?: TestWorkerOptions,
): Promise<TestWorker> {
  const worker = makeTestWorker(handler, options);
  await worker.service.start();
  await worker.clock.advance(0);
  return worker;
}

export function makeDefinition(
  id: string,
  handler: TaskHandler,
  options: Partial<Omit<RegisteredDefinition, "handler">> = {},
): RegisteredDefinition {
  return {
    id,
    handler,
    description: undefined,
    maxAttempts: 1,
    backoff: undefined,
    timeoutMs: null,
    abortGraceMs: 5_000,
    queue: "default",
    priority: 0,
    tags: [],
    rerunAfterCrash: true,
    schema: undefined,
    attributes: [],
    definedAt: "here",
    ...options,
  };
}
