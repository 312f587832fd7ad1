/** Stores a large batch with attributes, says so, and goes on: `node attributes-program.ts <url> <tasks>`. */
import { enableCompileCache } from "node:module";

enableCompileCache();
const { createDure } = await import("dure");
const [database = "", tasks = ""] = process.argv.slice(2);
const dure = createDure({ database });
const resizeImage = dure.defineTask(
  "resize-image",
  async (_task: { payload: { userId: number } }) => undefined,
  {
    attributes: { userId: ({ userId }) => userId },
  },
);
await resizeImage.enqueueMany(
  Array.from({ length: Number(tasks) }, (_, n) => ({ payload: { userId: n % 100 } })),
);
process.stdout.write("stored\n");
// The test that started this process is gone.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
