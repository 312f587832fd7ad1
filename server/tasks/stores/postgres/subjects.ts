/** What is read of candidates to test conditions on them: their rows, and what conditions ask for beside. */
import type { Condition } from "../../core/condition.ts";
import type { Subject } from "../../core/meets.ts";
import type { StoreSearch } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import type { NamedAttribute } from "./attribute-names.ts";
import { attributesOf } from "./attribute-values.ts";
import type { Database, Session } from "./database.ts";
import { bareColumns, taskColumns } from "./rows.ts";
import { statement } from "./statement.ts";

export function subjectOf(
  task: Task,
  names: readonly NamedAttribute[],
  keys: string[] | null | undefined,
  text: string | undefined,
): Subject {
  const nameOf = (number: number) => names.find(({ attribute }) => attribute === number)?.name;
  return {
    task,
    ...(keys && { attributes: attributesOf(keys, nameOf) }),
    ...(text !== undefined && { text }),
  };
}

/** What the conditions need beside the task's row. */
export function needsOf(where: Condition | undefined): { attributes: boolean; text: boolean } {
  return {
    attributes:
      where !== undefined && asksFor(where, (part) => "field" in part && part.field.of === "attribute"),
    text: where !== undefined && asksFor(where, ({ kind }) => kind === "text"),
  };
}

function asksFor(condition: Condition, is: (part: Condition) => boolean): boolean {
  if (condition.kind === "not") return asksFor(condition.part, is);
  if (condition.kind === "and" || condition.kind === "or")
    return condition.parts.some((part) => asksFor(part, is));
  return is(condition);
}

/** Whether candidates are put in order by their texts alone, so that of most of them nothing else need be read. */
export function isOrderedByText({ sortBy, where }: StoreSearch): boolean {
  return sortBy === "relevance" && where !== undefined && !asksFor(where, (part) => "field" in part);
}

/** Attributes, text and task of each of `ids`: a row for those of these statuses. */
export async function readSubjects(
  session: Pick<Session, "query">,
  ids: readonly string[],
  statuses: readonly number[] | null,
  wants: { attributes: boolean; text: boolean },
): Promise<SubjectRow[]> {
  const rows = await session.query(subjectsByIds, [ids, statuses, wants.attributes, wants.text]);
  return rows as SubjectRow[];
}

/** Attributes, text, and the task's row. */
export type SubjectRow = [keys: string[] | null, text: string | null, ...task: any[]];

/** The same, where the tasks are without their values; those that have no text are as they are. */
export async function readTexts(
  session: Session,
  ids: readonly string[],
  statuses: readonly number[] | null,
): Promise<SubjectRow[]> {
  const rows = (await session.query(textsOfSubjects, [ids, statuses])) as SubjectRow[];
  const bare = rows.filter(([, text]) => text === null).map(([, , id]) => id as string);
  if (bare.length === 0) return rows;
  const whole = await readSubjects(session, bare, statuses, { attributes: false, text: true });
  return [...rows.filter(([, text]) => text !== null), ...whole];
}

const subjectsByIds = statement(
  "tasksByIds",
  `SELECT CASE WHEN $3::boolean THEN tasks.attributes END,
      CASE WHEN $4::boolean THEN (SELECT texts.body FROM :schema.texts
        WHERE texts.task_id = tasks.id AND texts.version = tasks.version) END, ${taskColumns}
    FROM unnest($1::text[]) AS wanted (id)
    CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = wanted.id OFFSET 0) AS tasks
    WHERE $2::smallint[] IS NULL OR tasks.status = ANY($2)`,
);

/** As `taskColumns`. */
const textsOfSubjects = statement(
  "textsOfTasks",
  `SELECT NULL, texts.body, ${bareColumns}
    FROM unnest($1::text[]) AS wanted (id)
    CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = wanted.id OFFSET 0) AS tasks
    LEFT JOIN LATERAL (SELECT body FROM :schema.texts
      WHERE texts.task_id = tasks.id AND texts.version = tasks.version OFFSET 0) AS texts ON true
    WHERE $2::smallint[] IS NULL OR tasks.status = ANY($2)`,
);

const attributesByIds = statement(
  "attributesByIds",
  "SELECT id, attributes FROM :schema.tasks WHERE id = ANY($1::text[]) AND attributes IS NOT NULL",
);

export async function attributesByTask(
  database: Database,
  ids: readonly string[],
): Promise<Map<string, string[]>> {
  return new Map((await database.read(attributesByIds, [ids])) as [string, string[]][]);
}
