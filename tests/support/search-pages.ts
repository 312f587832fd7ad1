/** A search in an order whose places are values of the tasks, one page after another. */
import { expect } from "vitest";
import { sortValueOf } from "../../server/tasks/core/filters/meets.ts";
import type { Found, Place, StoreSearch } from "../../server/tasks/core/store.ts";
import type { World } from "./stores.ts";

/** The ids of all pages from the search's place on, in its direction. */
export async function pagesOf(world: World, search: StoreSearch): Promise<string[]> {
  const backwards = search.after?.backwards ?? false;
  const found: string[] = [];
  let { after } = search;
  for (;;) {
    const page = await world.store.searchTasks({ ...search, ...(after && { after }) });
    expect(page.isPartial).toBeUndefined();
    const last = page.tasks.at(-1);
    if (!last) return found;
    found.push(...page.tasks.map(({ id }) => id));
    after = { value: sortValueOf(search.sortBy, last)!, id: last.id, backwards };
  }
}

/** Behind where a search stopped that had looked at something. */
export function placeBehind(stoppedAt: Found["stoppedAt"]): Place & { backwards: false } {
  if (!stoppedAt || stoppedAt === "start") throw new Error("The search says no place to go on from.");
  return { ...stoppedAt, backwards: false };
}

/** All that a search finds whose budget is over at once, and grows only where it came no further. */
export async function foundInTime(world: World, search: StoreSearch): Promise<string[]> {
  const found: string[] = [];
  let { after } = search;
  for (let budgetMs = 0; ; ) {
    const asked = { ...search, ...(after && { after }), budgetMs };
    const { tasks, stoppedAt } = await world.store.searchTasks(asked);
    found.push(...tasks.map(({ id }) => id));
    const last = tasks.at(-1);
    if (stoppedAt === "start") {
      budgetMs = 2 * budgetMs + 1;
      continue;
    }
    const end =
      stoppedAt ??
      (tasks.length === search.limit && last
        ? { value: sortValueOf(search.sortBy, last)!, id: last.id }
        : undefined);
    if (!end) return found;
    const next = { ...end, backwards: search.after?.backwards ?? false };
    budgetMs = next.value === after?.value && next.id === after.id ? 2 * budgetMs + 1 : 0;
    after = next;
  }
}
