import { expect, test } from "vitest";
import type { Dure } from "../dure.ts";
import type { Attempt } from "../tasks/core/attempt.ts";
import type { Task } from "../tasks/core/task.ts";
import { LiveLogs } from "./live-logs.ts";

test("an attempt that ended and was followed by another between two looks is told of to its end", async () => {
  const attempts: Attempt[] = [];
  const told: string[] = [];
  const dure = { listAttempts: async () => attempts } as unknown as Dure;
  const logs = new LiveLogs(dure, (_task, attempt, entries) => {
    for (const { message } of entries) told.push(`${attempt} ${message}`);
  });
  const add = (fence: number) =>
    attempts.push({ taskId: "receipt-1", fence, number: fence, startedAt: new Date(0), logs: [] });
  const log = (message: string) => attempts.at(-1)!.logs.push({ at: new Date(0), level: "info", message });
  const task = (status: "RUNNING" | "COMPLETED") => ({ id: "receipt-1", status }) as Task;
  add(1);
  log("asked");
  await logs.met(task("RUNNING"));
  await logs.look();
  log("was refused");
  add(2);
  log("asked");
  add(3);
  log("asked");
  await logs.met(task("RUNNING"));
  await logs.look();
  log("was answered");
  await logs.met(task("COMPLETED"));
  expect(told).toEqual(["1 asked", "1 was refused", "2 asked", "3 asked", "3 was answered"]);
});
