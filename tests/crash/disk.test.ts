/** A disk that fails to sync, and power that fails: what was acknowledged is there, and nothing half-written is read. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { createDure } from "dure";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import type { Disk } from "../support/power-loss.ts";
import { crashedDisk, readTrace, someMoment, straceFlags } from "../support/power-loss.ts";
import { seeded } from "../support/seeded.ts";
import type { Answer, EnqueueSettings } from "./enqueue-program.ts";

vi.setConfig({ testTimeout: 60_000 });

const source = resolve(import.meta.dirname, "../support/failing-disk.c");
const program = resolve(import.meta.dirname, "enqueue-program.ts");
const compiler = ["cc", "gcc", "clang"].find((name) => spawnSync(name, ["--version"]).status === 0);
// Linux alone lets a process be given another fsync this way, and that needs a C compiler.
const possible = process.platform === "linux" && compiler !== undefined;

const traceable = spawnSync("strace", ["-o", "/dev/null", process.execPath, "--version"]).status === 0;

let folder: string;
let child: ChildProcess | undefined;

beforeAll(ensureBuilt, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dure-disk-"));
});
afterEach(() => {
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

describe.skipIf(!possible)("a disk that fails to sync (needs Linux and a C compiler)", () => {
  let library: string;

  beforeEach(() => {
    library = join(folder, "failing-disk.so");
    const built = spawnSync(compiler!, ["-shared", "-fPIC", "-o", library, source, "-ldl"], {
      encoding: "utf8",
    });
    expect(built.stderr).toBe("");
  });

  test.each([
    ["a caller", false],
    ["a worker and its caller", true],
  ])("acknowledges nothing to %s meanwhile, and nothing that was is lost", async (_who, works) => {
    const broken = join(folder, "broken");
    start(
      { database: join(folder, "tasks.db"), record: join(folder, "record"), payloadLength: 500, works },
      { LD_PRELOAD: library, FAILING_DISK_SWITCH: broken, FAILING_DISK_PATH: "tasks.db" },
    );
    const last = works ? "completed" : "enqueued";
    for (let round = 0; round < 3; round += 1) {
      await moreAnswers(last, 30);
      writeFileSync(broken, "");
      const from = now();
      // A caller that waits for its task goes on waiting.
      if (!works) await moreAnswers("refused", 3);
      await sleep(1_000);
      const to = now();
      rmSync(broken);
      const meanwhile = answers().filter((answer) => answer.from > from && answer.to < to);
      expect(meanwhile.filter(({ what }) => what !== "refused")).toEqual([]);
      for (const { code } of meanwhile) expect(["COMMIT_UNKNOWN", "DATABASE_UNAVAILABLE"]).toContain(code);
    }
    await moreAnswers(last, 30);
    child!.kill("SIGKILL");
    await expectAll();
  });
});

describe.skipIf(!traceable)("power that fails (needs strace, allowed to trace)", () => {
  const crashes = 500;

  test(`loses nothing that was acknowledged, whatever of the rest is on the disk (${crashes} times)`, async () => {
    for (const { problems, told, at } of await crashStates("full")) {
      expect(problems, at).toEqual([]);
      expect(lossesOf(told), at).toEqual([]);
    }
  });

  test("with durability: 'normal' loses the latest, and the file is sound all the same", async () => {
    const states = await crashStates("normal");
    for (const { problems, at } of states) expect(problems, at).toEqual([]);
    // Were there none, the test above would prove nothing.
    expect(states.filter(({ told }) => lossesOf(told).length > 0)).not.toEqual([]);
  });

  interface CrashState {
    /** What SQLite finds wrong with the file. */
    problems: string[];
    /** What had been acknowledged, with what the file says of it. */
    told: { answer: Answer; stored: boolean; completed: boolean }[];
    /** Names the state in a failure. */
    at: string;
  }

  async function crashStates(durability: "full" | "normal"): Promise<CrashState[]> {
    const database = join(folder, "tasks.db");
    const record = join(folder, "record");
    const prefix = join(folder, "trace");
    const dure = createDure({ database });
    await dure.stats();
    await dure.close();
    const before: Disk = new Map([["tasks.db", readFileSync(database)]]);
    const settings: EnqueueSettings = {
      database,
      record,
      durability,
      count: 80,
      payloadLength: 2_000,
      works: true,
    };
    const command = [...straceFlags(prefix), process.execPath, program, JSON.stringify(settings)];
    expect(spawnSync("strace", command, { encoding: "utf8" }).stderr).toBe("");
    const trace = readTrace(prefix, database, record);
    expect(trace.log).toHaveLength(2 * settings.count!);
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seeded(seed);
    return Array.from({ length: crashes }, (_, crash) => {
      const moment = someMoment(trace, random);
      const disk = crashedDisk(trace, before, moment, random);
      const lines = trace.log.filter(({ at }) => at < moment);
      return {
        ...readDisk(
          disk,
          lines.map(({ text }) => JSON.parse(text)),
        ),
        at: `seed ${seed}, crash ${crash}`,
      };
    });
  }

  function readDisk(disk: Disk, answers: readonly Answer[]): Omit<CrashState, "at"> {
    const place = join(folder, "crashed");
    mkdirSync(place);
    for (const [name, bytes] of disk) writeFileSync(join(place, name), bytes);
    const database = new DatabaseSync(join(place, "tasks.db"));
    try {
      const found = database
        .prepare("PRAGMA integrity_check")
        .all()
        .map((row) => String(row.integrity_check));
      const rows = database.prepare("SELECT id, completed_at AS completedAt FROM tasks").all();
      const completedAt = new Map(rows.map((row) => [row.id, row.completedAt]));
      const told = answers.map((answer) => ({
        answer,
        stored: completedAt.has(answer.id),
        completed: (completedAt.get(answer.id) ?? null) !== null,
      }));
      return { problems: found.filter((text) => text !== "ok"), told };
    } finally {
      database.close();
      rmSync(place, { recursive: true });
    }
  }

  function lossesOf(told: CrashState["told"]): string[] {
    return told
      .filter(({ answer, stored, completed }) => !stored || (answer.what === "completed" && !completed))
      .map(({ answer }) => `${answer.id} ${answer.what}`);
  }
});

function start(settings: EnqueueSettings, env: Record<string, string>): void {
  child = spawn(process.execPath, [program, JSON.stringify(settings)], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { PATH: process.env.PATH, ...env },
  });
}

function answers(): Answer[] {
  const file = join(folder, "record");
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

async function moreAnswers(what: Answer["what"], count: number): Promise<void> {
  const countNow = () => answers().filter((answer) => answer.what === what).length;
  const wanted = countNow() + count;
  const end = performance.now() + 20_000;
  while (countNow() < wanted) {
    if (performance.now() > end)
      throw new Error(`Not ${count} more ${what}: ${JSON.stringify(answers().slice(-3))}`);
    await sleep(10);
  }
}

/** Everything acknowledged is there, and the file is sound. */
async function expectAll(): Promise<void> {
  const dure = createDure({ database: join(folder, "tasks.db") });
  for (const { id, what } of answers().filter((answer) => answer.what !== "refused")) {
    const task = await dure.getTaskById(id);
    expect(task, id).toBeDefined();
    if (what === "completed") expect(task!.status, id).toBe("COMPLETED");
  }
  const errors = (await dure.checkHealth({ full: true })).filter(({ level }) => level === "error");
  expect(errors).toEqual([]);
  await dure.close();
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
