/**
 * Pages that fit into an answer: two hundred payloads of a mebibyte are neither read nor made into one text while everybody else
 * waits. What does not fit is on the next page, as if fewer had been asked for.
 */
import type { TaskPage } from "../tasks/core/search.ts";
import type { TaskDocument } from "./contract.ts";

/** In bytes of values, and in characters of the answer's JSON. A single task is shown however large it is. */
const sizeMax = 4 * 1024 * 1024;
/** Most pages are smaller, and nobody waits for them. */
const smallMax = 256 * 1024;

export interface FittingPage {
  page: TaskPage;
  tasks: TaskDocument[];
}

interface Room {
  limit: number;
  bytesMax: number;
}

type Ask = (room: Room) => Promise<TaskPage>;
type ShowerOf = (page: TaskPage) => Promise<(task: TaskPage["tasks"][number]) => TaskDocument>;

/** Large ones are read one after another, so that many who ask at once take little more memory than one. */
export async function fittingPage(limit: number, ask: Ask, showerOf: ShowerOf): Promise<FittingPage> {
  const page = await ask({ limit, bytesMax: smallMax });
  return page.isCut
    ? inTurn(async () => fitted(await ask({ limit, bytesMax: sizeMax }), ask, showerOf))
    : fitted(page, ask, showerOf);
}

let lastTurn: Promise<unknown> = Promise.resolve();

function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
  const turn = lastTurn.then(work);
  lastTurn = turn.catch(() => undefined);
  return turn;
}

/** Asks again for so many as fit, whose cursors then are theirs. */
async function fitted(first: TaskPage, ask: Ask, showerOf: ShowerOf): Promise<FittingPage> {
  for (let page = first; ; ) {
    const tasks = fitting(page, await showerOf(page));
    if (tasks.length === page.tasks.length) return { page, tasks };
    page = await ask({ limit: tasks.length, bytesMax: sizeMax });
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
