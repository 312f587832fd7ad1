/**
 * Pages that fit into an answer: two hundred payloads of a mebibyte are not made into one text while everybody else waits. What does
 * not fit is on the next page, as if fewer had been asked for.
 */
import type { TaskPage } from "../tasks/core/search.ts";
import type { TaskDocument } from "./contract.ts";

/** In characters of JSON. A single task is shown however large it is. */
const sizeMax = 4 * 1024 * 1024;

export interface FittingPage {
  page: TaskPage;
  tasks: TaskDocument[];
}

/** Asks again for so many as fit, whose cursors then are theirs. */
export async function fittingPage(
  limit: number,
  ask: (limit: number) => Promise<TaskPage>,
  showerOf: (page: TaskPage) => Promise<(task: TaskPage["tasks"][number]) => TaskDocument>,
): Promise<FittingPage> {
  for (let wanted = limit; ; ) {
    const page = await ask(wanted);
    const tasks = fitting(page, await showerOf(page));
    if (tasks.length === page.tasks.length) return { page, tasks };
    wanted = tasks.length;
  }
}

function fitting(
  { tasks }: TaskPage,
  show: (task: TaskPage["tasks"][number]) => TaskDocument,
): TaskDocument[] {
  const shown: TaskDocument[] = [];
  let size = 0;
  for (const task of tasks) {
    const document = show(task);
    size += JSON.stringify(document).length;
    if (size > sizeMax && shown.length > 0) break;
    shown.push(document);
  }
  return shown;
}
