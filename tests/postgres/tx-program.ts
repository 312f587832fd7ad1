/** A worker that writes a receipt per task in `context.tx()` and prints a line when it has: `node tx-program.ts <url> <table>`. */
import { enableCompileCache } from "node:module";
import type { Task, TaskContext } from "dure";

enableCompileCache();
const { createDure } = await import("dure");
const [database = "", table = "", deed = ""] = process.argv.slice(2);
const quiet = () => undefined;
const logger = { info: quiet, warn: quiet, error: console.error };
const dure = createDure({ database, logger, worker: { concurrency: 4, lease: "2s" } });

dure.defineTask("write-receipt", async (task: Task<number>, context: TaskContext) => {
  const client = await context.tx();
  await client.query(`INSERT INTO ${table} VALUES ($1, $2)`, [task.id, context.fence]);
  if (deed === "die") process.kill(process.pid, "SIGKILL");
  process.stdout.write("written\n");
});
// The test that started this process is gone.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.channel?.unref();
await dure.start();
