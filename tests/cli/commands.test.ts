import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exitCodes } from "../../server/cli/exit-codes.ts";
import { ensureBuilt, Workspace } from "../support/cli.ts";
import { program } from "../support/small-world.ts";

let workspace: Workspace;

/** A database with a picture that was resized and a receipt that failed. */
beforeAll(async () => {
  await ensureBuilt();
  workspace = new Workspace();
  workspace.write("program.ts", program);
  const { code, stderr } = await workspace.dure(["run", "program.ts"]);
  if (code !== 1) throw new Error(`dure run exited ${code}: ${stderr}`);
}, 60_000);
afterAll(() => workspace.remove());

describe("dure run", () => {
  test("runs a program's tasks to their end, prints a summary, and exits 1 when one FAILED", async () => {
    const { code, stdout, stderr } = await workspace.dure(["run", "program.ts", "--database", "run.db"]);
    expect(code).toBe(1);
    expect(stdout.split("\n")[0]).toMatch(/^type +completed +failed$/);
    expect(stdout).toMatch(/resize-image +1\n/);
    expect(stdout).toMatch(/send-receipt +1\n/);
    expect(stderr).toContain('1 task failed; "dure search --status failed"');
  });

  test("exits 0 when none failed, and leaves what is scheduled for later", async () => {
    workspace.write(
      "good.ts",
      `import { defineTask } from "dure";
      const resize = defineTask("resize-image", async () => "done");
      await resize.enqueue(1); await resize.enqueue(2, { delay: "1h" });`,
    );
    const summary = await workspace.json("run", "good.ts", "--database", "good.db");
    expect(summary.types).toEqual([
      { type: "resize-image", counts: { COMPLETED: 1, FAILED: 0, CANCELLED: 0, RUNNING: 0, PENDING: 1 } },
    ]);
  });

  test("runs a program that waits for its own task at the top level", async () => {
    workspace.write(
      "waits.ts",
      `import { defineTask } from "dure";
      const resize = defineTask("resize-image", async (task: { payload: number }) => task.payload * 2);
      console.log("result", await resize.run(21));`,
    );
    const { code, stdout } = await workspace.dure(["run", "waits.ts", "--database", "waits.db"]);
    expect(stdout).toContain("result 42\n");
    expect(code).toBe(0);
  });

  test("killed half-way and started again, finishes what was left and repeats nothing", async () => {
    workspace.write(
      "half.ts",
      `import { defineTask } from "dure";
      const resize = defineTask("resize-image", async (task) => {
        console.log("began", task.id);
        await new Promise((done) => setTimeout(done, 500));
        console.log("ended", task.id);
      });
      for (let n = 1; n <= 4; n++) await resize.enqueue(n, { id: \`picture-${"$"}{n}\`, idempotencyKey: String(n) });`,
    );
    const args = ["run", "half.ts", "--concurrency", "1", "--database", "half.db"];
    const first = workspace.start(args);
    await first.sees("began picture-2");
    first.child.kill("SIGKILL");
    const { stdout } = await first.ended;
    const second = await workspace.dure(args);
    expect(second.code).toBe(0);
    const ended = `${stdout}${second.stdout}`.match(/ended picture-\d/g)!;
    expect(ended.sort()).toEqual([1, 2, 3, 4].map((n) => `ended picture-${n}`));
    expect((await workspace.json("search", "--status", "completed", "--database", "half.db")).total).toBe(4);
  });

  test("says which file cannot be loaded, and why", async () => {
    workspace.write("broken.ts", "const x: number = ;");
    const { code, stderr } = await workspace.dure(["run", "broken.ts", "--database", "broken.db"]);
    expect(code).toBe(65);
    expect(stderr).toContain("error: broken.ts could not be loaded");
    workspace.write("broken.mjs", "const x = 1;\nconst total = ;");
    const plain = await workspace.dure(["run", "broken.mjs", "--database", "broken.db"]);
    expect(plain.stderr).toMatch(
      /broken\.mjs:2\n {2}const total = ;\n *\^\n[\s\S]*SyntaxError: Unexpected token ';'/,
    );
  });

  test("says that a program defines nothing", async () => {
    workspace.write("empty.ts", "export {};");
    const { code, stderr } = await workspace.dure(["run", "empty.ts", "--database", "empty.db"]);
    expect(code).toBe(exitCodes.TASK_NOT_DEFINED);
    expect(stderr).toContain("No task is defined in empty.ts");
  });
});

