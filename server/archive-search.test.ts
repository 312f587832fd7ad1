import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDure, type Dure } from "./dure.ts";
import type { ArchivedTask } from "./tasks/core/store.ts";
import { type Task, TaskStatus } from "./tasks/core/task.ts";
import { Archive } from "./tasks/runtime/archive/archive.ts";
import { searchArchiveIn } from "./tasks/runtime/archive/archive-search.ts";

const dayMs = 86_400_000;
const first = Date.parse("2026-11-01T10:00:00Z");
let folder: string;
let dure: Dure;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-"));
  dure = createDure({ database: ":memory:", retention: { archiveTo: folder } });
});
afterEach(async () => {
  await dure.close();
  rmSync(folder, { recursive: true, force: true });
});

function archived(place: number, facts: Partial<Task> = {}): ArchivedTask {
  const at = new Date(first + place * (dayMs / 4));
  const id = `task-${String(place).padStart(3, "0")}`;
  const failed = place % 3 === 0;
  return {
    task: {
      id,
      type: place % 2 === 0 ? "resize-image" : "send-receipt",
      status: failed ? TaskStatus.FAILED : TaskStatus.COMPLETED,
      createdAt: at,
      updatedAt: new Date(at.getTime() + 1_000),
      startedAt: new Date(at.getTime() + 500),
      completedAt: new Date(at.getTime() + 1_000),
      payload: { place, at: new Date(place), words: `picture ${place}` },
      ...(failed ? { error: "ETIMEDOUT" } : { result: new Map([["place", BigInt(place)]]) }),
      maxAttempts: 1,
      attempts: 1,
      queue: "default",
      priority: 0,
      version: 3,
      ...facts,
    },
    attempts: [
      {
        taskId: id,
        fence: 1,
        number: 1,
        startedAt: new Date(at.getTime() + 500),
        endedAt: new Date(at.getTime() + 1_000),
        outcome: failed ? "failed" : "completed",
        logs: [{ at: new Date(at.getTime() + 600), level: "info", message: `logged ${place}` }],
      },
    ],
  };
}

async function fill(count = 40): Promise<ArchivedTask[]> {
  const records = Array.from({ length: count }, (_, place) => archived(place));
  const archive = new Archive(folder);
  for (let at = 0; at < count; at += 3) await archive.append(records.slice(at, at + 3));
  return records;
}

const third = ({ place }: { place: number }) => place % 3;
const ids = ({ tasks }: { tasks: readonly Task[] }) => tasks.map(({ id }) => id);
const files = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".gz"))
    .sort();

