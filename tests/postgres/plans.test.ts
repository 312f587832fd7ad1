/**
 * No search, count, claim or change reads more of the history than it answers: the server's own plans say so, on a table
 * whose statistics are fresh and on one that was never analysed, as it is just after many tasks were enqueued.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { analysePostgres, fillPostgres } from "../../bench/postgres/fill.ts";
import type { TaskStore } from "../../server/tasks/core/store.ts";
import { Database, type Session } from "../../server/tasks/stores/postgres/connections/database.ts";
import { parseLocation } from "../../server/tasks/stores/postgres/connections/location.ts";
import { planning, planningOnce } from "../../server/tasks/stores/postgres/connections/planning.ts";
import {
  spanStatement,
  stretchesStatement,
} from "../../server/tasks/stores/postgres/counts/count-statements.ts";
import {
  besideStatement,
  stretchStatement,
} from "../../server/tasks/stores/postgres/search/listed-ranges.ts";
import { listedStatement } from "../../server/tasks/stores/postgres/search/listed-starts.ts";
import {
  dueAtStatement,
  nearStatement,
  waitingStatement,
} from "../../server/tasks/stores/postgres/search/near-statements.ts";
import { outline } from "../../server/tasks/stores/postgres/search/outline.ts";
import { maybeStatement, searchStatements } from "../../server/tasks/stores/postgres/search/search.ts";
import type { SearchStatement } from "../../server/tasks/stores/postgres/search/search-statements.ts";
import {
  outsideStatement,
  startedStatement,
} from "../../server/tasks/stores/postgres/search/start-range-source.ts";
import { likelyPage } from "../../server/tasks/stores/postgres/search/whole-pages.ts";
import { literal, onceOnly, type Statement } from "../../server/tasks/stores/postgres/statement.ts";
import { createPostgresStore } from "../../server/tasks/stores/postgres/store.ts";
import { windowsOf } from "../../server/tasks/stores/shared/start-ranges.ts";
import { newDefinition, newSearch, newTask, newTasks, newWorker, settlementOf } from "../support/builders.ts";
import { countOf, tasksOf } from "../support/found.ts";
import { everySearch } from "../support/month.ts";
import { createTestSchema, queryPostgres, type TestSchema } from "../support/postgres.ts";
import { claimRequest, ok } from "../support/stores.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const tasks = 100_000;
const dayMs = 86_400_000;
/** Keys that a search may sort: a page of each of fifty streams, never the history. */
const sortedMax = 2_500;
/** Tasks that a page takes to find, beside those of its streams. */
const readMax = sortedMax + 200;
/** A count by both instants has several statements, of the same shapes; so many searches are tried with all of them. */
const othersStride = 5;
/** Of the combinations of filters and orders every so-many-th is tried. */
const stride = 23;
/** As many more are passed over where all near orders and ranges of each are planned as well. */
const genericStride = 11 * stride;

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Actual Rows"?: number;
  "Actual Loops"?: number;
  "Rows Removed by Filter"?: number;
  Plans?: Plan[];
}

let schema: TestSchema;
let database: Database;

beforeAll(async () => {
  schema = await createTestSchema();
  await fillPostgres(schema.url, tasks, { analyse: false });
  database = new Database(parseLocation(schema.url));
  await database.open();
});

afterAll(async () => {
  await database?.close();
  await schema?.drop();
});

