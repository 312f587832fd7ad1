/** The package as users get it: what is in it, what it brings along, and that it works where it is installed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root, run } from "../support/project.ts";
import { install, npm, type PackedFile, pack } from "./install.ts";
import { productionFolders, readLockfile } from "./lockfile.ts";

const folder = mkdtempSync(join(tmpdir(), "dure-packaging-"));
const tarball = join(folder, "dure.tgz");

const packagesMax = 13;
let files: PackedFile[] = [];

beforeAll(async () => {
  ({ files } = await pack(folder));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what is in it", () => {
  const paths = () => files.map(({ path }) => path);

  test("these files and folders and no others", () => {
    const places = paths().map((path) => path.split("/").slice(0, 2).join("/"));
    expect([...new Set(places)].filter((place) => !place.startsWith("docs/")).sort()).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.ko.md",
      "README.md",
      "dist/server",
      "dist/web",
      "package.json",
    ]);
  });

  test("no tests, no source, no data", () => {
    const wanted = /(?<!\.test)(?:\.d\.ts|\.js|\.js\.map|\.sql|\.md)$|^LICENSE$|^package\.json$/;
    const web = /^dist\/web\/(?:index\.html|icon\.svg|licenses\.md|assets\/[\w.-]+\.(?:js|css))$/;
    const unwanted = (path: string) =>
      path.startsWith("dist/web/")
        ? !web.test(path)
        : !wanted.test(path) || /(?:test|spec|bench)\./.test(path);
    expect(paths().filter(unwanted)).toEqual([]);
  });

  test("every migration", () => {
    const migrations = paths().filter((path) => path.endsWith(".sql"));
    expect(migrations).toContain("dist/server/tasks/stores/sqlite/migrations/0001_tasks.sql");
  });

  test("every module has its declarations", () => {
    const modules = paths().filter((path) => path.endsWith(".js") && !path.startsWith("dist/web/"));
    const declared = new Set(paths());
    expect(modules.filter((path) => !declared.has(path.replace(/\.js$/, ".d.ts")))).toEqual([]);
  });

  test("the command starts with a line that says what runs it", () => {
    const main = readFileSync(join(root, "dist/server/cli/main.js"), "utf8");
    expect(main).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  test("publint finds nothing wrong", async () => {
    const bytes = readFileSync(tarball);
    const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const { messages } = await publint({ pack: { tarball: data }, level: "warning" });
    expect(messages).toEqual([]);
  });

  test("its types resolve wherever ES modules do", async () => {
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
    const { problems } = result as { problems: { kind: string; resolutionKind?: string }[] };
    expect(result.types).toBeTruthy();
    // It is no CommonJS module, and says so; old resolution without `exports` is not supported either.
    const expected = ({ kind, resolutionKind }: (typeof problems)[number]) =>
      kind === "CJSResolvesToESM" || resolutionKind === "node10";
    expect(problems.filter((problem) => !expected(problem))).toEqual([]);
  });
});

describe("what it brings along", () => {
  const lockfile = readLockfile();
  const production = productionFolders(lockfile);

  test(`no more than ${packagesMax} packages`, () => {
    expect(production.length).toBeLessThanOrEqual(packagesMax);
  });

  test("none that runs something when it is installed", () => {
    expect(production.filter((name) => lockfile[name]!.hasInstallScript)).toEqual([]);
  });

  test("the lockfile names no place to fetch them from", () => {
    expect(Object.keys(lockfile).filter((name) => lockfile[name]!.resolved !== undefined)).toEqual([]);
  });
});

describe("where it is installed", () => {
  const program = join(folder, "app");

  beforeAll(() => install(tarball, program), 120_000);

  test("a program imports it and runs a task", async () => {
    writeFileSync(
      join(program, "receipts.mjs"),
      `import { createDure } from "dure";
       const dure = createDure({ database: "tasks.db" });
       const sendReceipt = dure.defineTask("send-receipt", async (task) => task.payload.order + 1);
       await dure.start();
       console.log(await sendReceipt.run({ order: 16 }));
       await dure.close();`,
    );
    const ended = await run(process.execPath, ["receipts.mjs"], program);
    expect(ended).toEqual({ code: 0, stdout: "17\n", stderr: "" });
  });

  test("npx dure is its command", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect((await npm(program, "exec", "--", "dure", "--version")).stdout.trim()).toBe(version);
    const found = await npm(program, "exec", "--", "dure", "search", "--database", "tasks.db", "--json");
    expect(JSON.parse(found.stdout).tasks).toMatchObject([{ status: "COMPLETED", result: 17 }]);
  });

  test("dure/postgres needs no driver and no query builder", async () => {
    const code = `console.log(Object.keys(await import("dure/postgres")).join(" "))`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], program);
    expect(stdout.trim()).toBe("fromDrizzle fromKnex fromKysely fromPostgresJs fromPrisma");
  });

  test("dure/client imports nothing but its own parts, and runs without Node's modules", async () => {
    const server = join(program, "node_modules/dure/dist/server");
    const parts = readdirSync(join(server, "client")).filter((name) => name.endsWith(".js"));
    const texts = ["client.js", ...parts.map((name) => `client/${name}`)].map((name) =>
      readFileSync(join(server, name), "utf8"),
    );
    const imported = texts.flatMap((text) => [...text.matchAll(/^(?:im|ex)port\b[^;]*? from "([^"]+)"/gm)]);
    expect(imported.length).toBeGreaterThan(3);
    const others = imported
      .map(([, from]) => from)
      .filter((from) => !/^\.\/(?:client\/)?[a-z]+\.js$/.test(from!));
    expect(others).toEqual([]);
    expect(texts.join("\n")).not.toMatch(
      /\b(?:process|Buffer|require|global|setImmediate)\b\s*[.(]|\bimport\(/,
    );
    const code = `console.log(Object.keys(await import("dure/client")).join(" "))`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], program);
    expect(stdout.trim()).toBe("DureClient DureClientError createClient");
  });

  test("a CommonJS program may require every way in, and is given what an ES module imports", async () => {
    const { exports: ways } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const names = Object.keys(ways)
      .filter((way) => !way.endsWith(".json"))
      .map((way) => join("dure", way));
    writeFileSync(
      join(program, "ways.cjs"),
      `(async () => {
        for (const name of process.argv.slice(2)) {
          const required = require(name);
          const imported = await import(name);
          const same = Object.keys(required).every((key) => imported[key] === required[key]);
          console.log(name, same);
        }
      })();`,
    );
    const ended = await run(process.execPath, ["ways.cjs", ...names], program);
    expect(ended.stderr).toBe("");
    expect(ended.stdout.trim().split("\n")).toEqual(names.map((name) => `${name} true`));
  });

  describe("in a Node that is too old", () => {
    const withoutSqlite = ["--no-experimental-sqlite"];
    const node20 = "{value:{...process.versions,node:'20.20.2'}}";
    const old = ["--import", `data:text/javascript,Object.defineProperty(process,'versions',${node20})`];
    const count = (database: string) => `import { createDure } from "dure";
      const dure = createDure({ database: "${database}" });
      await dure.countTasks().then(() => console.log("counted"), ({ code, message }) => console.log(code, message));
      await dure.close();`;
    const tell = async (flags: string[], database: string) =>
      (await run(process.execPath, [...flags, "--input-type=module", "--eval", count(database)], program))
        .stdout;

    test("it can be imported, and says what is needed once a file is to be opened", async () => {
      const told = await tell(withoutSqlite, "none.db");
      expect(told).toContain(`NODE_TOO_OLD This Node, ${process.version}, has no SQLite (node:sqlite)`);
      expect(told).toContain(
        `Dure needs Node 24.15 or later. Install a newer one, and start this program with it`,
      );
      expect(existsSync(join(program, "none.db"))).toBe(false);
    });

    test("PostgreSQL needs no SQLite, but the language of Node 22", async () => {
      // Its settings are looked at by the store, so it was loaded.
      const server = "postgres://127.0.0.1:1/none?pool_size=none";
      expect(await tell(withoutSqlite, server)).toContain("pool_size");
      expect(await tell(old, server)).toContain("is too old for Dure; Dure needs Node 24.15 or later");
    });
  });

  test("what lies inside it is not imported by accident", async () => {
    const code = `await import("dure/dist/server/dure.js")`;
    const { stderr } = await run(process.execPath, ["--input-type=module", "--eval", code], program);
    expect(stderr).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});
