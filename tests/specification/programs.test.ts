/**
 * The specification's two example programs, cut out of it where it is at hand. Nothing but their import paths is
 * changed. They compile under strict and run to their end on the built package.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Project, root, run } from "../support/project.ts";

const specification = resolve(root, "../shared/spec/server-tasks-core.md");
const definitionFile = "server/tasks/my-background-task.ts";
const searchFile = "server/services/task-monitor.ts";
const type = "generateUserReport";

/** The programs begin with their own path in a comment; their imports name modules that are elsewhere here. */
function cutOut(file: string): string {
  const text = readFileSync(specification, "utf8");
  const found = [...text.matchAll(/```typescript\n([\s\S]*?)```/g)].map(([, code]) => code!);
  const program = found.find((code) => code.startsWith(`// ${file}`));
  if (!program) throw new Error(`The specification has no program ${file}.`);
  return program
    .replaceAll(/from '(?:\.\/task|\.\.\/tasks\/core\/search)'/g, "from 'dure'")
    .replaceAll(/from '(\.\.\/tasks\/[\w-]+)'/g, "from '$1.js'");
}

/** It is kept beside the project, not in it. */
const isAtHand = existsSync(specification);

describe.skipIf(!isAtHand)("the specification's programs, where it is at hand", () => {
  const project = new Project();
  const dure = join(root, "dist/server/cli/main.js");
  const written = () => [definitionFile, searchFile].map((file) => project.write(file, cutOut(file)));
  const runInFolder = (...args: string[]) => run(process.execPath, args, project.folder);
  afterAll(() => project.remove());

  test.each([
    ["nodenext", { module: "nodenext" }],
    ["a bundler", { module: "esnext", moduleResolution: "bundler" }],
  ])(
    "compile under strict with the module settings of %s",
    async (_name, options) => {
      expect(await project.check(written(), options)).toBe("");
    },
    60_000,
  );

  test("run to their end and say what the specification has them say", async () => {
    const output = { noEmit: false, outDir: "built", rootDir: "." };
    expect(await project.check(written(), output)).toBe("");
    const [definition, search] = [definitionFile, searchFile].map(
      (file) => `built/${file.replace(/ts$/, "js")}`,
    );
    const definitionLine = `태스크 정의 완료: ID - ${type}, 설명 - 사용자별 리포트를 생성하는 백그라운드 태스크\n`;
    expect(await runInFolder(definition!)).toEqual({ code: 0, stdout: definitionLine, stderr: "" });

    const first = await runInFolder(search!);
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: "" });
    expect(first.stdout.split("\n")).toEqual([
      definitionLine.trim(),
      "--- 모든 PENDING 상태 태스크 검색 ---",
      "현재 1개의 PENDING 태스크가 있습니다:",
      expect.stringMatching(new RegExp(`^- ID: ${type}, 타입: ${type}, 생성일: .+`)),
      "",
      "--- 특정 태스크 ID로 검색 ---",
      "ID 'some-existing-task-id-123' 태스크를 찾을 수 없습니다.",
      "",
      `정의된 태스크 '${type}'의 현재 상태: PENDING`,
      "",
    ]);

    await enqueues();
    const second = await runInFolder(search!);
    expect(second.stdout).toContain("현재 2개의 PENDING 태스크가 있습니다:");
    expect(second.stdout).not.toContain(`- ID: ${type},`);

    const worked = await runInFolder(dure, "run", definition!);
    expect(worked.code).toBe(0);
    const third = await runInFolder(search!);
    expect(third.stdout).toContain("현재 PENDING 상태의 태스크가 없습니다.");
    expect(third.stdout).toContain(`정의된 태스크 '${type}'의 현재 상태: COMPLETED`);
    const found = JSON.parse((await runInFolder(dure, "search", "--type", type, "--json")).stdout);
    const urls = found.tasks.map((task: { result: { reportUrl: string } }) => task.result.reportUrl);
    expect(urls.sort()).toEqual([
      expect.stringMatching(/^https:\/\/example\.com\/reports\/ann\/daily-\d+\.pdf$/),
      expect.stringMatching(/^https:\/\/example\.com\/reports\/bob\/monthly-\d+\.pdf$/),
    ]);
  }, 60_000);

  /** Two tasks; their handlers wait for three seconds each, side by side. */
  async function enqueues(): Promise<void> {
    for (const payload of [
      { userId: "ann", reportType: "daily" },
      { userId: "bob", reportType: "monthly" },
    ]) {
      const { code } = await runInFolder(dure, "enqueue", type, JSON.stringify(payload));
      expect(code).toBe(0);
    }
  }
});

test("nothing is skipped without a reason", () => {
  if (!isAtHand) console.info(`Skipped: ${specification} is not here; examples/ make the same calls.`);
  expect(isAtHand || existsSync(join(root, "examples"))).toBe(true);
});
