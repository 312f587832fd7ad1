/** What is searched of tasks: as it is indexed, or made anew where the index has not got to a task as it is now. */

import type { Task } from "../../../core/task.ts";
import { searchableText } from "../../../core/values/searchable-text.ts";
import type { Database, Session } from "../connections/database.ts";
import { attemptsOf } from "../read.ts";
import { type AttemptRow, toAttempt } from "../rows.ts";
import { statement } from "../statement.ts";

/** By id. */
export async function textsOf(database: Database, tasks: readonly Task[]): Promise<Map<string, string>> {
  const versions = new Map(tasks.map(({ id, version }) => [id, version]));
  const rows = (await database.read(textsByIds, [[...versions.keys()]])) as [string, number, string][];
  const texts = new Map(
    rows.filter(([id, version]) => versions.get(id) === version).map(([id, , body]) => [id, body]),
  );
  const rest = await madeTexts(
    { query: (asked, values) => database.read(asked, values) },
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
