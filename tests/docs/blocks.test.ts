/**
 * The code in the documents. `ts runs` is a whole program: it compiles and runs to its end, and prints what a
 * `text prints` block right after it says. Other `ts` blocks compile. `ts signature` is for reference.test.ts.
 */
import { afterAll, describe, expect, test } from "vitest";
import { Project } from "../support/project.ts";
import { type Block, blocksOf, documents } from "./markdown.ts";

const blocks = documents().flatMap(withPrinted);
const programs = blocks.filter(({ kind }) => kind === "ts" || kind === "ts runs");
const runnable = programs.filter(({ kind }) => kind === "ts runs");
const known = ["ts", "ts runs", "ts signature", "text prints", "sh", "ini", "sql", "json", ""];

const project = new Project();
afterAll(() => project.remove());

test("every block says of which kind it is", () => {
  const unknown = blocks.filter(({ kind }) => !known.includes(kind));
  expect(unknown.map(({ place, kind }) => `${place}: ${kind}`)).toEqual([]);
});

test("every program compiles under strict, with exact optional properties too", async () => {
  const files = programs.map((block) => project.write(fileOf(block), block.code));
  expect(await project.check(files, { exactOptionalPropertyTypes: true })).toBe("");
}, 60_000);

describe("a program runs as pasted", () => {
  test.each(runnable)("$place", async (block) => {
    const { code, stdout, stderr } = await project.run(project.write(fileOf(block), block.code));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toBe("");
    if (block.printed !== undefined) expect(trimmed(stdout)).toBe(trimmed(block.printed));
  });
});

/** The blocks of a document, each with the `text prints` block that follows it. */
function withPrinted(file: string): (Block & { printed: string | undefined })[] {
  const all = blocksOf(file);
  return all.map((block, index) => {
    const next = all[index + 1];
    return { ...block, printed: next?.kind === "text prints" ? next.code : undefined };
  });
}

function fileOf({ place }: Block): string {
  return `${place.replaceAll(/[^a-z0-9]+/gi, "-")}.ts`;
}

/** Without spaces at the ends of lines, which an editor takes away. */
function trimmed(text: string): string {
  return text.replaceAll(/ +$/gm, "").trim();
}
