/**
 * `node batch-program.ts <database> <type> <count>`: enqueues one batch, due tomorrow. Prints "asked" before, and
 * "acknowledged" once it is.
 */
import { writeSync } from "node:fs";
import { createDure } from "dure";

const [database = "", type = "", count = "0"] = process.argv.slice(2);
const dure = createDure({ database });
const definition = dure.defineTask(type, async () => {});
await dure.stats();
writeSync(1, "asked\n");
const items = Array.from({ length: Number(count) }, (_, n) => ({ payload: n, delay: "1d" }));
await definition.enqueueMany(items);
writeSync(1, "acknowledged\n");
await dure.close();
