/** `dure completion`: the scripts in the real shells, and what they are answered. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Shell, shells } from "../../server/cli/completion-scripts.ts";
import { createProgram } from "../../server/cli/program.ts";
import { ensureBuilt, Workspace } from "../support/cli.ts";
import { root, run } from "../support/project.ts";

const seed = `import { createDure } from "dure";
const dure = createDure({ database: ".dure/tasks.db" });
dure.defineTask("resize-image", async () => {}, { attributes: { userId: ({ userId }) => userId }, queue: "images" });
dure.defineTask("send-receipt", async () => {});
await dure.enqueueTask("resize-image", { userId: 7 }, { id: "order-17" });
await dure.cancelTask((await dure.enqueueTask("send-receipt", {}, { id: "order-18" })).id);
await dure.saveSearch("pictures", { query: "type:resize-image" });
await dure.close();`;

const work = new Workspace();
const bin = join(work.folder, "bin");
const PATH = `${bin}${delimiter}${process.env.PATH}`;

beforeAll(async () => {
  await ensureBuilt();
  mkdirSync(bin);
  const main = join(root, "dist/server/cli/main.js");
  symlinkSync(
    work.write("bin/dure-run", `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`),
    join(bin, "dure"),
  );
  spawnSync("chmod", ["+x", join(bin, "dure-run")]);
  work.write("seed.ts", seed);
  expect((await run(process.execPath, ["seed.ts"], work.folder)).stderr).toBe("");
}, 120_000);
afterAll(() => work.remove());

describe("dure complete", { timeout: 30_000 }, () => {
  test.each<[string[], string[]]>([
    [["sea"], ["search", "searches"]],
    [
      ["searches", ""],
      ["list", "save", "delete"],
    ],
    [["--vers"], ["--version"]],
    [["search", "--sort-b"], ["--sort-by"]],
    [["search", "--count", "--coun"], []],
    [["search", "--text", "a", "--tex"], ["--text"]],
    [
      ["search", "--sort-order", ""],
      ["asc", "desc"],
    ],
    [["search", "--sort-order=d"], ["--sort-order=desc"]],
    [
      ["search", "--status", "failed,c"],
      ["failed,completed", "failed,cancelled"],
    ],
    [["search", "-s", "run"], ["running"]],
    [["stats", "--bucket", "m"], ["minute"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [
      ["help", "wor"],
      ["worker", "workers"],
    ],
    [["run", ""], [":files"]],
    [["--database", ""], [":files"]],
    [["workers", ""], []],
    [["nonsense", ""], expect.arrayContaining(["search"])],
  ])("knows by itself what follows %j", async (words, answers) => {
    expect(await answersTo(words)).toEqual(answers);
  });

  test.each<[string[], string[]]>([
    [["enqueue", "res"], ["resize-image"]],
    [
      ["search", "--type", ""],
      ["resize-image", "send-receipt"],
    ],
    [["search", "--type", "resize-image,"], ["resize-image,send-receipt"]],
    [["search", "--queue=i"], ["--queue=images"]],
    [["search", "--attribute", ""], ["userId="]],
    [["search", "type:res"], ["type:resize-image"]],
    [["tail", "type:sen"], ["type:send-receipt"]],
    [["pause", "--type", "s"], ["send-receipt"]],
    [["searches", "delete", ""], ["pictures"]],
    [
      ["show", "order-"],
      ["order-18", "order-17"],
    ],
    [["cancel", "order-"], ["order-17"]],
    [["retry", "order-"], ["order-18"]],
    [["-d", ".dure/tasks.db", "delete", "order-18", ""], ["order-18"]],
  ])("reads from the database what follows %j", async (words, answers) => {
    // A busy machine may need longer than a key press is given.
    await expect.poll(() => answersTo(words)).toEqual(answers);
  });

  test("says nothing of a database that is not there, and makes none", async () => {
    expect(await work.dure(["complete", "--", "-d", "new.db", "show", ""])).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
    expect(await work.dure(["complete", "--", "-d", "seed.ts", "show", ""])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  test("does not wait for a database that does not answer", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const startedAt = performance.now();
    const ended = await work.dure(["complete", "--", "-d", `postgres://a@127.0.0.1:${port}/a`, "show", ""]);
    expect(ended).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  test("is no command that a person is told of", () => {
    expect(createProgram().helpInformation()).not.toMatch(/^ *complete\b/m);
  });
});

describe("in bash", { timeout: 30_000 }, () => {
  const answers = (...words: string[]) =>
    inShell(
      "bash",
      `COMP_WORDS=(dure ${words.join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); ` +
        `compopt() { echo "compopt $*"; }; _dure; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  test("a command, an option and a file", () => {
    expect(answers("sea")).toEqual(["search", "searches"]);
    expect(answers("search", "--sort-o")).toEqual(["--sort-order"]);
    expect(answers("run", "''")).toEqual(["compopt -o default"]);
  });

  test("what bash has broken into words is put together, and the last of them answered", () => {
    expect(answers("search", "--sort-order", "=", "d")).toEqual(["desc"]);
    expect(answers("search", "status", ":", "fai")).toEqual(["failed"]);
    expect(answers("search", "status", ":")).toContain("failed");
  });

  test("a name that goes on is followed by no space", () => {
    expect(answers("search", "statu")).toEqual(["compopt -o nospace", "status:"]);
  });

  test("nothing of a command that fails", () => {
    expect(
      inShell("bash", `dure() { echo broken >&2; return 1; }; COMP_WORDS=(dure x); COMP_CWORD=1; _dure`),
    ).toEqual([]);
  });
});

describe.skipIf(isMissing("zsh"))("in zsh", { timeout: 30_000 }, () => {
  const answers = (words: string) =>
    inShell(
      "zsh",
      `words=(dure ${words}); CURRENT=\${#words}; _dure`,
      `compdef() {}; compadd() { print -r -- "\${@[-1]}" }; _files() { print files }`,
    );

  test("a command, a value in its option, and a file", () => {
    expect(answers("defi")).toEqual(["definitions"]);
    expect(answers("search --sort-order=d")).toEqual(["--sort-order=desc"]);
    expect(answers("search statu")).toEqual(["status:"]);
    expect(answers("run ''")).toEqual(["files"]);
  });
});

describe.skipIf(isMissing("fish"))("in fish", { timeout: 30_000 }, () => {
  test("a command with what it does, and a value", () => {
    expect(inShell("fish", `complete -C "dure sea"`)).toEqual([
      "search\tfind tasks, waiting, running or finished",
      "searches\tqueries saved under a name, and their alerts",
    ]);
    expect(inShell("fish", `complete -C "dure search --sort-order d"`)).toEqual(["desc"]);
  });
});

test.each(shells)("the script for %s is what the command prints", async (shell) => {
  const { stdout } = await work.dure(["completion", shell]);
  const { script } = await work.json("completion", shell);
  expect(script).toBe(stdout);
  expect(stdout).toContain("dure");
});

async function answersTo(words: readonly string[]): Promise<string[]> {
  const { stdout, stderr, code } = await work.dure(["complete", "--", ...words]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return linesOf(stdout).map((line) => line.split("\t")[0]!);
}

/** What the code prints after the script was loaded as its users load it. */
function inShell(shell: Shell, code: string, before = ":"): string[] {
  const load = shell === "fish" ? "dure completion fish | source" : `source <(dure completion ${shell})`;
  const none = { bash: ["--norc"], zsh: ["-f"], fish: ["--no-config"] }[shell];
  const { stdout, stderr } = spawnSync(shell, [...none, "-c", `${before}\n${load}\n${code}`], {
    cwd: work.folder,
    env: { ...process.env, PATH, HOME: work.folder },
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return linesOf(stdout);
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

function isMissing(shell: Shell): boolean {
  return spawnSync(shell, ["--version"]).status !== 0;
}
