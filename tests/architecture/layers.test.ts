/** Each layer of the server imports only what it may (style.md 2), and what the SQLite store must never do. */
import { describe, expect, test } from "vitest";
import { importsOf, listFiles, listSources, readSource, withoutComments } from "./sources.ts";

/** What every store may use. */
const ofAnyStore = ["server/tasks/core/", "server/tasks/stores/migrate.ts", "server/tasks/stores/shared/"];

/** The parts of the server: where they lie, which parts and packages their values may come from. */
const parts: Record<string, { parts: string[]; packages: RegExp }> = {
  "server/tasks/core/": {
    parts: ["server/tasks/core/"],
    packages:
      /^(@standard-schema\/spec|superjson|fastest-levenshtein|leac|peberminta|fast-string-truncated-width)$/,
  },
  "server/tasks/runtime/": { parts: ["server/tasks/core/", "server/tasks/runtime/"], packages: /^node:/ },
  "server/tasks/stores/sqlite/": {
    parts: [...ofAnyStore, "server/tasks/stores/sqlite/"],
    packages: /^node:/,
  },
  "server/tasks/stores/postgres/": {
    parts: [...ofAnyStore, "server/tasks/stores/postgres/"],
    packages: /^(node:|pg$)/,
  },
  "server/tasks/stores/migrate.ts": { parts: ["server/tasks/core/"], packages: /^node:/ },
  "server/tasks/stores/shared/": {
    parts: ["server/tasks/core/", "server/tasks/stores/shared/"],
    packages: /^node:/,
  },
  "server/dure": { parts: ["server/dure", "server/tasks/"], packages: /^node:/ },
  "server/index.ts": {
    parts: ["server/dure", "server/types.ts", "server/tasks/core/", "server/tasks/runtime/logger.ts"],
    packages: /^$/,
  },
  "server/types.ts": {
    parts: ["server/dure-options.ts", "server/tasks/core/", "server/tasks/runtime/"],
    packages: /^$/,
  },
  "server/postgres.ts": { parts: ["server/tasks/core/"], packages: /^$/ },
  "server/client.ts": { parts: ["server/client/"], packages: /^$/ },
  // Of the server it knows nothing but the types of its routes.
  "server/client/": {
    parts: ["server/client/", "server/http/app.ts", "server/http/route.ts"],
    packages: /^$/,
  },
  "server/http.ts": {
    parts: ["server/http/", "server/dure", "server/tasks/core/"],
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

  // TypeScript's one enum would have to be compiled; what Node strips types from may only know its type.
  test("the SQLite store's threads import no value of task.ts", () => {
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const { file, typesOnly } of importsOf(path)) if (file && !typesOnly) visit(file);
    };
    visit("server/tasks/stores/sqlite/threads/thread.ts");
    visit("server/tasks/stores/sqlite/threads/checkpointer.ts");
    expect(reached.size).toBeGreaterThan(10);
    expect([...reached].filter((path) => path.endsWith("/task.ts"))).toEqual([]);
  });

  // A first use brings 13 MB of Unicode data into the process; docs/design/storage.md.
  test("nothing that a worker runs writes numbers or dates in the way of a language", () => {
    const ofWorkers = sources.filter(
      (path) => /^server\/(tasks|dure)/.test(path) && !path.endsWith(".test.ts"),
    );
    expect(linesWith(ofWorkers, /\bIntl\.|\.toLocale(Date|Time)?String\(/)).toEqual([]);
  });

  test("the client runs without anything else: not Node's modules, no package, nothing of the server", () => {
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const { from, file, typesOnly } of importsOf(path)) {
        if (file === undefined) expect.soft(typesOnly, `${path} imports ${from}`).toBe(true);
        else if (!typesOnly) visit(file);
      }
    };
    visit("server/client.ts");
    expect(reached.size).toBeGreaterThan(4);
    expect([...reached].filter((path) => !path.startsWith("server/client"))).toEqual([]);
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

  test("core does no I/O", () => {
    expect(linesWith(listSources("server/tasks/core"), /\bprocess\.\w|\bconsole\.\w|"node:/)).toEqual([]);
  });
});

describe("the SQLite store", () => {
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
    const folder = "server/tasks/stores/sqlite";
    const calls = opens.map(([path, code]) => [path, code.match(/\b(openSync|readFileSync)\(.*/g)]);
    // A new file, before SQLite has it; what the process has mapped; and the log, which SQLite lays no lock on.
    expect(calls).toEqual([
      [`${folder}/connection.ts`, ['openSync(path, "wx", 0o600));']],
      [`${folder}/one-library.ts`, ['readFileSync("/proc/self/maps", "utf8");']],
      [`${folder}/same-file.ts`, ['openSync(path, "r");']],
    ]);
  });
});
