/**
 * How long from `enqueue` in one process to the handler's first line in another? Both read the same clock. The first
 * hundred are not counted, as within one process.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { caseOptions, define, finish, open, startCounter } from "../support/case.ts";
import { percentile } from "../support/numbers.ts";
import { payload } from "../support/sample.ts";

const warmUp = 100;
const { tasks, database } = caseOptions(500);
const now = () => performance.timeOrigin + performance.now();
if (process.send) await enqueueSlowly();
else await measure();

async function measure(): Promise<void> {
  const waits: number[] = [];
  const { onStart, reached } = startCounter(tasks);
  const dure = open(database, 10);
  define(dure, (given) => {
    waits.push(now() - (given as { sentAt: number }).sentAt);
    onStart();
  });
  await dure.start();
  const child = fork(import.meta.filename, ["--database", database, "--tasks", String(tasks)]);
  const ended = once(child, "exit");
  await reached;
  await ended;
  await dure.close();
  const counted = waits.slice(warmUp);
  finish({ p50: percentile(counted, 50), p99: percentile(counted, 99) });
}

async function enqueueSlowly(): Promise<void> {
  const dure = open(database);
  const definition = define(dure);
  for (let n = 0; n < tasks; n++) {
    await sleep(10 + Math.random() * 50);
    await definition.enqueue({ ...payload, sentAt: now() });
  }
  await dure.close();
  process.exit(0);
}
