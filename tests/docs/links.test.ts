/** Links, headings, and the two languages of the README. */
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
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
    const figures = (file: string) => read(file).split("<!-- measured")[1]?.match(/\d[\d,.]*/g) ?? [];
    expect(new Set(figures("README.ko.md"))).toEqual(new Set(figures("README.md")));
  });
});

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
