/** `dure search` in this process: queries, attributes and paths, and what it says of a search that came to no end. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createProgram } from "../../server/cli/program.ts";
import { createDure } from "../../server/dure.ts";
import { DureInstance } from "../../server/dure-instance.ts";
import type { TaskPage } from "../../server/tasks/core/search.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-search-"));
const database = join(folder, "tasks.db");

/** A picture of user 42 that was resized, and a receipt that failed. */
beforeAll(async () => {
  const dure = createDure({ database });
  const resize = dure.defineTask(
    "resize-image",
    async (task: { payload: { widthPx: number; userId: number } }) => ({ widthPx: task.payload.widthPx }),
    { attributes: { userId: (payload) => payload.userId } },
  );
  const receipt = dure.defineTask(
    "send-receipt",
    async (_task: { payload: { order: number } }): Promise<void> => {
      throw new Error("mailbox full");
    },
    { maxAttempts: 1 },
  );
  await dure.start();
  await resize.run({ widthPx: 640, userId: 42 }, { id: "picture-1" });
  await receipt.run({ order: 17 }, { id: "receipt-17" }).catch(() => {});
  await dure.close();
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

function search(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run("search", ...args);
}

async function run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      said[stream] += text;
      return true;
    });
  }
  const program = createProgram();
  await program.parseAsync(["--database", database, ...args], { from: "user" });
  vi.restoreAllMocks();
  return said;
}

async function idsOf(...args: string[]): Promise<string[]> {
  const { stdout } = await search("--json", "--no-definitions", ...args);
  return JSON.parse(stdout).tasks.map(({ id }: { id: string }) => id);
}

describe("a query", () => {
  test.each<[string, string[]]>([
    ["status:failed", ["receipt-17"]],
    ["-status:failed type:resize*", ["picture-1"]],
    ["userId:42", ["picture-1"]],
    ["userId:43", []],
    ["payload.order:17", ["receipt-17"]],
    ["result.widthPx:>600", ["picture-1"]],
    ['error:"mailbox"', ["receipt-17"]],
    ["created:>2h sort:+created", ["picture-1", "receipt-17"]],
    ["(userId:42 OR status:failed) sort:created", ["receipt-17", "picture-1"]],
    ["has:error", ["receipt-17"]],
  ])("%s", async (query, ids) => {
    expect(await idsOf("--", query)).toEqual(ids);
  });

  test("may be given in several words, beside options", async () => {
    expect(
      await idsOf("--type", "resize-image,send-receipt", "status:failed", "created:>=yesterday"),
    ).toEqual(["receipt-17"]);
  });

  test("with a slip in it is refused, with the place marked", async () => {
    await expect(search("tag:x statsu:failed")).rejects.toMatchObject({
      code: "INVALID_QUERY",
      message: expect.stringMatching(/column 7.*status[\s\S]*\n {2}tag:x statsu:failed\n {8}\^{6}$/),
    });
  });
});

test("attributes and places in the payload are options too", async () => {
  expect(await idsOf("--attribute", "userId=42")).toEqual(["picture-1"]);
  expect(await idsOf("--attribute", "userId=42", "--attribute", "userId=43")).toEqual(["picture-1"]);
  expect(await idsOf("--payload", "order=17")).toEqual(["receipt-17"]);
  expect(await idsOf("--payload", "order=17", "--payload", "order=18")).toEqual([]);
  await expect(search("--attribute", "userId")).rejects.toThrow(
    '--attribute is "userId"; write it like userId=42.',
  );
});

test("--count prints how many there are", async () => {
  expect((await search("--count", "status:completed,failed")).stdout).toBe("2\n");
  expect((await search("--count", "--json", "status:failed")).stdout).toContain('"total": 1');
});

test("a full page of a query does not count the rest", async () => {
  const { stdout, stderr } = await search("--limit", "1", "payload.order:17 OR userId:42");
  expect(stdout).toContain("receipt-17");
  expect(stderr).toContain("1 task; --count tells how many there are.");
  expect(stderr).toContain("Next page: add --cursor ");
});

test("the next page of a query about now is found by its cursor", async () => {
  const first = JSON.parse(
    (await search("--json", "--no-definitions", "--limit", "1", "created:>2h")).stdout,
  );
  expect(await idsOf("--limit", "1", "--cursor", first.nextCursor, "created:>2h")).toHaveLength(1);
});

test("--by counts what a search finds by what it has in common", async () => {
  const plain = (await search("--by", "type,status")).stdout.split("\n");
  expect(plain[0]).toMatch(/^type +status +count$/);
  for (const line of [/^resize-image +COMPLETED +1$/, /^send-receipt +FAILED +1$/])
    expect(plain.filter((text) => line.test(text))).toHaveLength(1);
  const { groups, total } = JSON.parse(
    (await search("--json", "--by", "attribute.userId", "status:completed")).stdout,
  );
  expect(groups).toEqual([{ "attribute.userId": 42, count: 1 }]);
  expect(total.count).toBe(1);
  await expect(search("--by", "tpye")).rejects.toThrow(/by/);
});

