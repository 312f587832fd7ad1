/** `npm run soak:heap`: the heap after 20,000 and after 200,000 tasks, which must be the same within 5 % and 2 MB. */
import assert from "node:assert/strict";
import { createDure } from "dure";

const batch = 20_000;
const dure = createDure({ database: ":memory:", retention: false, worker: { concurrency: 100 } });
const resize = dure.defineTask("resize-image", async (task, { signal, log }) => {
  log.info("resizing", { widthPx: task.payload });
  await new Promise((done) => setImmediate(done));
  return signal.aborted;
});
await dure.start();
const heaps: number[] = [];
for (let done = 0; done < 200_000; done += batch) {
  await resize.enqueueMany(Array.from({ length: batch }, (_, n) => ({ payload: n })));
  while ((await dure.countTasks({ status: ["PENDING", "RUNNING"] })) > 0)
    await new Promise((soon) => setTimeout(soon, 50));
  globalThis.gc!();
  heaps.push(process.memoryUsage().heapUsed);
  console.log(`${done + batch} tasks: ${(heaps.at(-1)! / 1e6).toFixed(1)} MB`);
}
await dure.close();
assert.ok(heaps.at(-1)! <= heaps[0]! * 1.05 + 2e6, "The heap has grown.");
