/**
 * How much memory does draining a million tasks take, and does it grow? They are enqueued here, and drained by a program
 * of its own, in JavaScript as it is deployed: to read TypeScript, Node loads a compiler of 25 MB into the process.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { caseOptions, define, items, open } from "../support/case.ts";

const enqueueSize = 100_000;
const { tasks, database } = caseOptions(1_000_000);
const dure = open(database);
const definition = define(dure);
for (let n = 0; n < tasks; n += enqueueSize)
  await definition.enqueueMany(items(Math.min(enqueueSize, tasks - n)));
await dure.close();
const drain = join(import.meta.dirname, "memory-drain.js");
execFileSync(process.execPath, [drain, database, String(tasks)], { stdio: "inherit" });
