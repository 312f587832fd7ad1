import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { type CrashDatabase, crashDatabases } from "../support/crash-databases.ts";
import { ledgerNow } from "../support/crash-ledger.ts";
import { CrashWorld, type WorkerProcess } from "../support/crash-world.ts";

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 60_000);

describe.each(crashDatabases)("on $name", ({ name, make }) => {
  let database: CrashDatabase;
  let world: CrashWorld;

  beforeEach(async () => {
    database = await make();
    world = new CrashWorld(undefined, database.database);
  });
  afterEach(async () => {
    await world.remove();
    await database.remove();
  });

  const roomy = { worker: { concurrency: 15 } };

  test("the tasks of a killed worker run again within 20 seconds by default", async () => {
    const workers = await Promise.all([world.start(roomy), world.start(roomy)]);
    const tasks = await world.enqueueAll(Array.from({ length: 20 }, () => ({ does: "never", calmFrom: 2 })));
    for (const { id } of tasks) await world.started(id);
    // The other one has slots left for what it takes over.
    const startsOf = ({ pid }: WorkerProcess) => world.ledger.starts().filter((start) => start.pid === pid);
    const [dying, other] = workers.toSorted((a, b) => startsOf(b).length - startsOf(a).length);
    const killedAt = ledgerNow();
    dying!.kill();
    const lost = startsOf(dying!);
    for (const { taskId } of lost)
      await world.until("a second start", () => world.ledger.starts(taskId).length === 2, 25_000);
    const tookMs = lost.map(({ taskId }) => world.ledger.starts(taskId)[1]!.at - killedAt);
    console.log(
      `${name}: the tasks of a killed worker ran again after ${Math.round(Math.max(...tookMs))} ms`,
    );
    expect(Math.max(...tookMs)).toBeLessThanOrEqual(20_000);
    expect(world.ledger.starts(lost[0]!.taskId)[1]!.pid).toBe(other!.pid);
  });

  test("the lease is kept while the handlers of a worker that stops finish, and nobody takes their tasks", async () => {
    const settings = { worker: { lease: "1s", stopGrace: "30s" } };
    const stopping = await world.start(settings);
    const tasks = await world.enqueueAll(Array.from({ length: 4 }, () => ({ does: "wait", ms: 4_000 })));
    for (const { id } of tasks) await world.started(id);
    stopping.stop();
    // It judges by what it sees itself, so it has to be there for longer than a lease.
    await world.start(settings);
    expect((await stopping.ended).code).toBe(0);
    for (const { id } of tasks) expect(await world.outcomes(id)).toEqual(["completed"]);
    expect(world.ledger.starts()).toHaveLength(4);
    await world.check();
  });
});
