/** What must and what must not compile, against the built declarations, in one run of the compiler per setting. */
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Project } from "../support/project.ts";

const folder = join(import.meta.dirname, "promises");
const project = new Project();
const files = globSync(join(folder, "*.ts")).map((file) =>
  project.write(basename(file), readFileSync(file, "utf8")),
);
const relativeImports = { allowImportingTsExtensions: true };
afterAll(() => project.remove());

test.each([
  ["Node, and packages that publish declarations of their own", { declaration: true }],
  ["bundlers", { module: "esnext", moduleResolution: "bundler" }],
  ["exact optional properties", { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }],
  ["checked declaration files", { skipLibCheck: false }],
])(
  "the promised types hold with the settings for %s",
  async (_name, options) => {
    expect(await project.check(files, { ...relativeImports, ...options })).toBe("");
  },
  60_000,
);

test("the client's types hold where there is a browser and no Node", async () => {
  const pages = { types: [], lib: ["es2024", "dom", "dom.asynciterable"], moduleResolution: "bundler" };
  const client = files.filter((file) => basename(file) === "client.ts");
  expect(await project.check(client, { ...relativeImports, ...pages, module: "esnext" })).toBe("");
}, 60_000);

test("a broken promise would be noticed", async () => {
  const file = project.write("broken.ts", `import { searchTasks } from "dure"; searchTasks({ limits: 5 });`);
  expect(await project.check([file])).toContain("broken.ts(1,");
}, 60_000);
