/** How much of a core does a worker take that has nothing to do? All threads of the process, over ten seconds. */
import { setTimeout as sleep } from "node:timers/promises";
import { caseOptions, define, finish, open } from "../support/case.ts";
import { payload } from "../support/sample.ts";

const idleMs = 10_000;
const { database } = caseOptions(0);
const dure = open(database, 10);
const definition = define(dure);
await dure.start();
await definition.run(payload);
await sleep(1_000);
const before = process.cpuUsage();
const startedAt = performance.now();
await sleep(idleMs);
const used = process.cpuUsage(before);
const share = (used.user + used.system) / 1_000 / (performance.now() - startedAt);
await dure.close();
finish({ percent: share * 100 });