describe("searchArchive", () => {
  test("finds by every kind of filter, as the store does", async () => {
    const records = await fill();
    const all = records.map(({ task }) => task).reverse();
    const fitting = async (options: object, fits: (task: Task) => boolean) => {
      const page = await dure.searchArchive({ limit: 1_000, ...options });
      expect(ids(page)).toEqual(all.filter(fits).map(({ id }) => id));
      expect(page).toMatchObject({ complete: true, damaged: [] });
      expect((await dure.countArchive(options)).count).toBe(page.tasks.length);
      return page;
    };
    await fitting({}, () => true);
    await fitting({ status: "FAILED" }, ({ status }) => status === "FAILED");
    await fitting({ type: "resize-image" }, ({ type }) => type === "resize-image");
    await fitting(
      { query: "status:failed type:send-receipt" },
      ({ status, type }) => status === "FAILED" && type === "send-receipt",
    );
    await fitting({ query: "payload.place:7" }, ({ payload }) => payload.place === 7);
    await fitting({ text: "logged 11" }, ({ id }) => id === "task-011");
    await fitting({ text: "etimedout" }, ({ status }) => status === "FAILED");
    const start = new Date(first + 3 * dayMs);
    const end = new Date(first + 5 * dayMs);
    const { files: read } = await fitting(
      { createdAtRange: { start, end } },
      ({ createdAt }) => createdAt >= start && createdAt < end,
    );
    expect(read.read).toBeLessThan(5);
    await fitting({ updatedAtRange: { end } }, ({ updatedAt }) => updatedAt < end);
  });

  test("the same without the files of bounds", async () => {
    await fill();
    const options = { query: "status:failed created:>2026-11-04", limit: 100 };
    const before = await dure.searchArchive(options);
    for (const name of readdirSync(folder)) if (name.endsWith(".bounds")) rmSync(join(folder, name));
    expect(ids(await dure.searchArchive(options))).toEqual(ids(before));
    expect(before.tasks.length).toBeGreaterThan(3);
  });

  test("records come back whole", async () => {
    const [record] = await fill(1);
    expect(await dure.getArchivedTask("task-000")).toEqual(record);
    expect((await dure.searchArchive()).tasks).toEqual([record!.task]);
    expect(await dure.getArchivedTask("nobody")).toBeUndefined();
  });

  test("an id that tells a time which is not when the task was stored", async () => {
    await new Archive(folder).append([archived(0, { id: "7ZZZZZZZZZZZZZZZZZZZZZZZZZ" }), archived(9)]);
    expect((await dure.getArchivedTask("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"))?.task.payload.place).toBe(0);
  });

  test.each([
    ["createdAt", "desc"],
    ["createdAt", "asc"],
    ["completedAt", "desc"],
    ["completedAt", "asc"],
    ["id", "asc"],
    ["duration", "desc"],
  ] as const)("pages by cursor and by offset in the order of %s %s", async (sortBy, sortOrder) => {
    await fill();
    const order = { sortBy, sortOrder };
    const whole = ids(await dure.searchArchive({ ...order, limit: 100 }));
    expect(whole).toHaveLength(40);
    const paged: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await dure.searchArchive({ ...order, limit: 7, ...(cursor && { cursor }) });
      if (cursor) expect(page.previousCursor).toBeDefined();
      paged.push(...ids(page));
      cursor = page.nextCursor;
    } while (cursor);
    expect(paged).toEqual(whole);
    expect(ids(await dure.searchArchive({ ...order, limit: 7, offset: 9 }))).toEqual(whole.slice(9, 16));
    const second = await dure.searchArchive({ ...order, limit: 7, offset: 7 });
    const back = await dure.searchArchive({ ...order, limit: 7, cursor: second.previousCursor! });
    expect(ids(back)).toEqual(whole.slice(0, 7));
  });

  test("the newest page reads only the newest files", async () => {
    await fill();
    const { files: read, tasks } = await dure.searchArchive({ limit: 4 });
    expect(tasks[0]!.id).toBe("task-039");
    expect(read).toEqual({ read: 2, total: files().length });
  });

  test("a task that was written twice is answered once, as it was last", async () => {
    const records = await fill(8);
    const archive = new Archive(folder);
    await archive.append(records.slice(2, 5));
    const later = archived(3, { version: 5, error: "later" });
    await archive.append([later]);
    const page = await dure.searchArchive();
    expect(ids(page)).toEqual(records.map(({ task }) => task.id).reverse());
    expect((await dure.countArchive()).count).toBe(8);
    expect((await dure.getArchivedTask("task-003"))?.task.error).toBe("later");
    const { groups } = await dure.summarizeArchive({ percentiles: true, id: "task-003" });
    expect(groups).toMatchObject([{ status: "FAILED", count: 1, waitMs: { max: 500 }, runMs: { max: 500 } }]);
  });

  test("tasks are counted by what they have in common, as those of the database are", async () => {
    const records = await fill();
    for (const type of ["resize-image", "send-receipt"])
      dure.defineTask(type, async () => undefined, { attributes: { third } });
    const by = ["type", "day", "attribute.third"] as const;
    const summary = await dure.summarizeArchive({ query: "status:failed sort:+completed", by });
    const expected = new Map<string, number>();
    for (const { task } of records.filter(({ task }) => task.status === "FAILED")) {
      const key = [task.type, task.createdAt.toISOString().slice(0, 10), third(task.payload)].join(" ");
      expected.set(key, (expected.get(key) ?? 0) + 1);
    }
    const counted = summary.groups.map((group): [string, number] => [
      [group.type, group.day?.toISOString().slice(0, 10), group["attribute.third"]].join(" "),
      group.count,
    ]);
    expect(new Map(counted)).toEqual(expected);
    expect(summary).toMatchObject({
      count: 14,
      complete: true,
      damaged: [],
      files: { total: files().length },
    });
    expect((await dure.summarizeArchive()).groups).toEqual([
      { status: "COMPLETED", count: 26 },
      { status: "FAILED", count: 14 },
    ]);
    const wrong = dure.summarizeArchive({ by: "sort" as never });
    await expect(wrong).rejects.toThrow("summarizeArchive(options)");
  });

  test("what can be read of a file that is cut short is read, and what follows it", async () => {
    const archive = new Archive(folder);
    const many = Array.from({ length: 300 }, (_, place) =>
      archived(0, {
        id: `many-${place}`,
        payload: { noise: Array.from({ length: 40 }, (_, at) => Math.sin(place * 40 + at)) },
      }),
    );
    await archive.append(many.slice(0, 200));
    const path = join(folder, files()[0]!);
    truncateSync(path, Math.floor(readFileSync(path).length / 2));
    await archive.append(many.slice(200));
    const page = await dure.searchArchive({ limit: 1_000 });
    expect(page.damaged).toEqual(files());
    const found = new Set(ids(page));
    for (let place = 200; place < 300; place++) expect(found).toContain(`many-${place}`);
    expect(found.size).toBeGreaterThan(150);
    expect(found.size).toBeLessThan(300);
  });

  test("a byte that flipped, lines that are no tasks, and a file that is empty", async () => {
    await fill(8);
    const [one, two] = files();
    const bytes = readFileSync(join(folder, one!));
    bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
    writeFileSync(join(folder, one!), bytes);
    appendFileSync(join(folder, two!), gzipSync('{"no":"task"}\n'));
    writeFileSync(join(folder, "tasks-2026-10-01.ndjson.gz"), "");
    writeFileSync(join(folder, "notes.txt"), "not ours");
    const page = await dure.searchArchive();
    expect(page.damaged).toEqual([one, two]);
    expect(ids(page)).toEqual(expect.arrayContaining(["task-007", "task-006", "task-005"]));
  });

  test("when its time is up it says how far it came, and by the time of the end goes on from there", async () => {
    await fill();
    const look = (options: object) => {
      let at = 0;
      const clock = { ...dure.instance.clock, now: () => Date.now(), monotonic: () => ++at };
      return searchArchiveIn({ ...dure.instance, clock }, folder, options);
    };
    for (const sortOrder of ["desc", "asc"] as const) {
      const order = { sortBy: "completedAt", sortOrder, limit: 100 } as const;
      const whole = ids(await dure.searchArchive(order));
      const found: string[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await look({ ...order, budget: 9, ...(cursor && { cursor }) });
        expect(page.complete).toBe(page.searchedBackTo === undefined);
        found.push(...ids(page));
        cursor = page.nextCursor;
        pages += 1;
      } while (cursor && pages < 50);
      expect(found).toEqual(whole);
      expect(pages).toBeGreaterThan(3);
    }
    const partial = await look({ budget: 9 });
    expect(partial).toMatchObject({
      complete: false,
      searchedBackTo: expect.any(Date),
      hint: expect.any(String),
    });
    expect(partial.nextCursor).toBeUndefined();
  });

  test("while the file of today is read, it does not say that what is to come was looked at", async () => {
    await fill();
    const [newest] = (await dure.searchArchive({ sortBy: "completedAt", limit: 1 })).tasks;
    for (const sortBy of ["createdAt", "completedAt"] as const) {
      let at = 0;
      const now = () => newest!.completedAt!.getTime();
      const clock = { ...dure.instance.clock, now, monotonic: () => ++at };
      const found = await searchArchiveIn({ ...dure.instance, clock }, folder, { sortBy, budget: 1 });
      expect(found).toMatchObject({ complete: false, tasks: [], files: { read: 1 } });
      expect(found).not.toHaveProperty("searchedBackTo");
    }
  });

  test("a type that neither the database nor the archive knows is told, with what may be meant", async () => {
    await fill();
    expect((await dure.searchArchive({ type: "resize-imgae" })).hint).toBe(
      'No task "resize-imgae" is defined in this database. Did you mean "resize-image"?',
    );
    expect((await dure.searchArchive({ query: "userId:3" })).hint).toContain("No definition declares");
    const known = await dure.searchArchive({ type: "resize-image", status: "CANCELLED" });
    expect(known).toMatchObject({ tasks: [], complete: true });
    expect(known).not.toHaveProperty("hint");
  });

  test("an instance without an archive says so; an archive without a folder is empty", async () => {
    const other = createDure({ database: ":memory:" });
    await expect(other.searchArchive()).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await other.close();
    rmSync(folder, { recursive: true });
    expect(await dure.searchArchive()).toMatchObject({
      tasks: [],
      complete: true,
      files: { read: 0, total: 0 },
    });
    expect(await dure.summarizeArchive()).toMatchObject({ groups: [], count: 0, complete: true });
    await expect(dure.searchArchive({ updatedSince: "now" })).rejects.toMatchObject({
      code: "INVALID_OPTION",
    });
  });
});
