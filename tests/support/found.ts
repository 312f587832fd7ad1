/** The tasks or the number of an answer that is complete; an answer that is not fails the test. */
import { expect } from "vitest";
import type { Count, Found } from "../../server/tasks/core/store.ts";
import type { Task } from "../../server/tasks/core/task.ts";

export async function tasksOf(answer: Promise<Found>): Promise<Task[]> {
  const { tasks, ...how } = await answer;
  expect(how, "the search is complete").toEqual({});
  return tasks;
}

export async function countOf(answer: Promise<Count>): Promise<number> {
  const { count, errorMax } = await answer;
  expect(errorMax, "the count is exact").toBe(0);
  return count;
}
