/** `dure top`: its rates, its picture, and what it does to a real terminal. */
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import pc from "picocolors";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Output } from "../../server/cli/output.ts";
import { Rates, type TopReading } from "../../server/cli/top-reading.ts";
import { renderTop } from "../../server/cli/top-view.ts";
import { widthOf } from "../../server/cli/width.ts";
import type { Task } from "../../server/tasks/core/task.ts";
import { TaskStatus } from "../../server/tasks/core/task.ts";
import { ensureBuilt, Workspace } from "../support/cli.ts";
import { root, run } from "../support/project.ts";

const seed = `import { createDure } from "dure";
const dure = createDure({ database: ".dure/tasks.db" });
dure.defineTask("resize-image", async () => {});
await dure.enqueueTask("resize-image", { widthPx: 640 }, { id: "first" });
await dure.close();`;

const counts = { PENDING: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 };

describe("rates", () => {
  test("are what rose over the time between, failures counted in both", () => {
    const rates = new Rates();
    expect(rates.add(0, counts)).toBeUndefined();
    expect(rates.add(20_000, { ...counts, COMPLETED: 30, FAILED: 10 })).toEqual({ ended: 2, failed: 0.5 });
  });

  test("forget what is older than a minute", () => {
    const rates = new Rates();
    rates.add(0, counts);
    rates.add(40_000, { ...counts, COMPLETED: 400 });
    expect(rates.add(100_000, { ...counts, COMPLETED: 460 })).toEqual({ ended: 1, failed: 0 });
  });

  test("take deleted tasks for no work, not for negative work", () => {
    const rates = new Rates();
    rates.add(0, { ...counts, COMPLETED: 1_000, FAILED: 9 });
    rates.add(10_000, { ...counts, COMPLETED: 0, FAILED: 0 });
    expect(rates.add(20_000, { ...counts, COMPLETED: 20 })).toEqual({ ended: 1, failed: 0 });
  });
});

describe("the picture", () => {
  test.each([
    [80, 24],
    [60, 12],
    [140, 50],
  ])("fits %d by %d, its last line below", (width, rows) => {
    const { lines } = renderTop({ ...picture(width, rows), footer: "keys" });
    expect(lines).toHaveLength(rows);
    expect(lines.at(-1)).toBe("keys");
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
  });

  test("names the ids that it shows and no others, and marks the selected one", () => {
    const { lines, ids } = renderTop({ ...picture(100, 24), selected: "failed-0" });
    expect(ids.length).toBeGreaterThan(3);
    for (const id of ids) expect(lines.some((line) => line.includes(`${id} `))).toBe(true);
    expect(lines.filter((line) => line.startsWith("›"))).toEqual([expect.stringMatching(/^› failed-0 /)]);
    expect(lines.filter((line) => line.includes("running-")).length).toBe(
      ids.filter((id) => id.startsWith("running-")).length,
    );
  });

  test("obeys nothing that a task's error says", () => {
    const { lines } = renderTop(picture(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY));
    expect(lines.join("\n")).not.toContain("\u001b");
    expect(lines.join("\n")).toContain("mailbox full 두레");
    expect(lines.join("\n")).toContain("no worker defines it");
  });
});