describe("dure search", () => {
  test("prints a table on stdout and the count on stderr", async () => {
    const { code, stdout, stderr } = await workspace.dure([
      "search",
      "--sort-by",
      "id",
      "--sort-order",
      "asc",
      "--no-definitions",
    ]);
    expect(code).toBe(0);
    const [head, picture, receipt] = stdout.split("\n");
    expect(head).toMatch(/^id +type +status +attempts +created +duration +error$/);
    expect(picture).toMatch(/^picture-1 +resize-image +COMPLETED +1\/1 /);
    expect(receipt).toMatch(/^receipt-17 +send-receipt +FAILED +2\/2 .* mailbox full$/);
    expect(stderr).toBe("2 tasks.\n");
  });

  test("with --json prints one document with ISO dates, and nothing on stderr", async () => {
    const { stdout, stderr } = await workspace.dure(["search", "--status", "failed", "--json"]);
    const { total, tasks } = JSON.parse(stdout);
    expect(stderr).toBe("");
    expect(total).toBe(1);
    expect(tasks).toMatchObject([
      { id: "receipt-17", status: "FAILED", payload: { order: 17 }, error: "mailbox full" },
    ]);
    expect(new Date(tasks[0].createdAt).toISOString()).toBe(tasks[0].createdAt);
  });

  test("takes statuses in any case and several of them, and the definitions that have no task", async () => {
    expect((await workspace.json("search", "--status", "failed,Completed")).total).toBe(2);
    const { tasks } = await workspace.json("search", "--type", "nightly-report");
    expect(tasks).toMatchObject([{ id: "nightly-report", isDefinition: true }]);
  });

  test("pages by cursor, in both directions", async () => {
    const order = ["--limit", "1", "--sort-by", "id", "--no-definitions"];
    const first = await workspace.json("search", ...order);
    const second = await workspace.json("search", ...order, "--cursor", first.nextCursor);
    expect([first.tasks[0].id, second.tasks[0].id]).toEqual(["receipt-17", "picture-1"]);
    expect(second.nextCursor).toBeUndefined();
    const back = await workspace.json("search", ...order, "--cursor", second.previousCursor);
    expect(back.tasks[0].id).toBe("receipt-17");
    const { stderr } = await workspace.dure(["search", ...order]);
    expect(stderr).toContain(`Next page: add --cursor ${first.nextCursor}`);
  });

  test("takes ranges of time", async () => {
    expect((await workspace.json("search", "--since", "1h")).total).toBe(2);
    expect((await workspace.json("search", "--created-to", "2020-01-01")).total).toBe(0);
    expect((await workspace.json("search", "--updated-from", "2020-01-01T00:00:00Z")).total).toBe(2);
  });

  test("answers an unknown type with the nearest", async () => {
    const { code, stderr } = await workspace.dure(["search", "--type", "resize-imgae"]);
    expect(code).toBe(exitCodes.TASK_NOT_DEFINED);
    expect(stderr).toContain('Did you mean "resize-image"?');
  });

  test("says that nothing fits", async () => {
    expect(await workspace.dure(["search", "--status", "running"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "No task fits.\n",
    });
  });

  test.each([
    [["--id", "receipt-71"], '"receipt-17"'],
    [["id:receipt-1 status:failed"], '"receipt-17"'],
  ])("that finds nothing by %j names the nearest that is there", async (args, near) => {
    const { code, stdout, stderr } = await workspace.dure(["search", ...args]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "",
      stderr: `No task fits. Did you mean ${near}?\n`,
    });
  });

  test("that finds nothing says which type or attribute nothing has", async () => {
    const ofType = 'No task "resize-imgae" is defined in this database. Did you mean "resize-image"?';
    const { stderr } = await workspace.dure(["search", "type:resize-imgae usrId:7"]);
    expect(stderr).toBe(`No task fits.\n${ofType} No definition declares an attribute "usrId".\n`);
  });
});

