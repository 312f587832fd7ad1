/** Links, headings, and the two languages of the README. */
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { questions } from "../../bench/questions.ts";
import { anchorOf, blocksOf, documents, headingsOf, linksOf, read, root } from "./markdown.ts";

describe("every relative link leads somewhere", () => {
  test.each(documents())("%s", (file) => {
    const broken = linksOf(file).filter((target) => !leadsSomewhere(file, target));
    expect(broken).toEqual([]);
  });
});

test("every document is reached from the index of docs or the README", () => {
  const reached = new Set(["README.md", "README.ko.md", "docs/README.md"]);
  for (const index of ["README.md", "docs/README.md"]) {
    for (const target of linksOf(index)) {
      reached.add(relative(root, join(root, dirname(index), target.split("#")[0]!)));
    }
  }
  expect(documents().filter((file) => !reached.has(file))).toEqual([]);
});

describe("README.ko.md says what README.md says", () => {
  test("headings at the same places", () => {
    const levels = (file: string) => headingsOf(file).map(({ level }) => level);
    expect(levels("README.ko.md")).toEqual(levels("README.md"));
  });

  test("the same code, to the letter", () => {
    const code = (file: string) => blocksOf(file).map(({ kind, code }) => ({ kind, code }));
    expect(code("README.ko.md")).toEqual(code("README.md"));
  });

  test("the same links, but for the one to each other", () => {
    const links = (file: string) => linksOf(file).filter((target) => !/^README(\.ko)?\.md$/.test(target));
    expect(links("README.ko.md")).toEqual(links("README.md"));
  });

  test("the same figures", () => {
    expect(figuresIn("README.ko.md")).toEqual(figuresIn("README.md"));
  });
});

test("the README names only questions that the bench asks", () => {
  const asked = new Set(questions.map(({ name }) => name));
  const shown = [...read("README.md").matchAll(/Shown by the([\s\S]*?)\./g)].flatMap(([, list]) =>
    [...list!.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!),
  );
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.filter((name) => !asked.has(name))).toEqual([]);
});

/** The numbers between the two comments, sorted: languages may order their words differently. */
function figuresIn(file: string): string[] {
  const measured = /<!-- measured[^>]*-->([\s\S]*?)<!-- \/measured -->/.exec(read(file))![1]!;
  return (measured.match(/\d[\d,.]*\d|\d/g) ?? []).sort();
}

function leadsSomewhere(file: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const [path, anchor] = target.split("#") as [string, string | undefined];
  const place = path === "" ? file : relative(root, join(root, dirname(file), path));
  if (!existsSync(join(root, place))) return false;
  if (anchor === undefined) return true;
  return statSync(join(root, place)).isFile() && anchorsOf(place).includes(anchor);
}

function anchorsOf(file: string): string[] {
  return headingsOf(file).map(({ title }) => anchorOf(title));
}
