/** Reads the project's documents: their code blocks, headings, links and tables. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support/project.ts";

export { root };

/** A fenced block. `kind` is all of the info string, such as `ts runs`. */
export interface Block {
  /** `file:line` of its first line of code. */
  place: string;
  kind: string;
  code: string;
}

/** Every document, relative to the root. */
export function documents(): string[] {
  return [...globSync("*.md", { cwd: root }), ...globSync("docs/**/*.md", { cwd: root })].sort();
}

export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** The blocks of a document, in order. */
export function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  let open: { kind: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of read(file).split("\n").entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (!fence) open?.lines.push(line);
    else if (!open) open = { kind: fence[1]!.trim(), line: index + 2, lines: [] };
    else {
      blocks.push({ place: `${file}:${open.line}`, kind: open.kind, code: open.lines.join("\n") });
      open = undefined;
    }
  }
  if (open) throw new Error(`${file}:${open.line}: the block is not closed.`);
  return blocks;
}

/** A document without its blocks. */
export function proseOf(file: string): string {
  return read(file).replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** `## Title` → { level: 2, title: "Title" }, in order. */
export function headingsOf(file: string): { level: number; title: string }[] {
  return [...proseOf(file).matchAll(/^(#+) (.*)$/gm)].map(([, marks, title]) => ({
    level: marks!.length,
    title: title!,
  }));
}

/** The targets of a document's links, in order. */
export function linksOf(file: string): string[] {
  return [...proseOf(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
}

/** The anchor that a heading gets on the web. */
export function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

/** A section: what stands under a heading, up to the next one of the same or a higher level. */
export function sectionsOf(file: string, level: number): Map<string, string> {
  const parts = read(file)
    .split(new RegExp(`^#{${level}} `, "m"))
    .slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf("\n");
      const body = part.slice(end + 1).split(new RegExp(`^#{1,${level}} `, "m"))[0]!;
      return [part.slice(0, end).trim(), body];
    }),
  );
}

/** The code spans that begin the rows of the tables in a text: `| \`x\` | …` → x. */
export function rowNamesOf(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name!);
}
