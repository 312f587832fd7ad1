/** docs/operating/security.md against the tests that it names. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { read, root } from "./markdown.ts";

const text = read("docs/operating/security.md");
const rows = text.split("\n").filter((line) => /^\| S\d\d/.test(line));

test("every rule names its tests, and they are there", () => {
  const untested = rows.filter((row) => !/`[^`]+` \|$/.test(row)).map((row) => row.slice(2, 5));
  expect(untested).toEqual(["S34"]);
  const files = [...text.matchAll(/`((?:tests|server)\/[\w/.-]+\.ts)`/g)].map(([, file]) => file!);
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

test("every rule is met, or said not to be", () => {
  const named = new Set(text.match(/S\d\d/g));
  expect([...named].sort()).toEqual(
    Array.from({ length: 36 }, (_, index) => `S${String(index + 1).padStart(2, "0")}`),
  );
});
