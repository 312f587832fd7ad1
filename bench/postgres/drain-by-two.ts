/** How fast are waiting tasks run by two worker processes? */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { caseOptions, define, finish, items, open } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

const { tasks, database } = caseOptions(100_000);
if (process.send) await help();
else await measure();

async function measure(): Promise<void> {
  const dure = open(database);
  await define(dure).enqueueMany(items(tasks));
  const child = fork(import.meta.filename, ["--database", database]);
  await once(child, "message");
  const startedAt = performance.now();
  child.send("start");
  await dure.start();
  while ((await dure.countTasks({ status: "COMPLETED" })) < tasks) await sleep(5);
  const rate = rateSince(tasks, startedAt);
  child.send("stop");
  await once(child, "exit");
  await dure.close();
  finish({ rate });
}

async function help(): Promise<void> {
  const dure = open(database);
  define(dure);
  await dure.stats();
  process.send!("ready");
  await once(process, "message");
  await dure.start();
  await once(process, "message");
  await dure.close();
  process.exit(0);
}