describe("in a terminal", { timeout: 60_000 }, () => {
  const work = new Workspace();
  const main = join(root, "dist/server/cli/main.js");
  beforeAll(async () => {
    await ensureBuilt();
    work.write("seed.ts", seed);
    const { code, stderr } = await run(process.execPath, ["seed.ts"], work.folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  }, 120_000);
  afterAll(() => work.remove());

  test("prints itself once into a pipe, and one document with --json", async () => {
    const { stdout, code } = await work.dure(["top"]);
    expect(code).toBe(0);
    expect(stdout).toContain("1 pending");
    expect(stdout).toMatch(/^ {2}first +resize-image +0\/1/m);
    expect(stdout).not.toContain("\u001b");
    const document = await work.json("top");
    expect(document).toMatchObject({
      counts: { PENDING: 1 },
      perSecond: { ended: 0, failed: 0 },
      due: [{ id: "first" }],
    });
    expect(document.backlog).toEqual([{ type: "resize-image", pending: 1, running: 0, served: false }]);
  });

  test("tells of a database that is not there before it touches the screen", async () => {
    const { stdout, code } = await work.dure(["top", "-d", "nowhere.db"]);
    expect({ stdout, code }).toEqual({ stdout: "", code: 50 });
  });

  describe.skipIf(spawnSync("script", ["--version"]).status !== 0)("of its own", () => {
    test.each([
      ["q", (terminal: Terminal) => terminal.type("q")],
      ["Ctrl-C", (terminal: Terminal) => terminal.type("\u0003")],
      ["SIGTERM", (terminal: Terminal) => terminal.signal("SIGTERM")],
      ["SIGINT", (terminal: Terminal) => terminal.signal("SIGINT")],
    ])("%s ends it and leaves the terminal as it was", async (_name, end) => {
      const terminal = new Terminal(main, work.folder);
      await terminal.sees("first");
      end(terminal);
      const said = await terminal.ended;
      expect(said.split("\u001b[?1049h")).toHaveLength(2);
      expect(said.indexOf("\u001b[?25h\u001b[?1049l")).toBeGreaterThan(said.indexOf("\u001b[?1049h"));
      expect(said).toContain("exit=0");
      expect(said).toMatch(/ echo /);
      expect(said).toMatch(/ icanon /);
    });

    test("enter says how to see the selected task, and only what changed is written again", async () => {
      const terminal = new Terminal(main, work.folder);
      await terminal.sees("jk select");
      terminal.type("j");
      await terminal.sees("› ");
      const before = terminal.said.length;
      terminal.type("\r");
      await terminal.sees("dure show first");
      expect(terminal.said.slice(before)).not.toContain("Backlog");
      terminal.type("q");
      await terminal.ended;
    });
  });
});

/** A pseudo terminal that `script` makes, in which a shell runs `dure top` and then tells how it finds the terminal. */
class Terminal {
  said = "";
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  constructor(main: string, folder: string) {
    const command = `echo $$; ${process.execPath} ${main} top & wait=$!; echo pid=$wait; fg >/dev/null; echo exit=$?; stty -a`;
    this.#child = spawn("script", ["-qfec", `bash -c 'set -m; ${command}'`, "/dev/null"], { cwd: folder });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.said += text;
    });
    this.ended = new Promise((done) => this.#child.on("close", () => done(this.said)));
  }

  type(text: string): void {
    this.#child.stdin!.write(text);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(Number(/pid=(\d+)/.exec(this.said)![1]), name);
  }

  sees(text: string): Promise<void> {
    return expect.poll(() => this.said).toContain(text);
  }
}

function picture(width: number, rows: number) {
  const output = { width, colors: pc.createColors(false) } as Output;
  return { output, reading: reading(), database: "tasks.db", rows };
}

function reading(): TopReading {
  const at = new Date("2026-11-23T12:00:00Z");
  const of = (status: TaskStatus, name: string, more: Partial<Task> = {}) =>
    Array.from(
      { length: 8 },
      (_, index): Task => ({
        id: `${name}-${index}`,
        type: "resize-image",
        status,
        createdAt: at,
        updatedAt: at,
        startedAt: at,
        payload: {},
        maxAttempts: 3,
        attempts: 1,
        ...more,
      }),
    );
  return {
    at,
    counts: { ...counts, PENDING: 1_200, RUNNING: 8, FAILED: 8 },
    perSecond: { ended: 120.4, failed: 0.5 },
    workers: [],
    running: of(TaskStatus.RUNNING, "running", { progress: { done: 1, total: 3, message: "리포트 pages" } }),
    failures: of(TaskStatus.FAILED, "failed", {
      completedAt: at,
      error: "\u001b[31mmailbox full\u0007 두레",
    }),
    due: of(TaskStatus.PENDING, "due", { dueAt: at }),
    backlog: [{ type: "resize-image", pending: 1_200, running: 8, served: false }],
  };
}