// The statistics come second: they cannot be taken away again.
describe.each([
  { state: "not analysed", analyse: false },
  { state: "analysed", analyse: true },
])("a table of 100,000 tasks, $state", ({ analyse }) => {
  beforeAll(async () => {
    if (analyse) await analysePostgres(schema.url);
  });

  async function plansOf(
    session: Session,
    how: string,
    { statement, values }: SearchStatement,
  ): Promise<Plan[]> {
    const text = statement.text.replace(/^\/\*.*?\*\/\s*/, "");
    const [row] = await session.query(onceOnly("explain", `EXPLAIN (${how}, FORMAT JSON) ${text}`), values);
    return flat(row![0][0].Plan);
  }

  /** The plan of each text that is made without knowing any values, executed with each list of values once. */
  function genericPlans(session: Session) {
    const prepared = new Map<string, string>();
    const executed = new Set<string>();
    const plansOf = async ({ statement, values }: SearchStatement): Promise<Plan[]> => {
      const text = statement.text.replace(/^\/\*.*?\*\/\s*/, "");
      const name = prepared.get(text) ?? `generic_${prepared.size}`;
      const given = values.length > 0 ? `(${values.map(shownValue).join(", ")})` : "";
      const execute = `EXECUTE ${name} ${given}`;
      if (executed.has(execute)) return [];
      executed.add(execute);
      if (!prepared.has(text)) await session.query(onceOnly("prepare", `PREPARE ${name} AS ${text}`));
      prepared.set(text, name);
      const how = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)";
      const [row] = await session.query(onceOnly("explain", `${how} ${execute}`));
      return flat(row![0][0].Plan);
    };
    const forget = async () => {
      for (const name of prepared.values()) await session.query(onceOnly("deallocate", `DEALLOCATE ${name}`));
    };
    return { plansOf, forget };
  }

  test("searches and counts walk indexes, and sort no more than a page or two", async () => {
    const bad: unknown[] = [];
    let tried = 0;
    await database.snapshot(async (session) => {
      for (const search of everySearch()) {
        if (tried++ % stride !== 0) continue;
        const [page, count, ...others] = await searchStatements(session, search);
        const counts = tried % othersStride === 0 ? [count!, ...others] : [count!];
        for (const one of search.created || search.updated ? [page!, ...counts] : [page!]) {
          const plans = await plansOf(session, "ANALYZE, TIMING OFF", one);
          // With a range, tasks outside of it may have to be passed over; see docs/design/search-postgres.md.
          const readsMuch = !search.created && !search.updated && rowsRead(plans) > readMax;
          if (readsMuch || plans.some((plan) => readsAll(plan) || sortsMuch(plan)))
            bad.push([search, shown(plans)]);
        }
      }
    }, planning);
    expect(tried).toBeGreaterThan(1_000);
    expect(bad.slice(0, 3)).toEqual([]);
  });

  test("a plan that serves for all values walks the same indexes", async () => {
    const bad: unknown[] = [];
    let tried = 0;
    await database.snapshot(async (session) => {
      const generic = genericPlans(session);
      for (const search of everySearch()) {
        if (tried++ % genericStride !== 0) continue;
        const [page] = await searchStatements(session, search);
        const pairs = (await outline(session, search)).pairs;
        const { after: _after, ...rest } = search;
        const inTime = { ...rest, sortBy: search.sortBy === "id" ? "createdAt" : search.sortBy };
        const skips = [
          stretchesStatement(inTime, pairs, [0, 1e12], [1e12, 2e12]),
          spanStatement(inTime, pairs),
        ];
        const lanes = [...new Set(pairs.filter(({ status }) => status < 2).map(({ lane }) => lane))];
        const nears = (["startedAt", "dueAt", "priority", "duration"] as const).flatMap((sortBy) => {
          const { after: _place, where: _where, ...near } = { ...search, sortBy };
          const placed = { ...near, after: { value: 1e12, id: "x", backwards: false } };
          const reach = { limit: 30, depth: 30, isWaitingToo: false };
          const whole = { ...reach, isWaitingToo: sortBy === "dueAt", tasks: { from: 0, share: 1_000 } };
          const ofList = { ...whole, isOfList: true, all: tasks };
          return [
            ...[near, placed].map((one) => nearStatement(one, sortBy, pairs, reach)),
            ...[near, placed].map((one) => nearStatement(one, sortBy, pairs, { ...whole, fewMax: 300 })),
            nearStatement(near, sortBy, pairs, { ...ofList, fewMax: 300 }),
            nearStatement(placed, sortBy, pairs, ofList),
            waitingStatement(near, lanes, 30),
          ];
        });
        const tied = dueAtStatement(search, lanes, { value: 1e12, id: "" }, 30);
        const maybe = maybeStatement(search, pairs, { of: "payload", text: '"id"' }, 20, 1_000);
        const range = { from: 1e12, to: 2e12 };
        const { where: _none, ...byStart } = inTime;
        const starts = [
          startedStatement(byStart, pairs, range),
          ...windowsOf(byStart, range).map((window) => outsideStatement(byStart, pairs, range, window)),
        ];
        const listed = listedStatement({ ...byStart, sortBy: "startedAt" }, pairs, { limit: 30, all: tasks });
        starts.push(
          ...(listed ? [listed] : []),
          besideStatement(byStart, pairs, range),
          stretchStatement(byStart, pairs, range, 30, 300),
        );
        const { page: likely } = likelyPage(search, pairs, { limit: 30, offset: 0, all: tasks });
        for (const one of [page!, likely, ...skips, ...nears, ...starts, tied, maybe]) {
          const plans = await generic.plansOf(one);
          if (plans.some((plan) => readsAll(plan) || sortsMuch(plan))) bad.push([search, shown(plans)]);
        }
      }
      await generic.forget();
    }, planningOnce);
    expect(bad.slice(0, 3)).toEqual([]);
  });

  test("of parts of minutes all tasks of many types are read at once, not a page of the index for each", async () => {
    const start = Date.now() - 9 * dayMs;
    await database.snapshot(async (session) => {
      const search = newSearch({ created: { start: start + 1, end: start + dayMs + 1 } });
      const [, count] = await searchStatements(session, search);
      const plans = (await plansOf(session, "ANALYZE, TIMING OFF", count!)).filter(
        (plan) => plan["Relation Name"] === "tasks" && plan["Actual Loops"]! > 0,
      );
      const indexes = new Set(plans.map((plan) => plan["Index Name"]));
      expect([...indexes].filter((name) => !name!.startsWith("tasks_lane_own"))).toContain("tasks_pkey");
      const looks = plans.filter(({ "Index Name": name }) => name === "tasks_lane_created");
      expect(looks.reduce((sum, plan) => sum + plan["Actual Loops"]!, 0)).toBeLessThan(20);
    }, planning);
  });

  test("a page at offset 50,000 is merged, not sorted", async () => {
    const deep = newSearch({ offset: 50_000 });
    const merged = [
      deep,
      { ...deep, sortBy: "updatedAt" as const },
      { ...deep, types: ["type-0", "type-1"] },
    ];
    await database.snapshot(async (session) => {
      for (const search of [...merged, newSearch({ offset: 50_000, sortBy: "id" })]) {
        const [page] = await searchStatements(session, search);
        const plans = await plansOf(session, "ANALYZE, TIMING OFF", page!);
        expect(plans.filter(sortsMuch), JSON.stringify(search)).toEqual([]);
        if (search.sortBy !== "id") expect(plans.map((plan) => plan["Node Type"])).toContain("Merge Append");
      }
    }, planning);
  });

  test("every other statement finds its tasks by an index or by their key", async () => {
    const store = createPostgresStore({ url: schema.url });
    await store.open();
    const asked = await recorded(() => runEveryVerb(store));
    await store.close();
    expect(asked.size).toBeGreaterThan(20);
    const bad: string[] = [];
    // Until PostgreSQL 16 such a plan could not be asked for.
    const [{ isOld }] = await queryPostgres(
      `SELECT current_setting('server_version_num')::integer < 160000 AS "isOld"`,
    );
    for (const [statement, values] of asked) {
      // Statements that are prepared get a plan that does not know the values.
      for (const how of statement.once || isOld ? ["COSTS OFF"] : ["COSTS OFF", "GENERIC_PLAN"]) {
        const given = how === "GENERIC_PLAN" ? [] : values;
        await database
          .transaction(async (session) => {
            const plans = await plansOf(session, how, { statement, values: [...given] });
            if (plans.some(readsAll)) bad.push(`${statement.name} (${how}): ${shown(plans)}`);
            throw undone;
          })
          .catch((error) => {
            if (error.cause !== undone) throw error;
          });
      }
    }
    expect(bad).toEqual([]);
  });
});

