/** What `dure stats` and `dure doctor` ask of the server: each finding names a cause and the next step. */
import type { HealthFinding, StoreStats } from "../../core/store.ts";
import { backlogFindings, workerFinding } from "../shared/findings.ts";
import { allLanes, hourSql } from "../shared/hours.ts";
import { minuteSql } from "../shared/kept-counts.ts";
import { isFound } from "./attributes/attribute-values.ts";
import { stateOf, unknownState } from "./attributes/attributes.ts";
import { lackingByType } from "./attributes/lacking-attributes.ts";
import type { Context } from "./context.ts";
import { foldCounts } from "./counts/folding.ts";
import { allStates, hoursOfDay } from "./counts/kept-tables.ts";
import { movesOf } from "./counts/minute-tallies.ts";
import { packedFinding } from "./counts/packed-check.ts";
import { sums } from "./counts/tallies.ts";
import { isNotPaused, pausedForLook } from "./pauses.ts";
import { statusNames } from "./rows.ts";
import { serverFindings } from "./server-health.ts";
import { nowOf, onceOnly, statement } from "./statement.ts";
import { textIndexStatements } from "./texts/text-indexes.ts";
import { readTextIndex } from "./texts/text-keys.ts";
import { listWorkers } from "./workers.ts";

export async function stats(context: Context): Promise<StoreStats> {
  // Best done where sums are wanted; that it fails, on a standby for instance, is no matter.
  await foldCounts(context).catch(() => undefined);
  return context.database.snapshot(async (session) => {
    const counts = await session.query(countByType);
    const [facts] = await session.query(storeFacts, [context.now(), context.database.location.schema]);
    const [alive, dead, stopped, oldestDueMs, sizeBytes, textLag] = facts!;
    const filling = await session.query(fillsLeft);
    const tasks = counts.reduce((sum, [, , , count]) => sum + (count as number), 0);
    return {
      byType: counts.map(([type, queue, status, count]) => ({
        type,
        queue,
        status: statusNames[status]!,
        count,
      })),
      workers: { alive, dead, stopped },
      ...(oldestDueMs !== null && { oldestDueMs }),
      // A task that came and changed is noted twice until somebody indexes.
      textLag: Math.min(textLag, tasks),
      filling: filling.map(([type, tasks]) => ({ type, tasks })),
      sizeBytes,
    };
  });
}

/** `full` counts every task; otherwise only what is quick. */
export async function checkHealth(context: Context, { full }: { full: boolean }): Promise<HealthFinding[]> {
  const workers = await listWorkers(context);
  const [[now]] = (await context.database.read(databaseNow, [context.now()])) as [[number]];
  // A test's clock is nobody's machine.
  const skewMs = context.now() === null ? now - Date.now() : 0;
  return [
    ...(await serverFindings(context.database, skewMs)),
    ...(full ? await derivedFindings(context.database) : [notCounted]),
    await textsFinding(context),
    workerFinding(workers, now),
    ...backlogFindings(workers, await stats(context)),
  ];
}

type Reading = Pick<Context["database"], "read" | "snapshot" | "location">;

const notCounted: HealthFinding = { level: "ok", check: "counts", message: "Not counted anew; --full does." };

/** What is kept beside the tasks, against them; only a defect of Dure can make it differ. */
export async function derivedFindings(database: Reading): Promise<HealthFinding[]> {
  return [await talliesFinding(database), await packedFinding(database), await attributesFinding(database)];
}

/** The kept counts against counted ones. */
async function talliesFinding(database: Reading): Promise<HealthFinding> {
  const check = "counts";
  const rows = await database.read(wrongTallies);
  if (rows.length === 0) return { level: "ok", check, message: "The kept counts equal the counted ones." };
  return {
    level: "error",
    check,
    message: `${rows.length} of the kept counts differ${rows.length === 1 ? "s" : ""} from the counted ones.`,
    next: "Please report this: it is a defect of Dure. Tasks are not affected.",
  };
}

/** The rows of attributes against what the tasks have. */
async function attributesFinding(database: Reading): Promise<HealthFinding> {
  const check = "attributes";
  const [row] = await database.read(wrongAttributes);
  const [missing, extra] = row as [number, number];
  if (missing + extra === 0)
    return { level: "ok", check, message: "The index of attributes has all of them." };
  return {
    level: "error",
    check,
    message: `The index of attributes lacks ${missing} and has ${extra} that no task has.`,
    next: "Please report this: it is a defect of Dure. Tasks are not affected, but searches by attribute are.",
  };
}

