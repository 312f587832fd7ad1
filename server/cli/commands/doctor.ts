/** `dure doctor`: is the database well, and what to do where it is not. */
import type { Command } from "commander";
import { DureError } from "../../tasks/core/errors.ts";
import type { HealthFinding } from "../../tasks/core/store.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { exitFindings } from "../exit-codes.ts";
import type { Output } from "../output.ts";
import { counted, plainLine } from "../text.ts";

interface Options {
  full?: boolean;
}

/** Adds the command. */
export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .summary("check the database, the workers and the backlog")
    .description(
      "Checks the database and says what to do about what it finds. Exits 1 when it finds an error.",
    )
    .option("--full", "read every page of the database; slow on a large one")
    .addHelpText(
      "after",
      `
Examples:
  dure doctor
  dure doctor --full --database /var/lib/app/tasks.db
  dure doctor --json | jq '.[] | select(.level != "ok")'`,
    )
    .action(withContext(doctor));
}

const doctor: Action<Options> = async (context, { full = false }) => {
  const findings = await examine(context, full);
  const { output } = context;
  output.document(findings);
  const checkWidth = Math.max(...findings.map(({ check }) => check.length));
  for (const finding of findings) output.print(findingText(output, finding, checkWidth));
  const errors = findings.filter(({ level }) => level === "error").length;
  const warnings = findings.filter(({ level }) => level === "warning").length;
  output.note(
    errors + warnings === 0
      ? "All is well."
      : `${counted(errors, "error")}, ${counted(warnings, "warning")}.`,
  );
  return errors > 0 ? exitFindings : 0;
};

/** A database that cannot be opened is a finding like others. */
async function examine(context: Context, full: boolean): Promise<HealthFinding[]> {
  try {
    return await context.open().checkHealth({ full });
  } catch (error) {
    if (!(error instanceof DureError) || !error.code.startsWith("DATABASE_")) throw error;
    return [{ level: "error", check: "database", message: error.message }];
  }
}

function findingText(
  output: Output,
  { level, check, message, next }: HealthFinding,
  checkWidth: number,
): string {
  const line = `${paintLevel(output, level)}  ${plainLine(check).padEnd(checkWidth)}  ${plainLine(message)}`;
  if (next === undefined) return line;
  return `${line}\n${" ".repeat(7 + 2 + checkWidth)}  ${output.colors.dim("→")} ${plainLine(next)}`;
}

function paintLevel({ colors }: Output, level: HealthFinding["level"]): string {
  const text = level.padEnd(7);
  if (level === "error") return colors.red(text);
  return level === "warning" ? colors.yellow(text) : colors.green(text);
}
