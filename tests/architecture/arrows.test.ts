/** Arrows of imports point one way (style.md 2): cli → http → dure → runtime, stores → core. */
import { describe, expect, test } from "vitest";
import { findCycles, importsOf, listFiles, listSources, readSource, withoutComments } from "./sources.ts";

/** The parts of the server: where they lie, which parts and packages their values may come from. */
const parts: Record<string, { parts: string[]; packages: RegExp }> = {
  "server/tasks/core/": {
    parts: ["server/tasks/core/"],
    packages: /^(@standard-schema\/spec|superjson|fastest-levenshtein)$/,
  },
  "server/tasks/runtime/": { parts: ["server/tasks/core/", "server/tasks/runtime/"], packages: /^node:/ },
  "server/tasks/stores/sqlite/": {
    parts: ["server/tasks/core/", "server/tasks/stores/migrate.ts", "server/tasks/stores/sqlite/"],
    packages: /^node:/,
  },
  "server/tasks/stores/postgres/": {
    parts: ["server/tasks/core/", "server/tasks/stores/migrate.ts", "server/tasks/stores/postgres/"],
    packages: /^(node:|pg$)/,
  },
  "server/tasks/stores/migrate.ts": { parts: ["server/tasks/core/"], packages: /^node:/ },
  "server/dure": { parts: ["server/dure", "server/tasks/"], packages: /^node:/ },
  "server/index.ts": {
    parts: ["server/dure", "server/tasks/core/", "server/tasks/runtime/logger.ts"],
    packages: /^$/,
  },
  "server/http/": {
    parts: ["server/http/", "server/index.ts", "server/dure", "server/tasks/core/"],
    packages: /./,
  },
  "server/cli/": {
    parts: [
      "server/cli/",
      "server/http/",
      "server/index.ts",
      "server/dure",
      "server/tasks/core/",
      "server/tasks/runtime/",
    ],
    packages: /./,
  },
};

/**
 * The specification has TaskStatus come from search.ts too, and a definition can search its own tasks. None of the
 * three uses another while it is loaded, so any may come first; no other ring may join this one.
 */
const knownRings = [
  ["task.ts", "definition.ts", "search.ts", "task.ts"].map((file) => `server/tasks/core/${file}`),
];

const sources = listSources("server");

function partOf(path: string): string | undefined {
  return Object.keys(parts).find((part) => path.startsWith(part));
}

/** Lines of code that a pattern is found in, as `path:line: text`. */
function linesWith(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    withoutComments(readSource(path))
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

describe("imports", () => {
  test("every file belongs to a part", () => {
    expect(sources.filter((path) => partOf(path) === undefined)).toEqual([]);
  });

  test.each(Object.keys(parts))("%s imports only what it may", (part) => {
    const allowed = parts[part]!;
    const wrong = sources
      .filter((path) => partOf(path) === part)
      .flatMap((path) => importsOf(path).map((one) => ({ path, ...one })))
      .filter(({ from, file, typesOnly }) =>
        file === undefined
          ? !allowed.packages.test(from) && !typesOnly
          : !allowed.parts.some((other) => file.startsWith(other)),
      )
      .map(({ path, from }) => `${path} imports ${from}`);
    expect(wrong).toEqual([]);
  });

  test("each names a file that is there, with its ending", () => {
    const known = new Set(listFiles("server"));
    const missing = sources.flatMap((path) =>
      importsOf(path).flatMap(({ from, file }) =>
        file && !known.has(file) ? [`${path} imports ${from}`] : [],
      ),
    );
    expect(missing).toEqual([]);
  });

  test("no ring of files imports each other's values", () => {
    expect(findCycles(sources)).toEqual(knownRings);
  });

  test("task.ts never needs search.ts", () => {
    expect(
      importsOf("server/tasks/core/task.ts").filter(
        ({ from, typesOnly }) => from === "./search.ts" && !typesOnly,
      ),
    ).toEqual([]);
  });

  // TypeScript's one enum would have to be compiled; what Node strips types from may only know its type.
  test("the SQLite store's threads import no value of task.ts", () => {
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const { file, typesOnly } of importsOf(path)) if (file && !typesOnly) visit(file);
    };
    visit("server/tasks/stores/sqlite/thread.ts");
    visit("server/tasks/stores/sqlite/checkpointer.ts");
    expect(reached.size).toBeGreaterThan(10);
    expect([...reached].filter((path) => path.endsWith("/task.ts"))).toEqual([]);
  });

  test("the reader of imports knows every form of them", () => {
    const code = [
      'import type { A } from "./a.ts";',
      'import {\n  type B,\n  type C,\n} from "./b.ts";',
      'import { type D, e } from "./c.ts";',
      'import * as f from "node:fs";',
      'import g, { h } from "pkg";',
      'import "./side.ts";',
      'export * from "./d.ts";',
      'export type { I } from "./e.ts";',
      'const j = await import("./f.ts");',
      '// import { k } from "./g.ts";',
      '/* import { l } from "./h.ts"; */',
    ].join("\n");
    const found = importsOf("server/x.ts", code).map(({ from, file, typesOnly }) => [
      file ?? from,
      typesOnly,
    ]);
    expect(found).toEqual([
      ["server/a.ts", true],
      ["server/b.ts", true],
      ["server/c.ts", false],
      ["node:fs", false],
      ["pkg", false],
      ["server/d.ts", false],
      ["server/e.ts", true],
      ["server/side.ts", false],
      ["server/f.ts", false],
    ]);
  });
});

