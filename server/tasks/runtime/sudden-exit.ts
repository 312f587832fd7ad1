/**
 * A process that ends while attempts run says which, since one of their handlers may have called `process.exit()`. The
 * tasks come to no harm: the next worker takes them back. One listener for all workers of the process.
 */
import type { Task } from "../core/task.ts";
import type { Logger } from "./logger.ts";

const shownMax = 5;

interface Watched {
  running: () => readonly Task[];
  logger: Logger;
}

const watched = new Set<Watched>();

/** Watches until the returned function is called. */
export function watchSuddenExit(running: () => readonly Task[], logger: Logger): () => void {
  const own = { running, logger };
  if (watched.size === 0) process.on("exit", sayWhatRan);
  watched.add(own);
  return () => {
    if (watched.delete(own) && watched.size === 0) process.off("exit", sayWhatRan);
  };
}

function sayWhatRan(): void {
  for (const { running, logger } of watched) {
    const tasks = running();
    if (tasks.length === 0) continue;
    const shown = tasks.slice(0, shownMax).map(({ id, type }) => `${type} ${id}`);
    const more = tasks.length > shownMax ? ` and ${tasks.length - shownMax} more` : "";
    logger.error(
      `The process ended while ${tasks.length === 1 ? "a task" : "tasks"} ran: ${shown.join(", ")}${more}. The next ` +
        "worker takes back what ran; a handler that calls process.exit() ends every task beside it.",
    );
  }
}
