/** What is searched of tasks: as it is indexed, or made anew where the index has not got to a task as it is now. */

import type { Task } from "../../../core/task.ts";
import { searchableText } from "../../../core/values/searchable-text.ts";
import type { Database, Session } from "../connections/database.ts";
import { attemptsOf } from "../read.ts";
import { type AttemptRow, toAttempt } from "../rows.ts";
import { statement } from "../statement.ts";

/** Texts that were made are kept while they are among the latest of so many, and of so many characters. */
const keptMax = 4_000;
const keptCharactersMax = 2 * 1024 * 1024;

const keptOf = new WeakMap<Database, KeptTexts>();

/**
 * Texts of tasks that wait to be indexed: each search asks for them, and most are the same as for the one before. Of one that runs
 * none is kept: it may get another text while its version stays.
 */
export class KeptTexts {
  readonly #texts = new Map<string, { version: number; text: string }>();
  #characters = 0;

  static of(database: Database): KeptTexts {
    const kept = keptOf.get(database) ?? new KeptTexts();
    keptOf.set(database, kept);
    return kept;
  }

  get(id: string, version: number): string | undefined {
    const kept = this.#texts.get(id);
    return kept?.version === version ? kept.text : undefined;
  }

  keep({ id, version, status }: Pick<Task, "id" | "version" | "status">, text: string): void {
    if (version === undefined || status === "RUNNING" || text.length > keptCharactersMax) return;
    this.#forget(id);
    this.#texts.set(id, { version, text });
    this.#characters += text.length;
    for (const [oldest] of this.#texts) {
      if (this.#texts.size <= keptMax && this.#characters <= keptCharactersMax) return;
      this.#forget(oldest);
    }
  }

  #forget(id: string): void {
    this.#characters -= this.#texts.get(id)?.text.length ?? 0;
    this.#texts.delete(id);
  }
}

/** By id. */
export async function textsOf(database: Database, tasks: readonly Task[]): Promise<Map<string, string>> {
  const versions = new Map(tasks.map(({ id, version }) => [id, version]));
  const rows = (await database.read(textsByIds, [[...versions.keys()]])) as [string, number, string][];
  const texts = new Map(
    rows.filter(([id, version]) => versions.get(id) === version).map(([id, , body]) => [id, body]),
  );
  const rest = await madeTexts(
    database.reading,
    tasks.filter(({ id }) => !texts.has(id)),
  );
  return new Map([...texts, ...rest]);
}

/** Of attempts, those that have an error or logs have a row. */
export async function madeTexts(
  session: Pick<Session, "query">,
  tasks: readonly Task[],
): Promise<Map<string, string>> {
  if (tasks.length === 0) return new Map();
  const rows = await session.query(attemptsOf, [tasks.map(({ id }) => id)]);
  const byTask = Map.groupBy(rows, ([taskId]) => taskId as string);
  return new Map(
    tasks.map((task): [string, string] => {
      const attempts = (byTask.get(task.id) ?? []).map(([, ...row]) => toAttempt(task.id, row as AttemptRow));
      return [task.id, searchableText(task, attempts)];
    }),
  );
}

const textsByIds = statement(
  "textsByIds",
  "SELECT task_id, version, body FROM :schema.texts WHERE task_id = ANY($1::text[])",
);
