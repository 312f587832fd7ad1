/** Every small program of examples/ is run as a reader would run it, and says what it should. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { runExample } from "../support/examples.ts";

const expected: Record<string, RegExp[]> = {
  "first-task": [
    /^Defined nightly-report: Writes a user's report$/m,
    /^\.dure\/user-42-daily\.txt was written in 20\d\d\.$/m,
  ],
  "find-tasks": [
    /^Completed since the start: 7$/m,
    /^Page 1: orders 0, 1, 2\nPage 2: orders 3, 4, 5\nPage 3: orders 6$/m,
    /^One by its id: COMPLETED, "order 3 sent"$/m,
    /^A definition is found as well: resize-image, PENDING, "Has no task yet"$/m,
    /undefined$/m,
  ],
  "retry-and-cancel": [
    /^resized at attempt 3$/m,
    /^FAILED after 1 attempt: It is not a picture/m,
    /^A running task, cancelled: CANCELLED$/m,
    /^Retried by an operator: PENDING, 0 attempts charged$/m,
  ],
  "embed-in-server": [
    /^POST \/reports: 202$/m,
    /^GET \/reports\/:id: 200, COMPLETED, 6 words$/m,
    /unknown: 404$/m,
  ],
};

test("every example has its expectation here", () => {
  const programs = readdirSync("examples").filter((file) => file.endsWith(".ts"));
  expect(programs.map((file) => file.replace(".ts", "")).sort()).toEqual(Object.keys(expected).sort());
});

test.each(Object.entries(expected))("%s runs to its end", async (name, lines) => {
  const { code, stdout, stderr } = await runExample(`${name}.js`).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const line of lines) expect(stdout).toMatch(line);
});
