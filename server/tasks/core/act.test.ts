import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createDure, type Dure } from "../../dure.ts";
import type { ActionSearch, ActReport, TaskAction } from "./act.ts";

let dure: Dure;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async ({ payload }) => {
    if (payload.order % 2 === 0) throw new Error("connect ETIMEDOUT");
  });
  await dure.start();
  for (let order = 1; order <= 250; order++) {
    await dure.enqueueTask("send-receipt", { order }, order > 230 ? { delay: "1h" } : {});
  }
  for (const task of await dure.searchTasks({
    limit: 1_000,
    definitions: false,
    payload: { order: { lte: 230 } },
  })) {
    await dure.waitForTask(task.id);
  }
});

afterAll(() => dure.close());

test("a dry run says how many, shows some, and changes nothing", async () => {
  const report = await dure.actOnTasks({ status: "FAILED" }, "retry", { dryRun: true });
  expect(report).toMatchObject({ matched: 115, changed: 0, skipped: 0 });
  expect(report.sample).toHaveLength(10);
  expect(await dure.countTasks({ status: "FAILED" })).toBe(115);
});

test("a dry run asks for no instant before which tasks were changed: counts without one are kept", async () => {
  const now = vi.spyOn(Date, "now").mockReturnValue(Date.now() - 3_600_000);
  expect(await dure.actOnTasks({}, "delete", { dryRun: true })).toMatchObject({ matched: 230 });
  now.mockRestore();
});

test("a search for tasks that the action is not for finds none", async () => {
  const both = { status: ["COMPLETED", "FAILED"] as const };
  expect(await dure.actOnTasks({ status: "COMPLETED" }, "retry")).toMatchObject({ matched: 0, sample: [] });
  expect(await dure.actOnTasks({ query: "status:completed" }, "retry")).toMatchObject({ matched: 0 });
  expect(await dure.actOnTasks(both, "retry", { dryRun: true })).toMatchObject({ matched: 115 });
  expect(await dure.actOnTasks(both, "delete", { dryRun: true })).toMatchObject({ matched: 230 });
});

test("every task that fits is retried once, though each fails again meanwhile", async () => {
  const seen: number[] = [];
  const report = await dure.actOnTasks({ query: "status:failed error:etimedout" }, "retry", {
    onProgress: ({ changed }) => seen.push(changed),
  });
  expect(report).toMatchObject({ matched: 115, changed: 115, skipped: 0, aborted: false });
  expect(seen).toEqual([100, 115]);
  await expect.poll(() => dure.countTasks({ status: "FAILED" })).toBe(115);
  const [task] = await dure.searchTasks({ status: "FAILED", limit: 1 });
  expect(await dure.listAttempts(task!.id)).toHaveLength(2);
});

test("tasks whose status the action is not for are not in the set", async () => {
  const report = await dure.actOnTasks({ payload: { order: { gt: 220 } } }, "cancel");
  expect(report).toMatchObject({ matched: 20, changed: 20, skipped: 0 });
  expect(await dure.countTasks({ status: "CANCELLED" })).toBe(20);
});

test("a signal ends it between two tasks, and a rate is kept", async () => {
  const stop = new AbortController();
  const began = performance.now();
  const report = await dure.actOnTasks({ status: "COMPLETED" }, "delete", {
    rate: 200,
    signal: stop.signal,
    onProgress: ({ changed }) => {
      if (changed === 100) stop.abort();
    },
  });
  expect(report).toMatchObject({ matched: 115, changed: 100, aborted: true });
  expect(performance.now() - began).toBeGreaterThan(350);
  expect(await dure.countTasks({ status: "COMPLETED" })).toBe(15);
});

test("tasks whose texts wait to be indexed are acted on as well", async () => {
  const own = createDure({ database: ":memory:", logger: silent });
  const report = own.defineTask("nightly-report", async () => undefined);
  const enqueue = (count: number) =>
    report.enqueueMany(Array.from({ length: count }, (_, n) => ({ payload: n === 0 ? "needle" : "hay" })));
  await enqueue(2_200);
  await own.rebuildTexts();
  await enqueue(2_100);
  expect(await own.searchTaskPage({ text: "needle" })).toMatchObject({ complete: false, unindexed: 2_100 });
  expect(await own.actOnTasks({ text: "needle" }, "cancel")).toMatchObject({ changed: 2, skipped: 0 });
  await own.close();
});

test("a search that is a page of a list is refused, and nothing is done", async () => {
  const left = await dure.countTasks({ status: "PENDING" });
  for (const dropped of [
    { limit: 1 },
    { offset: 1 },
    { sortBy: "id" },
    { sortOrder: "asc" },
    { cursor: "x" },
  ]) {
    await expect(dure.actOnTasks(dropped as object, "cancel")).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
    await expect(dure.startAction(dropped as object, "cancel")).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  }
  await expect(dure.actOnTasks(undefined as never, "cancel")).rejects.toMatchObject({
    code: "INVALID_OPTION",
  });
  expect(await dure.countTasks({ status: "PENDING" })).toBe(left);
});