describe("dure show", () => {
  test("prints fields, payload, attempts, errors with stack and cause", async () => {
    const { stdout } = await workspace.dure(["show", "receipt-17"]);
    expect(stdout).toMatch(/^id +receipt-17\ntype +send-receipt\nstatus +FAILED\nerror +mailbox full\n/);
    expect(stdout).toMatch(/payload\n {2}\{\n {4}"order": 17/);
    expect(stdout).toMatch(/1 +1 +failed /);
    expect(stdout).toMatch(/2 +2 +failed /);
    expect(stdout).toMatch(/error of attempt 2 \(claim 2\)\n {2}Error: mailbox full\n +at .*program\.ts:/);
    expect(stdout).toContain("caused by Error: quota");
  });

  test("with --diff says what changed from one attempt to the next", async () => {
    const { stdout } = await workspace.dure(["show", "receipt-17", "--diff"]);
    expect(stdout).toMatch(/attempt 2 \(claim 2\) against attempt 1 \(claim 1\)\n {2}\S/);
    expect(stdout).toContain("The error is the same, stack included.");
    expect(stdout).not.toContain("error of attempt");
  });

  test("prints result, progress and logs", async () => {
    const { stdout } = await workspace.dure(["show", "picture-1"]);
    expect(stdout).toMatch(/result\n {2}\{\n {4}"widthPx": 640/);
    expect(stdout).toContain("1 of 3 (33 %)  first size");
    expect(stdout).toMatch(
      /log of attempt 1 \(claim 1\)\n {2}\d\d:\d\d:\d\d\.\d{3} info {2}resizing \{"widthPx":640\}/,
    );
  });

  test("with --json has the whole record", async () => {
    const task = await workspace.json("show", "receipt-17");
    expect(task).toMatchObject({ id: "receipt-17", attempts: 2 });
    expect(task.history).toMatchObject([
      { outcome: "failed" },
      { outcome: "failed", error: { cause: { message: "quota" } } },
    ]);
  });

  test.each(["show", "cancel", "retry"])(
    "%s answers an empty or very short id without suggestions",
    async (command) => {
      for (const id of ["", "0"]) {
        const { stderr } = await workspace.dure([command, id, "--json"]);
        expect(JSON.parse(stderr).error.details?.near ?? []).toEqual([]);
      }
    },
  );

  test("answers an unknown id with the near ones", async () => {
    const { code, stdout, stderr } = await workspace.dure(["show", "receipt-71"]);
    expect({ code, stdout }).toEqual({ code: exitCodes.TASK_NOT_FOUND, stdout: "" });
    expect(stderr).toContain('There is no task "receipt-71". Did you mean "receipt-17"?');
  });

  test("shows a definition by its id", async () => {
    expect((await workspace.dure(["show", "nightly-report"])).stdout).toContain("(a definition;");
  });
});

describe("changing tasks", () => {
  test("errors groups what failed, and its query finds the group; enqueue --from runs a task again", async () => {
    const { stdout, stderr } = await workspace.dure(["errors"]);
    expect(stdout).toMatch(/^count +first +last +types +error\n +1 .*send-receipt/);
    const { errors } = await workspace.json("errors");
    expect(stderr).toContain(`dure retry --query '${errors[0].query}'`);
    const [failed] = (await workspace.json("search", errors[0].query)).tasks;
    expect(failed).toMatchObject({ type: "send-receipt", status: "FAILED" });
    const again = await workspace.json("enqueue", "send-receipt", "--from", failed.id, "--delay", "1h");
    expect(again).toMatchObject({ status: "PENDING", payload: failed.payload });
    await workspace.dure(["cancel", again.id]);
    await workspace.dure(["delete", again.id, "--yes"]);
    expect((await workspace.dure(["enqueue", "send-receipt", "--from", "nobody"])).stderr).toContain(
      "nobody",
    );
  });

  test("enqueue stores a task and prints its id; edit, cancel, retry and delete change it", async () => {
    const { stdout } = await workspace.dure([
      "enqueue",
      "nightly-report",
      '{"day":1}',
      "--id",
      "report-1",
      "--delay",
      "1h",
      "--tag",
      "monthly",
      "--tag",
      "a, b",
      "--max-attempts",
      "3",
    ]);
    expect(stdout).toBe("report-1\n");
    expect(await workspace.json("show", "report-1")).toMatchObject({
      payload: { day: 1 },
      tags: ["monthly", "a, b"],
      maxAttempts: 3,
    });
    expect((await workspace.json("edit", "report-1", "--priority", "7"))[0].priority).toBe(7);
    expect((await workspace.dure(["cancel", "report-1"])).stdout).toBe("report-1  CANCELLED\n");
    expect((await workspace.dure(["retry", "report-1"])).stdout).toBe("report-1  PENDING\n");
    const refused = await workspace.dure(["delete", "report-1", "--yes"]);
    expect(refused.code).toBe(exitCodes.STATUS_CONFLICT);
    await workspace.dure(["cancel", "report-1"]);
    const shown = (await workspace.dure(["show", "report-1"])).stdout;
    expect(shown).toMatch(/^asked for +cancel by \S+ \(cli\) {2}/m);
    expect(await workspace.json("delete", "report-1", "--yes")).toEqual([{ id: "report-1", deleted: true }]);
    expect((await workspace.dure(["show", "report-1"])).code).toBe(exitCodes.TASK_NOT_FOUND);
  });

  test("a payload can come from stdin, and a date from the command line", async () => {
    const args = ["enqueue", "nightly-report", "-", "--key", "order-17", "--run-at", "2100-01-01", "--json"];
    const first = JSON.parse((await workspace.dure(args, { input: '{"from":"stdin"}' })).stdout);
    expect(first).toMatchObject({
      payload: { from: "stdin" },
      idempotencyKey: "order-17",
      dueAt: new Date(2100, 0, 1).toISOString(),
    });
    const again = JSON.parse((await workspace.dure(args, { input: '{"from":"stdin"}' })).stdout);
    expect(again.id).toBe(first.id);
    const other = await workspace.dure(args, { input: '{"from":"elsewhere"}' });
    expect(other.code).toBe(exitCodes.IDEMPOTENCY_CONFLICT);
  });

  test("an unknown type is answered with the nearest", async () => {
    const { code, stderr } = await workspace.dure(["enqueue", "nightly-reprot"]);
    expect(code).toBe(exitCodes.TASK_NOT_DEFINED);
    expect(stderr).toContain('Did you mean "nightly-report"?');
  });

  test("what cannot be taken back wants --yes where nobody can be asked", async () => {
    for (const args of [
      ["delete", "picture-1"],
      ["prune", "--completed", "0s"],
    ]) {
      const { code, stderr } = await workspace.dure(args);
      expect(code).toBe(2);
      expect(stderr).toContain("add --yes");
    }
    expect((await workspace.json("show", "picture-1")).status).toBe("COMPLETED");
  });

  test("of several ids every one is tried, and the first refusal is the exit code", async () => {
    await workspace.dure(["enqueue", "nightly-report", "--id", "report-2", "--delay", "1h"]);
    const { code, stdout, stderr } = await workspace.dure(["cancel", "report-x", "report-2"]);
    expect(code).toBe(exitCodes.TASK_NOT_FOUND);
    expect(stdout).toBe("report-2  CANCELLED\n");
    expect(stderr).toContain("1 task of 2 cancelled.");
  });

  test("a wait that takes too long says so; the task goes on", async () => {
    const { code, stderr } = await workspace.dure([
      "enqueue",
      "nightly-report",
      "--delay",
      "1h",
      "--wait",
      "--wait-timeout",
      "50ms",
    ]);
    expect(code).toBe(exitCodes.WAIT_TIMEOUT);
    expect(stderr).toContain('No worker that runs "nightly-report" is alive');
  });
});

describe("terminals", () => {
  test("no colours in a pipe, none with NO_COLOR, colours with FORCE_COLOR, unless --no-color", async () => {
    const coloured = (await workspace.dure(["search"], { env: { FORCE_COLOR: "1" } })).stdout;
    expect(coloured).toContain("\u001b[31mFAILED\u001b[39m");
    expect((await workspace.dure(["search"])).stdout).not.toContain("\u001b");
    expect(
      (await workspace.dure(["search"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout,
    ).not.toContain("\u001b");
    expect(
      (await workspace.dure(["search", "--no-color"], { env: { FORCE_COLOR: "1" } })).stdout,
    ).not.toContain("\u001b");
    expect((await workspace.dure(["search", "--json"], { env: { FORCE_COLOR: "1" } })).stdout).not.toContain(
      "\u001b",
    );
  });

  test("nothing that a task holds acts on the terminal", async () => {
    const evil = "\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007 \u001b[2J\u202e\rover";
    workspace.write(
      "evil.ts",
      `import { defineTask } from "dure";
      const evil = ${JSON.stringify(evil)};
      const task = defineTask("evil", async (_task, context) => {
        context.log.error(evil, { evil }); context.progress(1, 2, evil);
        throw Object.assign(new Error(evil, { cause: new Error(evil) }), { code: evil, name: evil });
      }, { description: evil });
      await task.enqueue({ [evil]: new Map([[evil, evil]]) }, { id: "evil-1", tags: ["a\u202eb"] });`,
    );
    await workspace.dure(["run", "evil.ts", "--database", "evil.db"]);
    for (const args of [
      ["search"],
      ["show", "evil-1"],
      ["show", "evil-1", "--json"],
      ["definitions"],
      ["stats"],
    ]) {
      const { stdout, stderr } = await workspace.dure([...args, "--database", "evil.db"]);
      expect(stdout).not.toBe("");
      expect(`${stdout}${stderr}`).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    }
  });

  test("a reader that goes away ends the command quietly", async () => {
    const { child, ended } = workspace.start(["search", "--json"]);
    child.stdout!.destroy();
    expect(await ended).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
