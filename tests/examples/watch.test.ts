/** Programs run by `node --watch`, whose threads send messages of Node's own. */
import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { ensureBuilt, Workspace } from "../support/cli.ts";

const program = `import { createDure } from "dure";
const dure = createDure({ database: "tasks.db" });
const task = dure.defineTask("resize-image", async () => "resized");
await dure.start();
console.log(await task.run({}));
await dure.close();
console.log("closed");`;

test("node --watch runs a program with a worker, and runs it again when a file changes", async () => {
  await ensureBuilt();
  const work = new Workspace();
  const file = work.write("program.mjs", program);
  const child = spawn(process.execPath, ["--watch", "--watch-preserve-output", file], { cwd: work.folder });
  try {
    let said = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    await expect.poll(() => said, { timeout: 20_000 }).toContain("resized\nclosed");
    work.write("program.mjs", `${program}\nconsole.log("again");`);
    await expect.poll(() => said, { timeout: 20_000 }).toContain("again");
    expect(said).not.toMatch(/Error/);
  } finally {
    child.kill("SIGKILL");
    await work.remove();
  }
}, 60_000);