const undone = new Error("undone");

/** The statements that are sent meanwhile, each with the values it had last; but those of searches, see above. */
async function recorded(work: () => Promise<void>): Promise<Map<Statement, readonly unknown[]>> {
  const asked = new Map<Statement, readonly unknown[]>();
  const { query, transaction, snapshot } = Database.prototype;
  const recording = (session: Session): Session => ({
    query: (statement, values = []) => {
      asked.set(statement, values);
      return session.query(statement, values);
    },
  });
  Database.prototype.query = function (statement, values) {
    asked.set(statement, values ?? []);
    return query.call(this, statement, values);
  };
  Database.prototype.transaction = function (work) {
    return transaction.call(this, (session) => work({ ...session, ...recording(session) })) as never;
  };
  Database.prototype.snapshot = function (work, settings) {
    return snapshot.call(
      this,
      (session) => work(settings ? session : { ...session, ...recording(session) }),
      settings,
    ) as never;
  };
  try {
    await work();
  } finally {
    Object.assign(Database.prototype, { query, transaction, snapshot });
  }
  return asked;
}

/** Every verb that reads or changes tasks, but those that are there to read all of them. */
async function runEveryVerb(store: TaskStore): Promise<void> {
  const types = ["type-0", "type-1", "type-5"];
  ok(await store.registerWorker({ ...newWorker(), types }));
  const several = ok(await store.claimTasks(claimRequest({ types, limit: 20, suspect: true }))).claimed;
  const one = ok(await store.claimTasks(claimRequest({ types: ["type-2"], limit: 20 }))).claimed;
  expect(several.length + one.length).toBe(40);
  const { ref, task, fence } = several[0]!;
  ok(await store.reportProgress([{ ref, taskId: task.id, fence, workerId: "worker-1", logs: [] }]));
  ok(await store.cancelTask(task.id));
  await store.listCancelRequests("worker-1");
  const outcomes = ["completed", "failed", "cancelled", "released"] as const;
  const settlements = [...several, ...one].map((claimed, n) => settlementOf(claimed, outcomes[n % 4]!));
  ok(await store.settleTasks(settlements));
  const failed = several[1]!.task.id;
  ok(await store.retryTask(failed));
  ok(await store.editTask(failed, { priority: 2 }));
  ok(await store.cancelTask(failed));
  ok(await store.deleteTask(failed));
  ok(await store.enqueueTasks([newTask({ idempotencyKey: "once" }), newTask()]));
  ok(await store.enqueueTasks([newTask({ queueDepthMax: tasks })]));
  ok(await store.enqueueTasks(newTasks(20)));
  await runIndexers(store);
  const old = { before: Date.now() - dayMs, limit: 10 };
  ok(await store.pruneTasks({ status: "FAILED", ...old }));
  ok(await store.pruneTasks({ status: "FAILED", types, keep: 5, limit: 10 }));
  ok(await store.reapWorkers({ suspects: [], crashBudget: 3, cancelGraceMs: 60_000 }));
  await store.listWorkers();
  await store.getTask(task.id);
  await store.getTask("resize-image");
  await store.listAttempts(task.id);
  await store.findNearIds(`${task.id.slice(0, 20)}XXXXXX`);
  await store.readPrunable({ status: "COMPLETED", ...old });
  await store.readPrunable({ status: "COMPLETED", types, keep: 5, limit: 10 });
  await tasksOf(store.searchTasks(newSearch({ id: task.id })));
  await countOf(store.countTasks(newSearch({ types })));
  await store.stats();
}

