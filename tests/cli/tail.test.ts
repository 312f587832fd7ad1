/** `dure tail` in this process: its lines, its documents, and its end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProgram } from "../../server/cli/program.ts";
import { createDure, type Dure } from "../../server/dure.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-tail-"));
const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
let database: string;
let dure: Dure;
/** What a handler of `{ waits: true }` waits for. */
let { promise: released, resolve: release } = Promise.withResolvers<void>();
let said: { stdout: string; stderr: string };

beforeEach(async () => {
  ({ promise: released, resolve: release } = Promise.withResolvers<void>());
  database = join(mkdtempSync(join(folder, "case-")), "tasks.db");
  dure = createDure({ database });
  dure.defineTask("send-receipt", async ({ payload }, { log }) => {
    log.info("asked the mail server", { host: "smtp.example\u001b[2J" });
    if (payload.waits) {
      await released;
      log.warn("it was slow");
    }
    if (payload.fail) throw new Error("mailbox\u001b[2J full");
  });
  await dure.stats();
  said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    vi.spyOn(process[stream], "write").mockImplementation((text) => {
      said[stream] += text;
      return true;
    });
  }
});
afterEach(async () => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  await dure.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a search that nothing can fit says why while it waits", async () => {
  await tail(
    ["foo:bar"],
    async () => undefined,
    () => true,
  );
  expect(said.stderr).toContain('No definition declares an attribute "foo".');
  said.stderr = "";
  await dure.enqueueTask("send-receipt", { order: 17 }, { tags: ["a or b"] });
  await tail(
    ["a or b", "--type", "send-receipt"],
    async () => undefined,
    () => true,
  );
  expect(said.stderr).not.toContain("OR");
});

/** Runs until `isEnough`, then ends it as Ctrl-C does. */
async function tail(
  args: string[],
  act: () => Promise<unknown>,
  isEnough: () => boolean,
  hasBegun = () => said.stderr.includes("Ctrl-C"),
): Promise<void> {
  const before = new Set<unknown>(signals.flatMap((signal) => process.listeners(signal)));
  const ended = createProgram().parseAsync(["--database", database, "tail", ...args], { from: "user" });
  await expect.poll(hasBegun).toBe(true);
  await act();
  await expect.poll(isEnough).toBe(true);
  for (const listener of process.listeners("SIGINT"))
    if (!before.has(listener)) (listener as unknown as (signal: string) => void)("SIGINT");
  await ended;
  for (const signal of signals)
    for (const listener of process.listeners(signal))
      if (!before.has(listener)) process.off(signal, listener);
  expect(process.exitCode ?? 0).toBe(0);
}

test("a line for each change, with logs, and nothing that a terminal would obey", async () => {
  const act = async () => {
    await dure.start();
    await dure.enqueueTask("send-receipt", { fail: true }, { id: "receipt-1" });
  };
  const isTold = () => ["mail server", "mailbox"].every((text) => said.stdout.includes(text));
  await tail(["--logs", "type:send-receipt"], act, isTold);
  expect(said.stdout).toMatch(/^\d\d:\d\d:\d\d {2}\+/);
  expect(said.stdout).toMatch(/[+~] {2}FAILED {5}send-receipt {2}receipt-1 {2}mailbox full/);
  expect(said.stdout).toMatch(
    /\n {11}\d\d:\d\d:\d\d info asked the mail server \{"host":"smtp\.example[^\n]*"\}\n/,
  );
  expect(said.stdout).not.toContain("\u001b");
});

test("what running tasks log is told as it comes, each line once", async () => {
  const act = async () => {
    await dure.start();
    await dure.enqueueTask("send-receipt", { waits: true }, { id: "receipt-1" });
    await expect.poll(() => said.stdout).toContain("info asked the mail server");
    expect(said.stdout).not.toContain("COMPLETED");
    release();
  };
  await tail(["--logs"], act, () => said.stdout.includes("it was slow"));
  const logged = said.stdout.split("\n").filter((line) => /^ {11}/.test(line));
  expect(logged.map((line) => line.trim().slice(9))).toEqual([
    expect.stringMatching(/^info asked the mail server \{/),
    "warn it was slow",
  ]);
});

test("in a terminal what does not fit stands below, and no word is broken", async () => {
  const isTTY = Object.getOwnPropertyDescriptor(process.stdout, "isTTY");
  const columns = Object.getOwnPropertyDescriptor(process.stdout, "columns");
  Object.defineProperties(process.stdout, {
    isTTY: { value: true, configurable: true },
    columns: { value: 60, configurable: true },
  });
  try {
    const message = "the mail server took no letter to anybody of order 4711 within ten minutes";
    dure.defineTask("send-letter", async (_task, context) => {
      context.log.info(message);
      throw new Error(message);
    });
    const act = async () => {
      await dure.start();
      await dure.enqueueTask("send-letter", {}, { id: "letter-1" });
    };
    await tail(["--logs", "--no-color"], act, () => said.stdout.split("within ten minutes").length > 2);
    const lines = stripVTControlCharacters(said.stdout).split("\n");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
    const below = lines.filter((line) => line.startsWith(" ")).map((line) => line.trim());
    expect(below.join(" ").split(message)).toHaveLength(3);
  } finally {
    for (const [name, before] of [
      ["isTTY", isTTY],
      ["columns", columns],
    ] as const)
      if (before) Object.defineProperty(process.stdout, name, before);
      else delete (process.stdout as any)[name];
  }
});

test("with --json a document on each line, and from before by --since", async () => {
  await dure.enqueueTask("send-receipt", {}, { id: "receipt-1" });
  const documents = () =>
    said.stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  const act = () => dure.enqueueTask("send-receipt", {}, { id: "receipt-2" });
  await tail(
    ["--json", "--since", "10m", "--status", "pending"],
    act,
    () => said.stdout.includes("receipt-2"),
    () => said.stdout.includes("receipt-1"),
  );
  expect(documents().map(({ change, task }) => `${change} ${task.id}`)).toEqual([
    "changed receipt-1",
    "entered receipt-2",
  ]);
  const { cursor } = documents()[0];
  said.stdout = "";
  const cancel = () => dure.cancelTask("receipt-2");
  await tail(
    ["--json", "--since", cursor],
    cancel,
    () => said.stdout.includes("CANCELLED"),
    () => true,
  );
  expect(documents().map(({ task }) => task.id)).toContain("receipt-2");
});
