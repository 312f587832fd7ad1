/**
 * A process of the disk tests: `node enqueue-program.ts <settings as JSON>`. Enqueues tasks one after another, with
 * their number as id, runs them too if told so, and puts every answer on record, synced, before the next call.
 */
import { fsyncSync, openSync, writeSync } from "node:fs";
import { createDure, type DureError } from "dure";

/** What the process is started with. */
export interface EnqueueSettings {
  database: string;
  record: string;
  /** Ends after so many; otherwise when it is killed. */
  count?: number;
  /** Characters of each payload. */
  payloadLength?: number;
  durability?: "full" | "normal";
  /** Runs the tasks too. */
  works?: boolean;
}

/** One line of the record. */
export interface Answer {
  id: string;
  what: "enqueued" | "completed" | "refused";
  code?: string;
  /** Milliseconds since 1970, when the call began and ended. */
  from: number;
  to: number;
}

if (import.meta.main) {
  const settings: EnqueueSettings = JSON.parse(process.argv[2]!);
  const {
    database,
    count = Number.POSITIVE_INFINITY,
    payloadLength = 20,
    durability = "full",
    works = false,
  } = settings;
  const file = openSync(settings.record, "a", 0o600);
  const record = (answer: Answer) => {
    writeSync(file, `${JSON.stringify(answer)}\n`);
    fsyncSync(file);
  };
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const dure = createDure({ database, durability, logger: silent });
  const resizeImage = dure.defineTask("resize-image", async () => "done");
  if (works) await dure.start();
  for (let number = 0; number < count; number += 1) {
    const id = `picture-${number}`;
    const from = now();
    try {
      const task = await resizeImage.enqueue({ note: "x".repeat(payloadLength) }, { id });
      record({ id, what: "enqueued", from, to: now() });
      if (works) {
        await dure.waitForTask(task.id);
        record({ id, what: "completed", from, to: now() });
      }
    } catch (error) {
      const { code = String(error) } = error as DureError;
      record({ id, what: "refused", code, from, to: now() });
    }
    await new Promise((done) => setTimeout(done, 1));
  }
  await dure.close();
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
