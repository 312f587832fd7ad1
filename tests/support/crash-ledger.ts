/** The ledger that worker processes write, as the tests read it: what really started and ended, whatever the database says. */
import { readFileSync } from "node:fs";

/** One line of the ledger. */
export interface LedgerLine {
  event: string;
  taskId: string;
  fence: number;
  pid: number;
  /** Milliseconds since 1970, with fractions. */
  at: number;
}

/** The text of a line, which stands by itself even after a part of one that a killed process left. */
export function ledgerText({ event, taskId, fence, pid, at }: LedgerLine): string {
  return `\n${JSON.stringify([event, taskId, fence, pid, at])}\n`;
}

export class Ledger {
  readonly path: string;
  #lines: LedgerLine[] = [];
  #read = 0;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Every line so far; a line that is still being written is left for the next call. A process that is killed while the
   * kernel takes in its line, which it does by the page, leaves a part of one: it had not started what it was to note.
   */
  lines(): readonly LedgerLine[] {
    const text = readText(this.path);
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(this.#read, end).split("\n")) {
      if (!line.endsWith("]")) continue;
      const [event, taskId, fence, pid, at] = JSON.parse(line);
      this.#lines.push({ event, taskId, fence, pid, at });
    }
    this.#read = Math.max(this.#read, end);
    return this.#lines;
  }

  /** The lines with this event, of one task or of all. */
  of(event: string, taskId?: string): LedgerLine[] {
    return this.lines().filter(
      (line) => line.event === event && (taskId === undefined || line.taskId === taskId),
    );
  }

  starts(taskId?: string): LedgerLine[] {
    return this.of("start", taskId);
  }
}

/** The time as the ledger writes it. */
export function ledgerNow(): number {
  return performance.timeOrigin + performance.now();
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