describe("time and chance come from outside", () => {
  const ambient =
    /\bDate\.now\b|\bnew Date\(\)|\bset(Timeout|Interval)\b|\bMath\.random\b|\bperformance\b|\bhrtime\b|\bcrypto\b|\brandomUUID\b/;

  test.each(["server/tasks/core", "server/tasks/runtime"])(
    "%s has no clock and no dice of its own",
    (folder) => {
      const paths = listSources(folder).filter((path) => path !== "server/tasks/runtime/system-clock.ts");
      expect(linesWith(paths, ambient)).toEqual([]);
    },
  );

  test("core does no I/O", () => {
    expect(linesWith(listSources("server/tasks/core"), /\bprocess\.\w|\bconsole\.\w|"node:/)).toEqual([]);
  });
});

describe("writes", () => {
  test("every transaction that writes is BEGIN IMMEDIATE (F70)", () => {
    const begins = linesWith(listSources("server/tasks/stores/sqlite"), /"BEGIN\b(?! IMMEDIATE")/);
    expect(begins.map((line) => line.replace(/:\d+:/, ":"))).toEqual([
      'server/tasks/stores/sqlite/connection.ts: this.#database.exec("BEGIN");',
      'server/tasks/stores/sqlite/worker-locks.ts: lock.exec("BEGIN EXCLUSIVE");',
    ]);
    const snapshot = /\n {2}snapshot<Value>[\s\S]*?\n {2}}\n/.exec(
      readSource("server/tasks/stores/sqlite/connection.ts"),
    )![0];
    expect(snapshot).toContain('exec("BEGIN")');
  });

  test("nothing opens the database with fs once SQLite has it (F80)", () => {
    const stores = listSources("server/tasks/stores/sqlite").map(
      (path) => [path, withoutComments(readSource(path))] as const,
    );
    const opens = stores.filter(([, code]) =>
      /\b(openSync|readFile|copyFile|cpSync|create(Read|Write)Stream)\w*\(|fs\/promises/.test(code),
    );
    expect(opens.map(([path]) => path)).toEqual(["server/tasks/stores/sqlite/connection.ts"]);
    expect(opens[0]![1].match(/\bopenSync\(.*/g)).toEqual(['openSync(path, "wx", 0o600));']);
  });
});

describe("words that no file may have", () => {
  const texts = listFiles(".").filter((path) =>
    /\.(ts|js|json|md|sql|sh|yml|yaml|toml)$|^\.ci\/|^\.npmrc$/.test(path),
  );

  test("no path of somebody's machine", () => {
    const paths = new RegExp(
      ["work", "home", "root", "Users"].map((name) => `(?<![\\w.~:/-])/${name}/\\w`).join("|"),
    );
    const found = texts.flatMap((path) =>
      readSource(path)
        .split("\n")
        .flatMap((line, index) =>
          paths.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 120)}`] : [],
        ),
    );
    expect(found).toEqual([]);
  });

  test("no address of a package registry", () => {
    const registry = new RegExp(
      `https?://[^\\s"']*(?:${["registry", "npmjs", "npmmirror"].join("|")})\\b|"resolved"\\s*:`,
    );
    const found = texts.filter((path) => registry.test(readSource(path)));
    expect(found).toEqual([]);
  });
});
