/** Prepared statements go by their names: the driver refuses a second statement of the same name on a connection. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "../../server/tasks/stores/postgres");

test("every statement has a name of its own", () => {
  const names = globSync("*.ts", { cwd: folder }).flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/\bstatement\(\s*"(\w+)"/g)].map(
      ([, name]) => name!,
    ),
  );
  expect(names.length).toBeGreaterThan(50);
  expect(names.filter((name, place) => names.indexOf(name) !== place)).toEqual([]);
});
