/** Doing one thing to several tasks: every one is tried, what was refused is named, the last line says how many. */

import { DureError } from "../tasks/core/errors.ts";
import type { Task } from "../tasks/core/task.ts";
import type { Context } from "./context.ts";
import { exitCodes } from "./exit-codes.ts";
import { taskDocument } from "./task-view.ts";
import { counted } from "./text.ts";

/** What became of one task: the line that says so, and the task afterwards, if there is one. */
export interface Done {
  line: string;
  task?: Task;
}

/**
 * Does `change` to each task, in order. Answers the exit code: of the first refusal, or 0.
 * A single task's refusal is thrown as it is.
 */
export async function changeEach(
  context: Context,
  ids: readonly string[],
  verb: string,
  change: (id: string) => Promise<Done>,
): Promise<number> {
  const { output } = context;
  const documents: unknown[] = [];
  let exitCode = 0;
  let changed = 0;
  for (const id of new Set(ids)) {
    try {
      const { line, task } = await change(id);
      output.print(line);
      documents.push(task ? taskDocument(task) : { id, [verb]: true });
      changed += 1;
    } catch (error) {
      if (!(error instanceof DureError) || ids.length === 1 || error.code.startsWith("DATABASE_"))
        throw error;
      output.warn(error.message);
      documents.push({ id, error: { code: error.code, message: error.message, details: error.details } });
      exitCode ||= exitCodes[error.code];
    }
  }
  output.document(documents);
  if (ids.length > 1) output.note(`${counted(changed, "task")} of ${ids.length} ${verb}.`);
  return exitCode;
}
