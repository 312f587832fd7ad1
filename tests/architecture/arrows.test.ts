/** Arrows point one way, time and chance come from outside, and nothing grows too long to read. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const tracked = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .stdout.split("\0")
  .filter((name) => name !== "");
const sources = tracked.filter((name) => /^server\/.*\.ts$/.test(name) && !name.endsWith(".test.ts"));

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

const imports = sources.flatMap(importsOf);

test("the sources are found", () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(imports.length).toBeGreaterThan(100);
});

test("core imports only core and a few small packages", () => {
  const packages = [
    "superjson",
    "fastest-levenshtein",
    "@standard-schema/spec",
    "leac",
    "peberminta",
    "fast-string-truncated-width",
  ];
  const outside = imports.filter(
    ({ from, to }) => within(from, "core") && !within(to, "core") && !packages.includes(to),
  );
  expect(outside).toEqual([]);
});

test("runtime never imports stores, and stores never import runtime", () => {
  const across = imports.filter(
    ({ from, to }) =>
      (within(from, "runtime") && within(to, "stores")) || (within(from, "stores") && within(to, "runtime")),
  );
  expect(across).toEqual([]);
});

test("nothing but the command line imports the command line", () => {
  const inside = (name: string) => name.startsWith("server/cli/");
  expect(imports.filter(({ from, to }) => inside(to) && !inside(from))).toEqual([]);
});

test("every package that is imported is a dependency", () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const declared = { ...dependencies, ...peerDependencies };
  const packages = imports.map(({ to }) => to).filter((to) => !to.startsWith("server/") && !isBuiltin(to));
  const unknown = packages.filter(
    (to) =>
      !(
        to
          .split("/")
          .slice(0, to.startsWith("@") ? 2 : 1)
          .join("/") in declared
      ),
  );
  expect(unknown).toEqual([]);
});

test("no file imports itself by way of others; types do not count", () => {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of imports) {
    if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) return void cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
  expect(cycles).toEqual([]);
});

test("no command but those that serve waits for a server's modules, and help not for a store's or a worker's", () => {
  const reached = new Set(["server/cli/program.ts"]);
  for (const file of reached) {
    for (const { from, to, typeOnly } of imports) if (from === file && !typeOnly) reached.add(to);
  }
  expect(
    [...reached].filter((name) => /^(@?hono|zod)\b|stores\/sqlite\/|runtime\/worker/.test(name)),
  ).toEqual([]);
  expect(reached.has("commander")).toBe(true);
});

test("core and runtime take time and chance from outside", () => {
  const own =
    /\bDate\.now\b|\bnew Date\(\)|\bset(Timeout|Interval)\s*\(|\bMath\.random\b|\bperformance\.now\b|"(node:)?crypto"|\bcrypto\./;
  const offenders = sources
    .filter(
      (name) =>
        (within(name, "core") || within(name, "runtime")) && !name.endsWith("runtime/system-clock.ts"),
    )
    .flatMap((name) =>
      linesOf(name)
        .filter((line) => own.test(line))
        .map((line) => `${name}: ${line.trim()}`),
    );
  expect(offenders).toEqual([]);
});

test("no file is longer than 450 lines", () => {
  expect(sources.filter((name) => linesOf(name).length > 450)).toEqual([]);
});

test("no function is longer than 60 lines", () => {
  expect(sources.flatMap((name) => longFunctions(name, 60))).toEqual([]);
});

test("the lockfile names no registry", () => {
  expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toMatch(/"resolved"/);
});

test("no text names a place on some machine", () => {
  const offenders = tracked
    .filter((name) => name !== relative(root, import.meta.filename))
    .flatMap((name) => {
      const bytes = readFileSync(join(root, name));
      if (bytes.includes(0)) return [];
      const lines = bytes.toString("utf8").split("\n");
      return lines
        .filter((line) => /(^|[\s"'`(=:])\/(work|root|home)\/[a-z]/.test(line))
        .map((line) => `${name}: ${line.trim().slice(0, 90)}`);
    });
  expect(offenders).toEqual([]);
});

function linesOf(name: string): string[] {
  return readFileSync(join(root, name), "utf8").replace(/\n$/, "").split("\n");
}

function within(name: string, part: "core" | "runtime" | "stores"): boolean {
  return name.startsWith(`server/tasks/${part}/`);
}

function isBuiltin(name: string): boolean {
  return name.startsWith("node:") || builtinModules.includes(name);
}

function importsOf(from: string): Import[] {
  const text = readFileSync(join(root, from), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const found = text.matchAll(/^\s*(?:import|export)\s+(type\s)?([^;"']*?from\s+)?["']([^"']+)["']/gm);
  return [...found].map(([, type, names, to]) => ({
    from,
    to: to!.startsWith(".") ? relative(root, resolve(root, dirname(from), to!)) : to!,
    typeOnly: type !== undefined || isTypesOnly(names),
  }));
}

/** `import { type A, type B } from` brings no value either. */
function isTypesOnly(names: string | undefined): boolean {
  const list = /\{([^}]*)\}\s*from/
    .exec(names ?? "")?.[1]
    ?.split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  return list !== undefined && list.length > 0 && list.every((name) => name.startsWith("type "));
}

/** Functions and methods, told by the formatter's indentation: a head that ends in `{`, its end at the same depth. */
function longFunctions(name: string, most: number): string[] {
  const lines = linesOf(name);
  const head =
    /^( *)(?:export |async |static |override |private |get |\* ?)*(?:function\*? )?#?\w+(?:<.*>)?\(.*\{$|=> \{$/;
  return lines.flatMap((line, start) => {
    if (!head.test(line) || /^ *(if|for|while|switch|describe)\b/.test(line)) return [];
    const indent = /^ */.exec(line)![0];
    const end = lines.findIndex((later, index) => index > start && later.startsWith(`${indent}}`));
    return end - start + 1 > most ? [`${name}:${start + 1} has ${end - start + 1} lines`] : [];
  });
}
