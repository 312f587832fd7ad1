/** How long from the call of `enqueue` to the handler's first line, in one process with an idle worker? */
import { setTimeout as sleep } from "node:timers/promises";
import { caseOptions, define, finish, open } from "../support/case.ts";
import { percentile } from "../support/numbers.ts";
import { payload } from "../support/sample.ts";

const warmUp = 100;
const { tasks, database } = caseOptions(1_000);
const dure = open(database, 10);
let started: (at: number) => void = () => undefined;
const definition = define(dure, () => started(performance.now()));
await dure.start();
const waits: number[] = [];
for (let n = 0; n < tasks + warmUp; n++) {
  const start = new Promise<number>((resolve) => {
    started = resolve;
  });
  const enqueuedAt = performance.now();
  await definition.enqueue(payload);
  const startedAt = await start;
  if (n >= warmUp) waits.push(startedAt - enqueuedAt);
  await sleep(1 + Math.random() * 4);
}
await dure.close();
finish({ p50: percentile(waits, 50), p99: percentile(waits, 99) });
