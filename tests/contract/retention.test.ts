import { expect, test } from "vitest";
import { resolveDureOptions } from "../../server/dure-options.ts";
import { Pruner } from "../../server/tasks/runtime/pruner.ts";
import { newSearch, newTask } from "../support/builders.ts";
import fc from "../support/fast-check.ts";
import { tasksOf } from "../support/found.ts";
import { onEachStore } from "../support/stores.ts";

const statuses = ["completed", "failed", "cancelled"] as const;
const kept = fc.oneof(
  fc.constant(false as const),
  fc.integer({ min: 0, max: 60 }),
  fc.record(
    {
      age: fc.oneof(fc.constant(false as const), fc.integer({ min: 0, max: 60 })),
      count: fc.integer({ min: 0, max: 4 }),
    },
    { requiredKeys: [] },
  ),
);
const rules = fc.record({ completed: kept, failed: kept, cancelled: kept }, { requiredKeys: [] });
const world = fc.record({
  tasks: fc.array(
    fc.record({
      type: fc.constantFrom("report-day", "report-night", "mail"),
      queue: fc.constantFrom("one", "two"),
      status: fc.constantFrom(...statuses),
      gapMs: fc.integer({ min: 1, max: 9 }),
    }),
    { maxLength: 16 },
  ),
  rules,
  types: fc.dictionary(fc.constantFrom("report-day", "report-*", "*", "nobody"), rules, { maxKeys: 3 }),
});

/** What the options say, told another way. */
function isKept(
  {
    type,
    status,
    endedAt,
    place,
  }: { type: string; status: (typeof statuses)[number]; endedAt: number; place: number },
  given: { rules: any; types: Record<string, any> },
  now: number,
): boolean {
  const named = Object.keys(given.types);
  const pattern =
    named.find((one) => one === type) ??
    named.find((one) => one.endsWith("*") && type.startsWith(one.slice(0, -1)));
  const rule =
    (pattern !== undefined ? given.types[pattern][status] : undefined) ?? given.rules[status] ?? "30d";
  if (rule === false || rule === "30d") return true;
  if (typeof rule === "number") return endedAt >= now - rule;
  const isYoung = rule.age === undefined || rule.age === false || endedAt >= now - rule.age;
  return isYoung && (rule.count === undefined || place < rule.count);
}

onEachStore("retention", (world_) => {
  test("leaves exactly what the rules keep", async () => {
    const { store, clock } = world_;
    let run = 0;
    await fc.assert(
      fc.asyncProperty(world, async (given) => {
        run += 1;
        const prefix = `run-${run}/`;
        const ended: { id: string; type: string; status: (typeof statuses)[number]; endedAt: number }[] = [];
        for (const [place, { type, queue, status, gapMs }] of given.tasks.entries()) {
          await clock.advance(gapMs);
          const id = `${prefix}${String(place).padStart(3, "0")}`;
          const claimed = await world_.running(newTask({ id, type: `${prefix}${type}`, queue }));
          await world_.settle(claimed, status, { error: { name: "Error", message: "m" } });
          ended.push({ id, type, status, endedAt: (await world_.get(id)).updatedAt.getTime() });
        }
        await clock.advance(5);
        const types = Object.fromEntries(
          Object.entries(given.types).map(([pattern, own]) => [`${prefix}${pattern}`, own]),
        );
        const forever = { completed: false, failed: false, cancelled: false } as const;
        // What earlier runs left is of no concern to this one.
        const all = { [`${prefix}*`]: { completed: "30d", failed: "30d", cancelled: "30d", ...given.rules } };
        const merged = mergedInto(types, all, prefix);
        const { retention, logger } = resolveDureOptions({ retention: { ...forever, types: merged } });
        const pruner = new Pruner({
          store: async () => store,
          clock,
          logger,
          retention,
          auditMs: null,
          archive: undefined,
        });
        const counted = await pruner.countNow();
        expect((await pruner.pruneNow()).deleted).toBe(counted);
        const left = new Set(
          (await tasksOf(store.searchTasks(newSearch({ limit: 1_000 })))).map(({ id }) => id),
        );
        for (const task of ended) {
          const same = ended.filter(({ type, status }) => type === task.type && status === task.status);
          const place = same.filter(({ id }) => id > task.id).length;
          expect([task, left.has(task.id)]).toEqual([task, isKept({ ...task, place }, given, clock.now())]);
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  test("by size keeps about as many bytes of each type and status, those that ended last", async () => {
    const { store, clock } = world_;
    const ids: string[] = [];
    for (let at = 0; at < 60; at++) {
      await clock.advance(1_000);
      const id = `big-${String(at).padStart(2, "0")}`;
      ids.push(id);
      const claimed = await world_.running(
        newTask({ id, type: "big", payload: { text: "한".repeat(1_000) } }),
      );
      await world_.settle(claimed, "failed", { error: { name: "Error", message: "m" } });
    }
    await world_.settle(await world_.running(newTask({ id: "other", type: "other" })), "completed");
    const kept = { age: false, sizeBytes: 70_000 } as const;
    const { retention, logger } = resolveDureOptions({
      retention: { completed: kept, failed: kept, cancelled: kept },
    });
    const pruner = new Pruner({
      store: async () => store,
      clock,
      logger,
      retention,
      auditMs: null,
      archive: undefined,
    });
    const counted = await pruner.countNow();
    expect((await pruner.pruneNow()).deleted).toBe(counted);
    const left = (await tasksOf(store.searchTasks(newSearch({ sortBy: "id", limit: 100 })))).map(
      ({ id }) => id,
    );
    expect(left).toContain("other");
    const big = left.filter((id) => id !== "other").reverse();
    expect(big).toEqual(ids.slice(-big.length));
    // Of 3,000 bytes of text each, and what a row takes beside.
    expect(big.length).toBeGreaterThanOrEqual(17);
    expect(big.length).toBeLessThanOrEqual(23);
    await clock.advance(60_000);
    expect(await pruner.pruneNow()).toMatchObject({ deleted: 0 });
  }, 60_000);
});

/** Each pattern with what it leaves out filled in from the rules for all, which are a pattern themselves here. */
function mergedInto(
  types: Record<string, any>,
  all: Record<string, any>,
  prefix: string,
): Record<string, any> {
  const general = all[`${prefix}*`];
  const filled = Object.fromEntries(
    Object.entries(types).map(([pattern, own]) => [pattern, { ...general, ...own }]),
  );
  return { ...filled, ...(filled[`${prefix}*`] ? {} : all) };
}

test("a rule of what no type can be called is refused", () => {
  const resolve = (pattern: string) => () =>
    resolveDureOptions({ retention: { types: { [pattern]: { completed: "7d" } } } });
  for (const pattern of ["*-report", "re*port", "a*b*", "bad id!", "", "**"])
    expect(resolve(pattern)).toThrow(`a rule for ${JSON.stringify(pattern)}, which is no id`);
  for (const pattern of ["*", "report-*", "report-day", "리포트-*"]) expect(resolve(pattern)).not.toThrow();
});