async function textsFinding({ database }: Context): Promise<HealthFinding> {
  const check = "texts";
  const { schema } = database.location;
  const { exists, knowsLetters } = await readTextIndex(database, schema);
  if (exists && knowsLetters) return { level: "ok", check, message: "Texts are found by an index." };
  if (exists) {
    return {
      level: "ok",
      check,
      message:
        "Texts are found by an index where they are ASCII; others are read one after another, for this database's LC_CTYPE is C.",
    };
  }
  return {
    level: "warning",
    check,
    message: "Texts are searched by reading them one after another: there is no index of them.",
    next:
      "As a user who may, one after another: CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public; " +
      textIndexStatements(schema).join(" "),
  };
}

const countByType = statement(
  "countByType",
  `SELECT type, queue, status, sum(tasks)::bigint FROM (${sums}) AS counted JOIN :schema.lanes USING (lane)
    GROUP BY type, queue, status ORDER BY type, queue, status`,
);

const storeFacts = statement(
  "stats",
  `WITH RECURSIVE clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at),
  ${pausedForLook},
  heads (lane, priority) AS (
    SELECT lane, (SELECT tasks.priority::integer FROM :schema.tasks WHERE status < 2 AND crashes = 0
      AND tasks.lane = lanes.lane ORDER BY tasks.priority DESC LIMIT 1) FROM :schema.lanes
      WHERE ${isNotPaused("lanes")}
    UNION ALL
    SELECT lane, (SELECT tasks.priority::integer FROM :schema.tasks WHERE status < 2 AND crashes = 0
      AND tasks.lane = heads.lane AND tasks.priority < heads.priority ORDER BY tasks.priority DESC LIMIT 1)
    FROM heads WHERE priority IS NOT NULL),
  oldest AS (
    SELECT min(found.due_at) AS due_at FROM heads CROSS JOIN LATERAL (
      SELECT due_at FROM :schema.tasks WHERE status < 2 AND crashes = 0 AND tasks.lane = heads.lane
        AND tasks.priority = heads.priority ORDER BY due_at, seq LIMIT 1) AS found
    WHERE heads.priority IS NOT NULL)
  SELECT (SELECT count(*) FROM :schema.workers WHERE state = 'alive'),
    (SELECT count(*) FROM :schema.workers WHERE state = 'dead'),
    (SELECT count(*) FROM :schema.workers WHERE state = 'stopped'),
    CASE WHEN oldest.due_at < clock.at THEN clock.at - oldest.due_at END,
    (SELECT sum(pg_total_relation_size(pg_class.oid))::bigint FROM pg_class
      WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $2) AND relkind = 'r'),
    (SELECT coalesce(sum(tasks), 0)::bigint FROM :schema.text_work)
  FROM clock, oldest`,
);

const databaseNow = statement("healthNow", `SELECT ${nowOf("$1")}`);

const wrongTallies = onceOnly(
  "checkTallies",
  `SELECT lane, status FROM (
      SELECT lane, greatest(status, 1) AS status, count(*) AS tasks FROM :schema.tasks GROUP BY 1, 2
      UNION ALL SELECT lane, status, -tasks FROM (${sums}) AS kept) AS both_counts
    GROUP BY lane, status HAVING sum(tasks) <> 0
    UNION ALL SELECT lane, state FROM (
      SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END AS state, ${hourSql("created_at")} AS hour, count(*) AS tasks
        FROM :schema.tasks GROUP BY 1, 2, 3
      UNION ALL SELECT ${allLanes}, CASE WHEN status >= 3 THEN status ELSE 0 END, ${hourSql("created_at")}, count(*)
        FROM :schema.tasks GROUP BY 2, 3
      UNION ALL SELECT lane, state, hour, -tasks FROM :schema.hour_tallies
      UNION ALL SELECT ${allLanes}, CASE WHEN status >= 3 THEN status ELSE 0 END, hour, -tasks FROM :schema.tally_changes
        WHERE hour IS NOT NULL
      UNION ALL SELECT lane, CASE WHEN status >= 3 THEN status ELSE 0 END, hour, -tasks FROM :schema.tally_changes
        WHERE hour IS NOT NULL) AS by_hours
    GROUP BY lane, state, hour HAVING sum(tasks) <> 0
    UNION ALL SELECT lane, state FROM (${byDays()}) AS days
    UNION ALL SELECT lane, state FROM (${byMinutes()}) AS minutes
    WHERE NOT EXISTS (SELECT 1 FROM :schema.minute_gaps)`,
);