test("--by says of an attribute that tasks without it are in no group, or that there is no such attribute", async () => {
  expect((await search("--by", "attribute.userId")).stderr).toContain(
    "A task without attribute.userId is in no group",
  );
  expect((await search("--by", "attribute.userId", "userId:42")).stderr).not.toContain("in no group");
  const { stdout, stderr } = await search("--by", "attribute.usrId");
  expect(stdout).toBe("");
  expect(stderr).toContain('No definition declares an attribute "usrId". Did you mean "userId"?');
});

test("--by a stretch of time says that it is of UTC", async () => {
  expect((await search("--by", "day")).stdout).toMatch(/^day +count\n\d{4}-\d\d-\d\d UTC +\d/);
  expect((await search("--by", "hour")).stdout).toMatch(/\n\d{4}-\d\d-\d\d \d\d:00 UTC +\d/);
});

test("of those that are ranked it does not say that the time was up", async () => {
  const page = { tasks: [], complete: false, hint: "Only the newest 1,000 tasks that fit are ranked." };
  vi.spyOn(DureInstance.prototype, "searchTaskPage").mockResolvedValueOnce(page);
  const { stderr } = await search("mailbox sort:relevance");
  expect(stderr).not.toMatch(/time was up|--budget|cursor/);
  expect(stderr).toContain("Not all tasks that may fit were looked at.\nOnly the newest 1,000");
});

test("of a budget that ran out it says how far the search came, and of a cursor where there is one", async () => {
  const page = { tasks: [], complete: false, searchedBackTo: new Date(0), hint: "Narrow it." };
  const told = async (found: TaskPage) => {
    vi.spyOn(DureInstance.prototype, "searchTaskPage").mockResolvedValueOnce(found);
    return (await search("mailbox")).stderr;
  };
  expect(await told(page)).toMatch(/time was up: it came to .*\. --budget gives it longer/);
  expect(await told({ ...page, nextCursor: "there" })).toContain("The cursor goes on from there; --budget");
});

describe("of an archive", () => {
  const archive = join(folder, "archive");
  beforeAll(() => mkdirSync(archive));

  test("--explain is refused with what to do instead", async () => {
    await expect(search("--archive", archive, "--explain")).rejects.toThrow("leave out files");
  });

  test("a type that nobody knows is told", async () => {
    const { stderr } = await search("--archive", archive, "--type", "resize-imgae");
    expect(stderr).toContain('Did you mean "resize-image"?');
  });

  test("before the file of today was read to its end it says so", async () => {
    const page = { tasks: [], complete: false, files: { read: 1, total: 1 }, damaged: [] };
    vi.spyOn(DureInstance.prototype, "searchArchive").mockResolvedValueOnce(page);
    const { stderr } = await search("--archive", archive);
    expect(stderr).toContain("time was up: it did not come to the end of the newest file.");
  });
});

test("an unknown id may be in an archive", async () => {
  await expect(run("show", "nobody")).rejects.toMatchObject({
    code: "TASK_NOT_FOUND",
    message: expect.stringContaining("--archive <folder> looks for it"),
  });
});

describe("--explain", () => {
  test("says which way the tasks are found, and what would be cheaper", async () => {
    const declared = await search("--explain", "userId:42");
    expect(declared.stdout).toMatch(/index of attributes \(attribute userId\)/);
    expect(declared.stdout).not.toMatch(/cheaper/);
    const walked = await search("--explain", "payload.order:>1");
    expect(walked.stdout).toMatch(/Walks over the tasks/);
    expect(walked.stdout).toMatch(/tested +payload\.order:>1/);
    expect(walked.stdout.replace(/\s+/g, " ")).toContain("Declare an attribute of payload.order");
    expect(JSON.parse((await search("--json", "--explain", "userId:42")).stdout)).toMatchObject({
      source: "attributes",
      candidates: 1,
    });
  });
});

test("an action says that tasks of the command line were judged without their attributes", async () => {
  await run("enqueue", "resize-image", '{"widthPx":1,"userId":44}', "--id", "picture-44", "--delay", "1h");
  const dry = ["--query", "userId:44", "--dry-run"];
  const { stdout, stderr } = await run("cancel", ...dry);
  expect(stdout).toBe("");
  expect(stderr).toContain("About 1 tasks wait for an attribute");
  expect(stderr).toContain("0 tasks would be");
  expect(JSON.parse((await run("cancel", "--json", ...dry)).stdout)).toMatchObject({
    matched: 0,
    unfilled: 1,
  });
  const { stdout: counts, stderr: note } = await run("search", "--by", "attribute.userId", "--no-color");
  expect(counts).toMatch(/^attribute\.userId +count\n42 +1\n$/);
  expect(note).toContain("Without an attribute that waits to be filled in: about 1 task.");
  await run("cancel", "picture-44");
  await run("delete", "picture-44", "--yes");
});

test("an empty --text is refused, for an empty variable must not find every task", async () => {
  await expect(search("--text", "")).rejects.toThrow(
    "--text is empty, which every task has in it; leave it out.",
  );
});