/** Attributes and texts, of new tasks and of those before. */
async function runIndexers(store: TaskStore): Promise<void> {
  const attributes = { user: "u1", sizes: [1, 2] };
  const types = ["type-0"];
  ok(await store.enqueueTasks([{ ...newTask(), type: "type-0", attributes, priority: 1_000 }]));
  ok(await store.enqueueTasks(newTasks(3).map((task) => ({ ...task, attributes }))));
  const { claimed } = ok(await store.claimTasks(claimRequest({ types, limit: 20 })));
  const total = { attributes: { total: 1 } };
  ok(await store.settleTasks(claimed.map((one, n) => settlementOf(one, "completed", n % 2 ? total : {}))));
  ok(await store.saveDefinitions([{ ...newDefinition("type-0"), attributes: ["user"] }]));
  const unfilled = await store.readUnfilled({ types, limit: 20 });
  expect(unfilled).toHaveLength(20);
  ok(await store.writeAttributes(unfilled.map(({ ref }) => ({ ref, attributes: { user: "u2" } }))));
  const unindexed = await store.readUnindexed({ limit: 20 });
  // A task that lies in two pieces of work is given once.
  expect(unindexed.length).toBeGreaterThan(10);
  ok(await store.writeTexts(unindexed.map(({ ref }) => ({ ref, text: "text" }))));
}

function shownValue(value: unknown): string {
  if (value === null) return "NULL";
  return typeof value === "number"
    ? String(value)
    : literal(Array.isArray(value) ? `{${value.map((one) => JSON.stringify(one)).join()}}` : String(value));
}

function flat(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(flat)];
}

/** Reads the table through, or an index of it without regard to its order; by the primary key only what was asked for. */
function readsAll(plan: Plan): boolean {
  if (plan["Node Type"] === "Seq Scan") return /^(tasks|attributes|texts)$/.test(plan["Relation Name"] ?? "");
  const index = plan["Index Name"] ?? "";
  return plan["Node Type"] === "Bitmap Index Scan" && /^tasks_(?!pkey|idempotency)/.test(index);
}

function rowsRead(plans: readonly Plan[]): number {
  return plans
    .filter((plan) => plan["Relation Name"] === "tasks")
    .map(
      (plan) =>
        ((plan["Actual Rows"] ?? 0) + (plan["Rows Removed by Filter"] ?? 0)) * (plan["Actual Loops"] ?? 1),
    )
    .reduce((sum, rows) => sum + rows, 0);
}

function sortsMuch(plan: Plan): boolean {
  const child = plan.Plans?.[0];
  if (!child || !/Sort/.test(plan["Node Type"])) return false;
  return (child["Actual Rows"] ?? 0) * (child["Actual Loops"] ?? 1) > sortedMax;
}

function shown(plans: readonly Plan[]): string {
  return plans
    .map(
      (plan) =>
        `${plan["Node Type"]} ${plan["Relation Name"] ?? ""} ${plan["Index Name"] ?? ""} ${plan["Actual Rows"] ?? ""}`,
    )
    .join("\n");
}
