/**
 * Several reads of one snapshot. What begins it goes out with the first of them, and what ends it with the last, where that is told.
 */
import { type Statement, statement } from "../statement.ts";
import type { Planning } from "./planning.ts";

/** A result row: the columns in the order of the statement; int8 as number. */
export type ResultRow = any[];

/** Where statements go: the pool, or one transaction. */
export interface Session {
  /** @param settings what holds for this statement alone; only of a snapshot's session */
  query(statement: Statement, values?: readonly unknown[], settings?: Settings): Promise<ResultRow[]>;
}

export interface Snapshot extends Session {
  /**
   * Statements that are sent together, and answered together; all those that `ask` asks before it returns. Where it is asked within
   * another one, with what that sends.
   * @param isLast asked then whether nothing else is likely to be asked: the snapshot ends with them. Where something is, all its work
   *   is done again in another one
   */
  inOneGo<Asked extends readonly Promise<unknown>[]>(
    ask: () => readonly [...Asked],
    isLast?: () => boolean,
  ): Promise<{ [Place in keyof Asked]: Awaited<Asked[Place]> }>;
}

/** What sets something for the rest of a transaction, and what sets it back. */
export interface Settings {
  on: Statement;
  off: Statement;
}

export interface Asked {
  statement: Statement;
  values: readonly unknown[];
  /** Whether nobody wants its rows. */
  isSilent?: boolean;
}

type Send = (asked: readonly Asked[]) => Promise<ResultRow[][]>;

interface Question extends Asked {
  settings: Settings | undefined;
  give(rows: ResultRow[]): void;
  fail(error: unknown): void;
}

/** Something was asked of a snapshot that had ended. */
export class SnapshotOver extends Error {
  override name = "SnapshotOver";
}

/** Each statement is to see what was committed before the first. */
const begin = statement("beginReading", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
const end = statement("endReading", "COMMIT");

export class OpenSnapshot implements Snapshot {
  readonly #send: Send;
  readonly #mayEnd: boolean;
  /** What goes ahead of the next question. */
  #ahead: Asked[];
  /** What is sent together, while it is asked. */
  #together: Question[] | undefined;
  #state: "new" | "open" | "over" = "new";

  /** @param mayEnd whether it ends with what is said to be last */
  constructor(send: Send, { statement, values }: Planning, mayEnd: boolean) {
    this.#send = send;
    this.#mayEnd = mayEnd;
    this.#ahead = [silent(begin), { statement, values, isSilent: true }];
  }

  /** Whether a transaction is open on the connection. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  // Properties, since what a snapshot is asked may be recorded by one that has the rest of it.
  readonly query: Snapshot["query"] = (statement, values = [], settings) =>
    new Promise((give, fail) => {
      const question: Question = { statement, values, settings, give, fail };
      if (this.#together) this.#together.push(question);
      else void this.#ask([question], false);
    });

  readonly inOneGo: Snapshot["inOneGo"] = async (ask, isLast = () => false) => {
    const outer = this.#together;
    const together = outer ?? [];
    this.#together = together;
    let asked: ReturnType<typeof ask>;
    try {
      asked = ask();
    } finally {
      this.#together = outer;
    }
    if (!outer && together.length > 0) void this.#ask(together, this.#mayEnd && isLast());
    await Promise.allSettled(asked);
    return (await Promise.all(asked)) as never;
  };

  /** Never rejects: it tells those who asked. */
  async #ask(questions: readonly Question[], isLast: boolean): Promise<void> {
    try {
      if (this.#state === "over")
        throw new SnapshotOver("Something was asked behind what was said to be last.");
      const places: number[] = [];
      const asked: Asked[] = [];
      for (const { settings, statement, values } of questions) {
        asked.push(...this.#ahead);
        this.#ahead = settings ? [silent(settings.off)] : [];
        if (settings) asked.push(silent(settings.on));
        places.push(asked.push({ statement, values }) - 1);
      }
      this.#state = isLast ? "over" : "open";
      const rows = await this.#send(isLast ? [...asked, silent(end)] : asked);
      for (const [place, { give }] of questions.entries()) give(rows[places[place]!]!);
    } catch (error) {
      // It may have failed before its end.
      if (!(error instanceof SnapshotOver)) this.#state = "open";
      for (const { fail } of questions) fail(error);
    }
  }
}

/** For what asks one thing after another of it, of which the first is most often all. @param isLikely asked ahead of each, whether it is the last */
export function endingWith(snapshot: Snapshot, isLikely: () => boolean): Session {
  return {
    async query(...question) {
      const [rows] = await snapshot.inOneGo(() => [snapshot.query(...question)], isLikely);
      return rows;
    },
  };
}

function silent(statement: Statement): Asked {
  return { statement, values: [], isSilent: true };
}
