/** What changed from one attempt to the next: how it ended, how long it took, who ran it, and the error line by line. */
import type { Attempt } from "../tasks/core/attempt.ts";
import { formatDuration } from "../tasks/core/duration.ts";
import { type DiffLine, diffLines, errorLines } from "../tasks/core/values/line-diff.ts";
import { attemptName } from "./attempt-view.ts";
import type { Output } from "./output.ts";
import { renderFields } from "./table.ts";
import { indent, plainLine } from "./text.ts";

/** A section for each attempt but the first, under a heading that names both. */
export function attemptDiffs(output: Output, attempts: readonly Attempt[], now: number): string[] {
  return attempts.slice(1).map((later, index) => {
    const earlier = attempts[index]!;
    const heading = `${attemptName(later)} against ${attemptName(earlier)}`;
    const parts = [factsDiff(output, earlier, later, now), errorDiff(output, earlier, later)];
    return [
      output.colors.bold(heading),
      ...parts.filter((part) => part !== "").map((part) => indent(part)),
    ].join("\n");
  });
}

function factsDiff(output: Output, earlier: Attempt, later: Attempt, now: number): string {
  const facts = [
    ["outcome", ({ outcome }: Attempt) => outcome ?? "running"],
    ["duration", ({ startedAt, endedAt }: Attempt) => spanText(startedAt, endedAt, now)],
    ["worker", ({ workerId }: Attempt) => plainLine(workerId ?? "none")],
    ["log lines", ({ logs }: Attempt) => String(logs.length)],
  ] as const;
  const changed = facts
    .map(([name, of]) => [name, of(earlier), of(later)] as const)
    .filter(([, before, after]) => before !== after);
  return renderFields(
    output,
    changed.map(([name, before, after]) => [name, `${before} → ${after}`]),
  );
}

function spanText(startedAt: Date, endedAt: Date | undefined, now: number): string {
  return formatDuration((endedAt?.getTime() ?? now) - startedAt.getTime());
}

function errorDiff(output: Output, earlier: Attempt, later: Attempt): string {
  const [before, after] = [errorLines(earlier.error), errorLines(later.error)];
  if (before === after)
    return before === "" ? "" : output.colors.dim("The error is the same, stack included.");
  const lines = diffLines(before, after);
  if (!lines) return "The errors differ and are too long to be compared line by line.";
  return lines.map((line) => lineText(output, line)).join("\n");
}

function lineText({ colors }: Output, { kind, text, count = 0 }: DiffLine): string {
  const shown = plainLine(text);
  switch (kind) {
    case "same":
      return `  ${shown}`;
    case "removed":
      return colors.red(`- ${shown}`);
    case "added":
      return colors.green(`+ ${shown}`);
    case "omitted":
      return colors.dim(`  … ${count} equal ${count === 1 ? "line" : "lines"}`);
  }
}