/** Where what is kept by the day is not what is kept by the hour. */
function byDays(): string {
  const hours = (
    table: string,
    byEnd: boolean,
  ) => `SELECT ${byEnd} AS by_end, lane, coalesce(state, ${allStates}) AS state, hour, -sum(tasks)
      FROM :schema.${table} WHERE lane <> ${allLanes} GROUP BY GROUPING SETS ((lane, state, hour), (lane, hour))`;
  return `SELECT lane, state FROM (
      SELECT by_end, lane, state, day * ${hoursOfDay} + place - 1 AS hour, own.tasks
        FROM :schema.day_tallies CROSS JOIN LATERAL unnest(tasks) WITH ORDINALITY AS own (tasks, place)
      UNION ALL ${hours("hour_tallies", false)}
      UNION ALL ${hours("ended_tallies", true)}) AS both_counts
    GROUP BY by_end, lane, state, hour HAVING sum(tasks) <> 0`;
}

/** Where what is kept by the minute, and by the hour of the end, is not what is counted. */
function byMinutes(): string {
  const state = "CASE WHEN status >= 3 THEN status ELSE 0 END";
  return `SELECT lane, state, minute FROM (
      SELECT coalesce(lane, ${allLanes}) AS lane, state, minute, sum(tasks) AS tasks, sum(ended) AS ended FROM (
        SELECT lane, ${state} AS state, ${minuteSql("created_at")} AS minute, 1 AS tasks, 0 AS ended FROM :schema.tasks
        UNION ALL SELECT lane, status, ${minuteSql("updated_at")}, 0, 1 FROM :schema.tasks WHERE status >= 3
        UNION ALL SELECT lane, state, minute, -tasks, -ended FROM (${movesOf(":schema.minute_changes AS changes")}) AS moves
      ) AS counted GROUP BY GROUPING SETS ((lane, state, minute), (state, minute))
      UNION ALL SELECT lane, state, kept.hour::bigint * 60 + cell.minute, -cell.tasks, -cell.ended
        FROM :schema.minute_tallies AS kept CROSS JOIN LATERAL unnest(minutes, kept.tasks, kept.ended) AS cell (minute, tasks, ended)
    ) AS both_counts GROUP BY lane, state, minute HAVING sum(tasks) <> 0 OR sum(ended) <> 0
    UNION ALL SELECT lane, state, hour FROM (
      SELECT lane, state, hour, tasks FROM :schema.ended_tallies
      UNION ALL SELECT lane, state, hour, -(SELECT sum(ended) FROM unnest(ended) AS own (ended)) FROM :schema.minute_tallies
    ) AS by_hours GROUP BY lane, state, hour HAVING sum(tasks) <> 0`;
}

const fillsLeft = statement(
  "fillsLeft",
  `SELECT type, sum(tasks)::bigint FROM (
      SELECT lanes.type, greatest(counted.tasks - attribute_fills.done, 0) AS tasks
      FROM :schema.attribute_fills JOIN :schema.lanes USING (lane)
        JOIN (SELECT lane, sum(tasks) AS tasks FROM (${sums}) AS sums GROUP BY lane) AS counted USING (lane)
      UNION ALL ${lackingByType}) AS fills
    GROUP BY type ORDER BY type`,
);

/** Whether nobody is to write, or to look after, what was created then. */
const isNotBehind = (row: string) =>
  `NOT EXISTS (SELECT 1 FROM :schema.attribute_work AS noted WHERE ${row}.created_at BETWEEN noted.first_at AND noted.last_at)`;

const wrongAttributes = onceOnly(
  "checkAttributes",
  `SELECT (SELECT count(*) FROM :schema.tasks CROSS JOIN LATERAL unnest(tasks.attributes) AS own (key)
      WHERE ${isFound("own.key")} AND NOT EXISTS (SELECT 1 FROM :schema.attributes WHERE attributes.key = own.key
        AND state IN (${stateOf("tasks.status")}, ${unknownState}) AND attributes.created_at = tasks.created_at
        AND task_id = tasks.id) AND ${isNotBehind("tasks")}),
    (SELECT count(*) FROM :schema.attributes WHERE ${isNotBehind("attributes")} AND NOT EXISTS (
      SELECT 1 FROM :schema.tasks CROSS JOIN LATERAL unnest(tasks.attributes) AS own (key)
      WHERE tasks.id = task_id AND tasks.created_at = attributes.created_at AND own.key = attributes.key
        AND attributes.state IN (${stateOf("tasks.status")}, ${unknownState})))`,
);
