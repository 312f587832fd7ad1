import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ensureBuilt, Workspace } from "../support/cli.ts";
import { definitions } from "../support/small-world.ts";

let workspace: Workspace;

beforeAll(ensureBuilt, 60_000);
beforeEach(() => {
  workspace = new Workspace();
});
afterEach(() => workspace.remove());

describe("dure worker", () => {
  test("runs tasks that another process enqueues, and gives their results to one that waits", async () => {
    workspace.write("server/tasks/pictures.ts", definitions);
    const worker = workspace.start(["worker"]);
    await worker.sees("Running 3 definitions on .dure/tasks.db: resize-image, send-receipt, nightly-report.");
    const waited = await workspace.dure(["enqueue", "resize-image", '{"widthPx":7}', "--wait"]);
    expect(waited).toMatchObject({ code: 0, stdout: '{\n  "widthPx": 7\n}\n' });
    const failed = await workspace.dure(["enqueue", "send-receipt", "--wait"]);
    expect(failed.code).toBe(30);
    expect(failed.stderr).toContain("mailbox full");
    expect(await workspace.json("workers")).toMatchObject([{ state: "alive", pid: worker.child.pid }]);
    worker.child.kill("SIGTERM");
    const { code, stderr } = await worker.ended;
    expect(code).toBe(0);
    expect(stderr).toContain("Stopped. No task was given back.");
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s gives back what does not end, uncharged, and exits 0",
    async (signal) => {
      workspace.write("tasks.ts", definitions);
      const worker = workspace.start(["worker", "tasks.ts", "--stop-grace", "100ms"]);
      await worker.sees("Running 3 definitions");
      await workspace.dure(["enqueue", "nightly-report", "--id", "report-1"]);
      await isRunning("report-1");
      worker.child.kill(signal);
      const { code, stderr } = await worker.ended;
      expect(code).toBe(0);
      expect(stderr).toContain(`${signal}: finishing what is running.`);
      expect(await workspace.json("show", "report-1")).toMatchObject({
        status: "PENDING",
        attempts: 0,
        history: [{ outcome: "released" }],
      });
    },
  );

  test("leaves texts alone when it is told to, and words are found all the same", async () => {
    workspace.write("tasks.ts", definitions);
    const worker = workspace.start(["worker", "tasks.ts", "--no-full-text"]);
    await worker.sees("Running 3 definitions");
    await workspace.dure(["enqueue", "resize-image", '{"widthPx":7,"title":"한글 제목"}', "--wait"]);
    const { tasks } = await workspace.json("search", "한글 제목");
    expect(tasks).toHaveLength(1);
    expect((await workspace.json("stats")).textLag).toBe(1);
    worker.child.kill("SIGTERM");
    await worker.ended;
  });

  test("a second signal ends at once, with the signal's number", async () => {
    workspace.write(
      "tasks.ts",
      `import { defineTask } from "dure";
      defineTask("nightly-report", () => new Promise(() => {}));`,
    );
    const worker = workspace.start(["worker", "tasks.ts", "--stop-grace", "1h"]);
    await worker.sees("Running 1 definition");
    await workspace.dure(["enqueue", "nightly-report", "--id", "report-1"]);
    await isRunning("report-1");
    worker.child.kill("SIGTERM");
    await worker.sees("finishing what is running");
    const asked = performance.now();
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(143);
    expect(performance.now() - asked).toBeLessThan(4_000);
  });

  test("says which module fails to load, and starts nothing", async () => {
    workspace.write("tasks/good.ts", definitions);
    workspace.write("tasks/bad.ts", `throw new Error("no such thing");`);
    const { code, stderr } = await workspace.dure(["worker", "--dir", "tasks"]);
    expect(code).toBe(65);
    expect(stderr).toContain("tasks/bad.ts could not be loaded:\n  Error: no such thing");
    expect(stderr).not.toContain("cli/modules.js");
  });

  test("says how to make a module of a file that Node takes for a script", async () => {
    workspace.write("tasks/package.json", JSON.stringify({ type: "commonjs" }));
    workspace.write("tasks/receipts.ts", definitions);
    const { code, stderr } = await workspace.dure(["worker", "tasks/receipts.ts"]);
    expect(code).toBe(65);
    expect(stderr).toContain('"type": "module"');
  });

  test.each([
    ["starts a worker", `await defaultDure().start();`],
    ["closes the instance", `await defaultDure().close();`],
  ])("says that a module %s itself", async (what, line) => {
    workspace.write("tasks.ts", `${definitions}\nimport { defaultDure } from "dure";\n${line}`);
    const { code, stderr } = await workspace.dure(["worker", "tasks.ts"]);
    expect(code).toBe(65);
    expect(stderr).toContain(`A module that was loaded ${what} itself.`);
  });

  test("names both places of a second definition", async () => {
    workspace.write("tasks/a.ts", definitions);
    workspace.write("tasks/b.ts", definitions);
    const { code, stderr } = await workspace.dure(["worker", "tasks/*.ts"]);
    expect(code).toBe(20);
    expect(stderr).toMatch(/tasks\/b\.ts: "resize-image" is already defined at .*tasks\/a\.ts:/);
  });

  test("refuses options it does not know, whatever they hold", async () => {
    workspace.write("tasks.ts", definitions);
    const { code, stderr } = await workspace.dure(["worker", "tasks.ts", "--concurrency", "0"]);
    expect(code).toBe(2);
    expect(stderr).toContain("concurrency");
  });

  test("exits 75 when too many handlers do not end", async () => {
    workspace.write(
      "tasks.ts",
      `import { defineTask, enqueueTask } from "dure";
      defineTask("stuck", () => new Promise(() => {}), { timeout: "20ms", abortGrace: "10ms" });
      for (let n = 0; n < 12; n++) await enqueueTask("stuck", n);`,
    );
    const { code, stderr } = await workspace.dure(["worker", "tasks.ts", "--concurrency", "4"]);
    expect(code).toBe(75);
    expect(stderr).toContain("handlers go on after their attempts were ended");
  });

  test("goes on when nobody reads what it says", async () => {
    workspace.write(
      "tasks.ts",
      `${definitions}
      defineTask("chatty", async () => { console.log("x".repeat(1e5)); console.error("y".repeat(1e5)); return "done"; });`,
    );
    const worker = workspace.start(["worker", "tasks.ts"]);
    await worker.sees("Running 4 definitions");
    worker.child.stdout!.destroy();
    worker.child.stderr!.destroy();
    for (let n = 0; n < 3; n++) {
      expect((await workspace.dure(["enqueue", "chatty", "--wait"])).stdout).toBe('"done"\n');
    }
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
  });
});

describe("dure dev", () => {
  const version = (text: string) => `import { defineTask } from "dure";
    defineTask("resize-image", async () => ${JSON.stringify(text)});`;

  test("starts again on a change, waits after a module that does not load, and stops as told", async () => {
    workspace.write("server/tasks/picture.ts", version("one"));
    const dev = workspace.start(["dev"]);
    await dev.sees("Running 1 definition", 1);
    expect((await workspace.dure(["enqueue", "resize-image", "--wait"])).stdout).toBe('"one"\n');
    workspace.write("server/tasks/picture.ts", "this is not TypeScript");
    await dev.sees("could not be loaded");
    await dev.sees("Waiting for a change.");
    workspace.write("server/tasks/picture.ts", version("two"));
    await dev.sees("Running 1 definition", 2);
    expect((await workspace.dure(["enqueue", "resize-image", "--wait"])).stdout).toBe('"two"\n');
    dev.child.kill("SIGINT");
    expect((await dev.ended).code).toBe(0);
    expect(await workspace.json("workers")).toEqual([]);
  });

  test("a worker that dies is started again, later each time", async () => {
    workspace.write("server/tasks/picture.ts", version("one"));
    const dev = workspace.start(["dev"]);
    await dev.sees("Running 1 definition", 1);
    const [{ pid }] = await workspace.json("workers");
    process.kill(pid, "SIGKILL");
    await dev.sees("The worker ended (SIGKILL); starting again in");
    await dev.sees("Running 1 definition", 2);
    dev.child.kill("SIGTERM");
    expect((await dev.ended).code).toBe(0);
  });

  test("its worker stops when it is killed", async () => {
    workspace.write("server/tasks/picture.ts", version("one"));
    const dev = workspace.start(["dev"]);
    await dev.sees("Running 1 definition", 1);
    dev.child.kill("SIGKILL");
    await until(async () => (await workspace.json("workers")).length === 0);
  });
});

async function isRunning(id: string): Promise<void> {
  await until(async () => (await workspace.json("show", id)).status === "RUNNING");
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((done) => setTimeout(done, 50));
}
