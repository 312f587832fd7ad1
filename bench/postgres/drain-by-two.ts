/** How fast are waiting tasks run by two worker processes, until both have stored the ends of all? */
import { fork } from "node:child_process";
import { once } from "node:events";
import { caseOptions, define, finish, items, open } from "../support/case.ts";
import { rateSince } from "../support/numbers.ts";

/** How often the other process tells how many tasks it has started. */
const toldMs = 5;
const { tasks, database } = caseOptions(100_000);
if (process.send) await help();
else await measure();

async function measure(): Promise<void> {
  const dure = open(database);
  let started = 0;
  let reached: () => void;
  const allStarted = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const count = (starts: number) => {
    started += starts;
    if (started === tasks) reached();
  };
  await define(dure, () => count(1)).enqueueMany(items(tasks));
  const child = fork(import.meta.filename, ["--database", database]);
  await once(child, "message");
  child.on("message", (starts) => count(starts as number));
  const startedAt = performance.now();
  child.send("start");
  await dure.start();
  await allStarted;
  child.send("stop");
  await Promise.all([dure.stop(), once(child, "exit")]);
  const rate = rateSince(tasks, startedAt);
  await dure.close();
  finish({ rate });
}

async function help(): Promise<void> {
  const dure = open(database);
  let untold = 0;
  define(dure, () => {
    untold += 1;
  });
  await dure.stats();
  process.send!("ready");
  await once(process, "message");
  const telling = setInterval(() => {
    if (untold > 0) process.send!(untold);
    untold = 0;
  }, toldMs);
  await dure.start();
  await once(process, "message");
  clearInterval(telling);
  await dure.stop();
  process.exit(0);
}
