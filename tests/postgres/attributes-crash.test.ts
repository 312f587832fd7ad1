/** A process that dies right after it has stored a batch leaves a note of what the index of attributes lacks, and the next writes it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { Condition } from "../../server/tasks/core/filters/condition.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { endOthers, expectIndexed, othersTransaction, rowsOf } from "../support/attribute-behind.ts";
import { newSearch, newWorker } from "../support/builders.ts";
import { createTestSchema } from "../support/postgres.ts";
import { ok } from "../support/stores.ts";
import { TestClock } from "../support/test-clock.ts";

const ofUser: Condition = { kind: "equals", field: { of: "attribute", name: "userId" }, values: [7] };

test("killed before anything is written, nothing is missed, and another process writes it", async () => {
  const schema = await createTestSchema();
  const clock = new TestClock(Date.now() + 60_000);
  const store = createPostgresStore({ url: schema.url, clock });
  await store.open();
  try {
    const other = await othersTransaction(schema);
    await other.query("LOCK TABLE :schema.attributes IN SHARE MODE");
    const url = new URL(schema.url);
    url.searchParams.set("application_name", "dies");
    const program = join(import.meta.dirname, "attributes-program.ts");
    const child = spawn(process.execPath, [program, url.href, "3000"], {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    await once(child.stdout!, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    // The server may still carry out what a dead process had sent.
    const ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dies'";
    await vi.waitFor(async () => expect(await schema.query(ends)).toEqual([]), { timeout: 20_000 });
    await other.commit();
    const found = async () => (await store.searchTasks(newSearch({ where: ofUser }))).tasks.length;
    expect(await rowsOf(schema)).toEqual([]);
    expect(await found()).toBe(30);
    ok(await store.registerWorker(newWorker()));
    await vi.waitFor(
      async () => expect(await schema.query("SELECT * FROM :schema.attribute_work")).toEqual([]),
      { timeout: 20_000 },
    );
    await expectIndexed(schema);
    expect(await found()).toBe(30);
  } finally {
    await endOthers();
    await store.close();
    await schema.drop();
  }
});
