import { expect, test } from "vitest";
import type { Dure } from "../dure.ts";
import type { Attempt, LogEntry } from "../tasks/core/attempt.ts";
import type { Task } from "../tasks/core/task.ts";
import { LiveLogs } from "./live-logs.ts";

/** Of one task whose attempts are added by hand. */
function followed() {
  const attempts: Attempt[] = [];
  const told: string[] = [];
  const dure = { listAttempts: async () => attempts } as unknown as Dure;
  const tell = (_task: Task, attempt: number, entries: readonly LogEntry[]) => {
    for (const { message } of entries) told.push(`${attempt} ${message}`);
  };
  const logs = new LiveLogs(dure, tell, new Date(1_000));
  const add = (fence: number, startedAt = new Date(1_000 + fence)) =>
    attempts.push({ taskId: "receipt-1", fence, number: fence, startedAt, logs: [] });
  const log = (message: string) => attempts.at(-1)!.logs.push({ at: new Date(0), level: "info", message });
  const task = (status: "PENDING" | "RUNNING" | "COMPLETED") => ({ id: "receipt-1", status }) as Task;
  return { told, logs, add, log, task };
}

test("of a task that was never met, every attempt since the beginning is told of, and the latest", async () => {
  const { told, logs, add, log, task } = followed();
  add(1, new Date(0));
  log("asked long ago");
  add(2);
  log("was refused");
  add(3);
  log("asked again");
  await logs.met(task("RUNNING"));
  await logs.look();
  expect(told).toEqual(["2 was refused", "3 asked again"]);

  const earlier = followed();
  earlier.add(1, new Date(0));
  earlier.log("was refused");
  earlier.add(2, new Date(1));
  earlier.log("was refused again");
  await earlier.logs.met(task("PENDING"));
  expect(earlier.told).toEqual(["2 was refused again"]);
});

test("an attempt that ended and was followed by another between two looks is told of to its end", async () => {
  const { told, logs, add, log, task } = followed();
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
