/** docs/design/faults.md against the tests that it names. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { read, root } from "./markdown.ts";

const rows = read("docs/design/faults.md")
  .split("\n")
  .filter((line) => /^\| F\d\d/.test(line));

test("every fault names its tests, by file and name, and they are there", () => {
  expect(rows.length).toBeGreaterThan(30);
  for (const row of rows) {
    const tests = row
      .split(" | ")
      .at(-1)!
      .replace(/ \|$/, "")
      .split(/; (?=`)/);
    for (const one of tests) {
      const [, file, name] = /^`((?:tests|server)\/[\w/.-]+)`: (.+)$/.exec(one) ?? [];
      expect(name, row).toBeDefined();
      expect(existsSync(join(root, file!)), file).toBe(true);
      expect(readFileSync(join(root, file!), "utf8"), file).toContain(name);
    }
  }
});
