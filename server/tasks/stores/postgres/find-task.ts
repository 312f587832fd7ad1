/** One task by its id. */
import type { Task } from "../../core/task.ts";
import type { Context } from "./context.ts";
import { plainText, type TaskRow, taskColumns, toTask } from "./rows.ts";
import { statement } from "./statement.ts";

export async function findTask(context: Context, id: string): Promise<Task | undefined> {
  const [row] = await context.database.read(taskById, [plainText(id)]);
  return row && toTask(row as TaskRow, await context.lanes.named([row[1]]));
}

export const taskById = statement("getTask", `SELECT ${taskColumns} FROM :schema.tasks WHERE id = $1`);
