import { afterEach, expect, test } from "vitest";
import type { Task } from "../core/task.ts";
import { watchSuddenExit } from "./sudden-exit.ts";

const unwatch: (() => void)[] = [];
afterEach(() => {
  for (const end of unwatch.splice(0)) end();
});

function watch(count: number): string[] {
  const said: string[] = [];
  const logger = { info() {}, warn() {}, error: (message: string) => void said.push(message) };
  const tasks = Array.from({ length: count }, (_, place) => ({ id: `task-${place}`, type: "resize-image" }));
  unwatch.push(watchSuddenExit(() => tasks as Task[], logger));
  return said;
}

/** Calls what listens since `before`, as the end of the process would. */
function endAsIf(before: readonly unknown[]): void {
  for (const listener of process.listeners("exit")) if (!before.includes(listener)) listener.call(process, 0);
}

test("a process that ends while tasks run names them, once for each worker (F25)", () => {
  const before = process.listeners("exit");
  const [busy, idle, crowded] = [watch(1), watch(0), watch(12)];
  expect(process.listeners("exit")).toHaveLength(before.length + 1);
  endAsIf(before);
  expect(busy).toEqual([expect.stringContaining("ended while a task ran: resize-image task-0. ")]);
  expect(idle).toEqual([]);
  expect(crowded[0]).toMatch(/tasks ran: .*task-4 and 7 more\. .*process\.exit\(\)/);
  for (const end of unwatch.splice(0)) end();
  expect(process.listeners("exit")).toEqual(before);
});