test.each([
  { priority: 5_000 },
  { priority: "high" },
  { prio: 3 },
  { delay: "1h", runAt: new Date() },
  { runAt: new Date(8e15) },
  { runAt: new Date("1900-01-01") },
  {},
  { priority: undefined },
])("an impossible edit is refused before anything is stored or audited: %j", async (edit) => {
  const refused = { code: "INVALID_OPTION" };
  const before = await dure.readAudit({ limit: 1_000 });
  const search = { payload: { order: 240 } };
  const options = { edit: edit as never };
  await expect(dure.actOnTasks(search, "edit", options)).rejects.toMatchObject(refused);
  await expect(dure.actOnTasks({ type: "nobody" }, "edit", options)).rejects.toMatchObject(refused);
  await expect(dure.actOnTasks(search, "edit", { ...options, dryRun: true })).rejects.toMatchObject(refused);
  await expect(dure.startAction(search, "edit", options)).rejects.toMatchObject(refused);
  const [task] = await dure.searchTasks(search);
  await expect(dure.editTask(task!.id, edit as never)).rejects.toMatchObject(refused);
  expect(await dure.readAudit({ limit: 1_000 })).toEqual(before);
  expect(await dure.countTasks({ type: "dure.act-on-tasks" })).toBe(0);
});

test.each<ActionSearch>([
  { query: "" },
  { query: "  ", budget: "none" },
  { query: "sort:id" },
  { type: undefined, payload: { u: undefined } },
  { attributes: {} },
  { createdAtRange: {} },
  { createdAtRange: { start: undefined } } as never,
  { and: [{}] },
  { or: [{ type: "send-receipt" }, { type: undefined }] },
])("filters that say nothing are no search for every task: %j", async (search) => {
  const refused = { code: "INVALID_OPTION", message: expect.stringContaining("{}") };
  for (const dryRun of [true, false])
    await expect(dure.actOnTasks(search, "delete", { dryRun })).rejects.toMatchObject(refused);
  await expect(dure.startAction(search, "delete")).rejects.toMatchObject(refused);
});

test.each<ActionSearch>([{}, { budget: "none" }, { definitions: false }, { query: "type:*" }])(
  "every task is meant by %j",
  async (search) => {
    const { matched } = await dure.actOnTasks(search, "retry", { dryRun: true });
    expect(matched).toBe(
      (await dure.actOnTasks({ status: ["FAILED", "CANCELLED"] }, "retry", { dryRun: true })).matched,
    );
  },
);

test("an action that finds nothing to do says why nothing can, or how many it is not for", async () => {
  const hint = async (search: ActionSearch, action: TaskAction) =>
    (await dure.actOnTasks(search, action, { dryRun: true })).hint;
  expect(await hint({ query: "widthPx:3" }, "retry")).toMatch(
    /No definition declares an attribute "widthPx"/,
  );
  expect(await hint({ type: "send-reciept" }, "delete")).toMatch(/Did you mean "send-receipt"/);
  const failed = await dure.countTasks({ status: "FAILED" });
  const fit = `${failed} tasks fit, but the action 'cancel' is for those that are PENDING or RUNNING.`;
  expect(await hint({ status: "FAILED" }, "cancel")).toBe(fit);
  expect((await dure.actOnTasks({ status: "FAILED" }, "cancel")).hint).toBe(fit);
  expect(await hint({ status: "FAILED" }, "retry")).toBeUndefined();
});

test("progress is told as often as a rate lets something be done", async () => {
  const seen: number[] = [];
  const search = { query: "status:failed" };
  const stop = new AbortController();
  const onProgress = ({ changed }: ActReport) => {
    seen.push(changed);
    if (seen.length === 3) stop.abort();
  };
  await dure.actOnTasks(search, "retry", { rate: 20, signal: stop.signal, onProgress });
  expect(seen).toEqual([2, 4, 6]);
});

test("at least what was found fits, whatever an estimate says", async () => {
  const store = await dure.instance.store();
  const [found, stopped] = [store.searchTasks.bind(store), { value: 0, id: "" }];
  const search = vi.spyOn(store, "searchTasks");
  search.mockImplementationOnce(found).mockResolvedValue({ tasks: [], stoppedAt: stopped });
  const count = vi.spyOn(store, "countTasks").mockResolvedValue({ count: 0, errorMax: 300 });
  const report = await dure.actOnTasks({ payload: { order: { gt: 0 } } }, "delete", { dryRun: true });
  for (const spied of [search, count]) spied.mockRestore();
  expect(report).toMatchObject({ matched: 10 });
  expect(report.hint).toBeUndefined();
});

test("what cannot be asked is refused", async () => {
  for (const action of ["explode", undefined, null] as never[]) {
    await expect(dure.actOnTasks({}, action)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(dure.startAction({}, action)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  }
  for (const options of [{ signal: "stop" }, { onProgress: 5 }] as object[])
    await expect(dure.actOnTasks({}, "cancel", options)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(dure.actOnTasks({}, "edit")).rejects.toMatchObject({ code: "INVALID_OPTION" });
  await expect(dure.actOnTasks({ query: "status:done" }, "retry")).rejects.toMatchObject({
    code: "INVALID_QUERY",
  });
});
