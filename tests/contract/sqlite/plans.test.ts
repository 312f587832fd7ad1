/** No search, count or change reads more of the history than it answers: SQLite's own plans say so. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StoreSearch, TaskStore } from "../../../server/tasks/core/store.ts";
import { Connection } from "../../../server/tasks/stores/sqlite/connection.ts";
import { keptSql } from "../../../server/tasks/stores/sqlite/counts/time-statements.ts";
import { againSql } from "../../../server/tasks/stores/sqlite/search/again-source.ts";
import { crossingSql } from "../../../server/tasks/stores/sqlite/search/crossing-keys.ts";
import { delayedSql } from "../../../server/tasks/stores/sqlite/search/due-range-keys.ts";
import {
  briefHeads,
  briefHours,
  briefNext,
  briefTasks,
  fewTasks,
  indexedEdge,
  indexedHeads,
  indexedKeys,
  indexedWithin,
} from "../../../server/tasks/stores/sqlite/search/duration-statements.ts";
import { elsewhereStatements } from "../../../server/tasks/stores/sqlite/search/elsewhere-keys.ts";
import { anySql } from "../../../server/tasks/stores/sqlite/search/kept-heads.ts";
import {
  delaysSql,
  type Elsewhere,
  elsewhereIndexes,
  leastDelaySql,
  lineSql,
  newestSql,
} from "../../../server/tasks/stores/sqlite/search/order-statements.ts";
import { findPairs } from "../../../server/tasks/stores/sqlite/search/pairs.ts";
import {
  firstOfPriority,
  firstPriorities,
  lateAmong,
  ofPriority,
  prioritizedIndex,
  waitingUnprioritized,
} from "../../../server/tasks/stores/sqlite/search/priority-statements.ts";
import { countStatements, searchStatements } from "../../../server/tasks/stores/sqlite/search/search.ts";
import {
  bucketsOfPairs,
  cameBackOfPairs,
  lateOutside,
  ofPairs,
} from "../../../server/tasks/stores/sqlite/search/search-statements.ts";
import { outsideSql, startedSql } from "../../../server/tasks/stores/sqlite/search/start-range-keys.ts";
import { searchIndexes, sql } from "../../../server/tasks/stores/sqlite/statements.ts";
import { createSqliteStore } from "../../../server/tasks/stores/sqlite/store.ts";
import { newSearch, newTask, newTasks, newWorker, settlementOf, startAt } from "../../support/builders.ts";
import { claimRequest, ok } from "../../support/stores.ts";
import { narrowings } from "../../support/table.ts";
import { TestClock } from "../../support/test-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-plans-"));
const path = join(folder, "tasks.db");
let store: TaskStore;
let connection: Connection;

beforeAll(async () => {
  store = createSqliteStore({ path, clock: new TestClock() });
  await store.open();
  await store.registerWorker(newWorker());
  const own = Array.from({ length: 40 }, (_, place) =>
    newTask({ id: `own-${place}`, queue: place % 2 ? "mail" : "default" }),
  );
  await store.enqueueTasks([
    ...newTasks(200),
    ...newTasks(50, { type: "리포트-생성", queue: "mail" }),
    ...own,
  ]);
  const { claimed } = ok(
    await store.claimTasks(claimRequest({ limit: 100, types: ["resize-image", "리포트-생성"] })),
  );
  const outcomes = ["completed", "failed", "cancelled"] as const;
  await store.settleTasks(claimed.slice(10).map((one, place) => settlementOf(one, outcomes[place % 3]!)));
  connection = new Connection({ path, durability: "full", role: "writer" });
});

afterAll(async () => {
  connection?.close();
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("every search and count is served in order by its named index", () => {
  const plans = new Map<string, string>();
  for (const search of searches()) {
    const statements = [...searchStatements(connection, search), ...countStatements(connection, search)];
    for (const { text } of statements) {
      if (plans.has(text)) continue;
      plans.set(text, planOf(text));
      // A walk begins at one bound: with two it may pass over all between them.
      for (const than of ["<", ">"])
        expect(text.match(new RegExp(String.raw`\bid ${than}=? \?`, "g")) ?? [], text).toHaveLength(
          Number(new RegExp(String.raw`\bid ${than}`).test(text)),
        );
    }
  }
  expect(plans.size).toBeGreaterThan(100);
  const bad = [...plans].filter(([text, plan]) => !isServed(text, plan));
  expect(bad).toEqual([]);
});

test("what was created before a range of changes is found by the change", () => {
  for (const isDown of [true, false]) {
    const plan = planOf(crossingSql(isDown));
    expect(plan).toMatch(
      /SEARCH tasks USING INDEX tasks_lane_updated \(lane=\? AND status=\? AND updated_at>\? AND updated_at<\?\)/,
    );
    expect(plan).toMatch(
      /SEARCH tasks USING INDEX tasks_late_created \(lane=\? AND status=\? AND created_at>\? AND created_at<\?\)/,
    );
    expect(plan).not.toMatch(/SCAN tasks/);
  }
});

test("the orders by start and by due time are read from the indexes that they name", () => {
  const plans = new Map<string, string>();
  for (const search of searches()) {
    for (const from of Object.keys(elsewhereIndexes) as Elsewhere[]) {
      const sortBy = elsewhereIndexes[from].key === "started_at" ? "startedAt" : "dueAt";
      for (const { text } of elsewhereStatements({ ...search, sortBy }, from)) plans.set(text, planOf(text));
    }
  }
  for (const isSuspect of [true, false]) {
    for (const isDownwards of [true, false]) {
      const { ofInstant, ...inOrder } = lineSql(isSuspect, isDownwards);
      for (const text of Object.values(inOrder)) plans.set(text, planOf(text));
      // Those of one instant are sorted by their ids.
      plans.set(ofInstant, planOf(ofInstant).replace("USE TEMP B-TREE FOR ORDER BY", ""));
    }
  }
  for (const text of [delaysSql, leastDelaySql]) {
    plans.set(text, planOf(text));
    expect(planOf(text)).toMatch(/SEARCH tasks USING (COVERING )?INDEX tasks_delays \(lane=\?\)/);
  }
  expect(planOf(newestSql)).toMatch(/SEARCH tasks USING COVERING INDEX tasks_id \(own_id=\?\)/);
  expect(planOf(newestSql)).toMatch(/tasks USING COVERING INDEX tasks_own_id_created/);
  expect(planOf(newestSql)).not.toMatch(/TEMP B-TREE/);
  expect(plans.size).toBeGreaterThan(40);
  const bad = [...plans].filter(([text, plan]) => !isServed(text, plan) || /SCAN tasks/.test(plan));
  expect(bad).toEqual([]);
});

test("the order by duration is read from its index, and brief tasks from that of their creation", () => {
  const within = (index: string, bounds: string) =>
    `SEARCH tasks USING INDEX ${index} (lane=? AND status=? AND ${bounds})`;
  const ofDurations = within("tasks_duration", "<expr>>? AND <expr><?");
  const ofCreation = within("tasks_lane_created", "created_at>? AND created_at<?");
  for (const isDown of [true, false]) {
    for (const text of [
      indexedHeads(isDown),
      indexedKeys(isDown, true),
      indexedEdge(isDown, true),
      indexedWithin(isDown, true, ["id >= ?", "updated_at >= ?"]),
    ]) {
      expect(planOf(text)).toContain(ofDurations);
      expect(planOf(text)).not.toContain("TEMP B-TREE");
    }
    expect(planOf(briefTasks(isDown, false))).toContain(ofCreation);
    expect(planOf(briefTasks(isDown, true))).toMatch(/tasks_lane_created \(.*\(created_at,id\)[<>]/);
    expect(planOf(briefTasks(isDown, true))).not.toContain("TEMP B-TREE");
    expect(planOf(fewTasks(isDown, true))).toContain(ofCreation);
    for (const text of [briefHeads(isDown), briefHours(isDown), briefNext(isDown)])
      expect(planOf(text)).toMatch(/SEARCH kept USING PRIMARY KEY \(lane=\? AND status=\? AND .*duration/);
  }
});

test("the order by priority is read from the index of tasks that were given one", () => {
  const first = `SEARCH tasks USING COVERING INDEX ${prioritizedIndex} (lane=? AND status=? AND priority`;
  for (const isDown of [true, false]) expect(planOf(firstPriorities(isDown))).toContain(first);
  for (const search of searches()) {
    for (const isGenerated of [true, false]) {
      const part = { isGenerated, hasLate: false, beyond: search.after?.id };
      const byPriority: StoreSearch = { ...search, sortBy: "priority" };
      for (const { text } of [ofPriority(byPriority, part), firstOfPriority(byPriority, part)]) {
        const plan = planOf(text);
        expect(plan).toContain(`${first}=?`);
        expect(plan).not.toMatch(/TEMP B-TREE|SCAN tasks/);
        expect(text.match(/id >=? \?/g) ?? [], text).toHaveLength(Number(plan.includes("id>?")));
        expect(text.match(/id < \?/g) ?? [], text).toHaveLength(Number(plan.includes("id<?")));
      }
    }
  }
  expect(planOf(lateAmong)).toContain(
    "SEARCH tasks EXISTS USING INDEX tasks_late_updated (lane=? AND status=? AND updated_at>?)",
  );
  for (const { count, keys } of waitingUnprioritized) {
    for (const text of [count, keys])
      expect(planOf(text)).toMatch(
        /SEARCH tasks USING (COVERING )?INDEX tasks_claim\w* \(lane=\? AND priority=\?\)/,
      );
  }
});

test("tasks that wait again are read from an index that has no others that wait", () => {
  expect(planOf(againSql)).toMatch(/SEARCH tasks USING INDEX tasks_lane_updated \(lane=\? AND status=\?\)/);
});

test("tasks that are due within a range are read from the index of those that were not due at once", () => {
  for (const text of Object.values(delayedSql)) {
    const plan = planOf(text);
    expect(plan).toMatch(
      /SEARCH tasks USING (COVERING )?INDEX tasks_delayed \(lane=\? AND status=\? AND due_at>\? AND due_at<\?\)/,
    );
    expect(plan).not.toMatch(/SCAN tasks/);
  }
});

test("tasks that started within a range are bounded in an index, by their start or their last change", () => {
  const texts = [
    ...Object.values(startedSql),
    ...Object.values(outsideSql).flatMap(({ odd, late }) => [odd.count, odd.read, late.count, late.read]),
  ];
  for (const text of texts) {
    const plan = planOf(text);
    expect(plan).toMatch(
      /SEARCH tasks USING (COVERING )?INDEX tasks_(started|started_oddly|lane_updated|late_updated) \(lane=\? AND status=\? AND (started|updated)_at>\? AND (started|updated)_at<\?\)/,
    );
    expect(plan).not.toMatch(/SCAN tasks|TEMP B-TREE/);
  }
});

test("counts by stretches of time are bounded in an index", () => {
  const range = { start: startAt - 60_000, end: startAt + 60_000 };
  for (const [time, search] of [
    ["createdAt", newSearch({ created: range })],
    ["updatedAt", newSearch({ updated: range })],
  ] as const) {
    const pairs = findPairs(connection, search)
      .filter(({ status }) => status !== 2)
      .map((pair) => ({ ...pair, number: 0 }));
    const together = bucketsOfPairs(search, pairs, { time, bucketMs: 60_000 });
    expect(together.length).toBeGreaterThan(1);
    const cameBack = time === "updatedAt" ? cameBackOfPairs(search, pairs, range) : [];
    for (const { text } of [...together, ...cameBack]) {
      expect(planOf(text)).toMatch(
        /SEARCH tasks USING (COVERING )?INDEX tasks_lane_\w+ \(lane=\?( AND status=\?)? AND (cre|upd)ated_at>\? AND (cre|upd)ated_at<\?\)/,
      );
      expect(planOf(text)).not.toMatch(/SCAN tasks/);
    }
  }
});

test("what kept counts leave to be looked up is bounded in an index", () => {
  const range = { start: startAt - 60_000, end: startAt + 60_000 };
  const pairs = findPairs(connection, newSearch()).filter(({ status }) => status !== 2);
  for (const [sortBy, key] of [
    ["createdAt", "created"],
    ["updatedAt", "updated"],
  ] as const) {
    const { text } = lateOutside(newSearch({ sortBy }), pairs, range, { end: startAt }, 60_000);
    // The index has no version, though it holds but later ones; late tasks are few.
    expect(planOf(text)).toContain(
      `SEARCH tasks USING INDEX tasks_late_${key} (lane=? AND status=? AND ${key}_at>? AND ${key}_at<?)`,
    );
  }
  for (const { index, condition } of [...Object.values(searchIndexes), ...Object.values(elsewhereIndexes)]) {
    const plan = planOf(anySql(index, ofPairs(condition)));
    expect(plan).toMatch(new RegExp(`SEARCH tasks USING (COVERING )?INDEX ${index} `));
    expect(plan).toContain("lane=?");
  }
});

test("kept counts of a lane, and of all lanes in a stretch of time, are read in one go, and none is sorted", () => {
  const ways: Record<keyof typeof keptSql, Record<string, string>> = {
    hour: { "": "lane=? AND hour>? AND hour<?" },
    minute: { each: "minute=? AND lane=?", "": "minute>? AND minute<?" },
    day: { each: "day=? AND lane=?", "": "day>? AND day<?" },
  };
  for (const [stretch, shapes] of Object.entries(keptSql)) {
    for (const [shape, textOf] of Object.entries(shapes)) {
      for (const time of ["createdAt", "updatedAt"] as const) {
        const plan = planOf(textOf(time));
        const own = ways[stretch as keyof typeof keptSql];
        expect(plan, shape).toContain(`SEARCH kept USING PRIMARY KEY (${own[shape] ?? own[""]})`);
        expect(plan, shape).not.toMatch(/SCAN (kept|\w+_tallies)|TEMP B-TREE/);
      }
    }
  }
});

test("every other statement finds its tasks by an index or by their key", () => {
  const touching = Object.entries(sql).filter(
    ([, text]) => typeof text === "string" && /\b(FROM|JOIN|UPDATE)\s+tasks\b/.test(text),
  );
  expect(touching.length).toBeGreaterThan(25);
  // RUNNING tasks are as many as the workers have slots: reading all of them is bounded.
  const overRunning = ["runningTasks", "orphanOwners", "overdueCancels"];
  for (const [name, text] of touching) {
    const plan = planOf(text as string);
    const scans = plan.split("\n").filter((line) => /SCAN tasks\b/.test(line));
    const allowed = overRunning.includes(name)
      ? scans.filter((line) => !/INDEX tasks_running/.test(line))
      : scans;
    expect(allowed, `${name}: ${plan}`).toEqual([]);
    // Workers are few, and a thousand of them are shown at most.
    if (name !== "listWorkers") expect(plan, name).not.toMatch(/USE TEMP B-TREE FOR ORDER BY/);
  }
});

function* searches(): Generator<StoreSearch> {
  const tasks = [{ createdAt: new Date(startAt), updatedAt: new Date(startAt + 5), id: "own-3" }] as never[];
  const places = [
    undefined,
    { value: startAt, id: "own-3" },
    { value: startAt, id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
  ];
  for (const narrowing of narrowings({ tasks })) {
    if (narrowing.id !== undefined) continue;
    for (const sortBy of ["createdAt", "updatedAt", "id"] as const) {
      for (const descending of [true, false]) {
        for (const place of places)
          yield newSearch({
            ...narrowing,
            sortBy,
            descending,
            ...(place && { after: { ...place, backwards: false } }),
          });
      }
    }
  }
}

/** A SEARCH by the index that the statement names, or, for the whole list, its scan in order, which LIMIT bounds. */
function isServed(text: string, plan: string): boolean {
  const index = /INDEXED BY (\S+)/.exec(text)?.[1];
  const whole = !text.includes("lane = ") && /ORDER BY/.test(text);
  const pattern = new RegExp(`${whole ? "(SEARCH|SCAN)" : "SEARCH"} tasks USING (COVERING )?INDEX ${index}`);
  return index !== undefined && pattern.test(plan) && !/TEMP B-TREE/.test(plan);
}

const known = new Map<string, string>();

/** Many searches are asked by one text. */
function planOf(text: string): string {
  const plan = known.get(text) ?? explained(text);
  known.set(text, plan);
  return plan;
}

function explained(text: string): string {
  const bare = text.replace(/^\/\*.*?\*\/\s*/, "");
  return connection
    .rows(`EXPLAIN QUERY PLAN ${bare}`)
    .map(({ detail }) => String(detail))
    .join("\n");
}
