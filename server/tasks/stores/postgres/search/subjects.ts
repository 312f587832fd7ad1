/** What is read of candidates to test conditions on them: their rows, and what conditions ask for beside. */
import type { Condition, Field } from "../../../core/filters/condition.ts";
import type { Subject } from "../../../core/filters/meets.ts";
import type { StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import type { NamedAttribute } from "../attributes/attribute-names.ts";
import { attributesOf } from "../attributes/attribute-values.ts";
import type { Database, Session } from "../connections/database.ts";
import { withBitmaps } from "../connections/planning.ts";
import { bareColumns, columnsWithin, sizedTasks } from "../rows.ts";
import { statement } from "../statement.ts";
import { notedIds } from "./along.ts";

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

/** What the conditions need beside the task's row; and whether they need what it was given, has given or failed with. */
export function needsOf(where: Condition | undefined): Wants & { values: boolean } {
  const asks = (is: (part: Condition) => boolean) => where !== undefined && asksFor(where, is);
  const text = asks(({ kind }) => kind === "text");
  return {
    attributes: asks((part) => "field" in part && part.field.of === "attribute"),
    text,
    values: text || asks((part) => "field" in part && isValue(part.field)),
  };
}

function isValue(field: Field): boolean {
  return field.of === "payload" || field.of === "result" || (field.of === "task" && field.name === "error");
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

/** What is asked of candidates beside their rows. */
export interface Wants {
  attributes: boolean;
  text: boolean;
}

/**
 * Attributes, text and task of each of `ids`, without larger values: a row for those of these statuses, in any order. By a bitmap, for which
 * the server reads pages that it does not have several at a time: one after another fifty of them are fifty waits for the disk.
 */
export async function readSubjects(
  session: Pick<Session, "query">,
  ids: readonly string[],
  statuses: readonly number[] | null,
  wants: Wants,
  bytesMax = Number.MAX_SAFE_INTEGER,
): Promise<SubjectRow[]> {
  const values = [statuses, wants.attributes, wants.text, bytesMax, ids];
  const rows = await session.query(subjectsByIds, values, withBitmaps);
  return rows as SubjectRow[];
}

/** The same of those that the statement before has noted; see `along.ts`. */
export async function readNoted(
  session: Pick<Session, "query">,
  statuses: readonly number[] | null,
  wants: Wants,
  bytesMax: number,
): Promise<SubjectRow[]> {
  const values = [statuses, wants.attributes, wants.text, bytesMax];
  return (await session.query(subjectsNoted, values, withBitmaps)) as SubjectRow[];
}

/** Attributes, text, and the task's row. */
export type SubjectRow = [keys: string[] | null, text: string | null, ...task: any[]];

/** The same, where none of the tasks has its values. */
export async function readTexts(
  session: Session,
  ids: readonly string[],
  statuses: readonly number[] | null,
): Promise<SubjectRow[]> {
  return (await session.query(textsOfSubjects, [ids, statuses])) as SubjectRow[];
}

const subjectsByIds = statement("tasksByIds", subjectsOf("$5::text[]"));
const subjectsNoted = statement("tasksNoted", subjectsOf(notedIds));

function subjectsOf(ids: string): string {
  return `SELECT CASE WHEN $2::boolean THEN tasks.attributes END,
      CASE WHEN $3::boolean THEN (SELECT texts.body FROM :schema.texts
        WHERE texts.task_id = tasks.id AND texts.version = tasks.version) END, ${columnsWithin("$4")}
    FROM (SELECT ${sizedTasks} FROM :schema.tasks WHERE tasks.id = ANY(${ids}) OFFSET 0) AS tasks
    WHERE $1::smallint[] IS NULL OR tasks.status = ANY($1)`;
}

/** As `columnsWithin`. */
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
