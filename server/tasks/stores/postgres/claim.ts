/**
 * Claim (T1), one statement. Tasks wait in lanes; within a lane an index has them by priority, then due time, then the
 * order they were stored. The statement steps from priority to priority without reading the tasks between, and takes
 * what is due, so that its cost is that of the tasks it takes, plus one look at each lane and priority. It stops at the
 * priority where it has enough. Where several lanes share a priority it first reads how many of the longest due are in
 * each, and then locks that many: locking the limit in every lane would leave nothing for those who claim beside it. When
 * others hold some of those, a second round takes what it can get.
 *
 * Rows are updated by `ctid`, the place they were just locked at: no index is walked again. A row that was changed
 * between the two is left for the next claim.
 *
 * The worker is not locked against being buried meanwhile: that would make every claim wait for its own heartbeats. A
 * claim that commits after the burial leaves tasks whose owner is not alive, and the sweep by ownership (T9) takes them
 * back; no settlement of a buried worker is accepted.
 */
import type { ClaimedTask, ClaimReply, ClaimRequest, Written } from "../../core/store.ts";
import { type Announced, awaitInsert } from "./announcing/announcements.ts";
import { type ClaimedRow, claimedColumns, inOrder, noClaimedColumns, toClaimedTask } from "./claimed-task.ts";
import type { ResultRow } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { lookForTasks } from "./look.ts";
import { isNotPaused, pausedForClaim } from "./pauses.ts";
import { orFewer } from "./search/fewer.ts";
import { few, nowOf, quoted, type Statement, statement } from "./statement.ts";

/** A due time that has passed: the caller asks again at once. */
const askAgainAt = 0;
/** Below this the planner may find it cheapest to read the whole table. */
const smallBytesMax = 256 * 1024;

/**
 * A row of the answer: about the claim in the first, the columns of a task, after nulls, in each of the others. When it was,
 * by the store's clock; whether the worker is alive; when the next task is due; whether others held some that are due;
 * how long it took to step to the first task; whether the table is small; how many lanes the worker claims from; whether it is
 * the only one alive.
 */
type AnswerRow = [
  at: number,
  alive: boolean,
  nextDueAt: number | null,
  missed: boolean | null,
  stepMs: number,
  isSmall: boolean,
  lanes: number,
  isAlone: boolean,
  ...claimed: ClaimedRow,
];
const ownColumns = 8;
const noOwnColumns = Array(ownColumns).fill("NULL").join(", ");

export function claimTasks(
  context: Context,
  request: ClaimRequest,
): Promise<Written<ClaimReply, "worker-dead">> {
  return context.database.written(async () => {
    const claiming = orFewer(request.limit, (limit) => claimUpTo(context, { ...request, limit }));
    return (await claiming).answer;
  });
}

async function claimUpTo(
  context: Context,
  request: ClaimRequest,
): Promise<Written<ClaimReply, "worker-dead">> {
  const { lookout } = context;
  const { news } = lookout;
  if (lookout.expectsNothing(request.workerId)) {
    const { alive, isDue, dueAt } = await lookForTasks(context, request);
    if (alive && !isDue) return { kind: "ok", value: nothing(dueAt) };
  }
  if (request.waitMs !== undefined && lookout.wasIdle(request.workerId)) {
    const claimed = await claimFirst(context, request, { isIdle: true });
    lookout.claimed(request, claimed.length, news, false);
    if (claimed.length > 0) return { kind: "ok", value: { claimed, nextDueAt: askAgainAt } };
  }
  // One who claims beside another claim of its own, while there is plenty.
  if (request.waitMs === undefined && !request.suspect && lookout.hasOneLane(request)) {
    const claimed = await claimFirst(context, request);
    if (claimed.length > 0) return { kind: "ok", value: await withRest(context, request, claimed) };
  }
  const answer = await claim(context, request);
  if (answer.kind === "ok") lookout.claimed(request, answer.value.claimed.length, news, true);
  else lookout.forget(request.workerId);
  return answer;
}

/** There may be more in lower priorities, or in lanes that are new. Whatever becomes of that, the caller gets what it has. */
async function withRest(
  context: Context,
  request: ClaimRequest,
  claimed: ClaimedTask[],
): Promise<ClaimReply> {
  const limit = request.limit - claimed.length;
  const rest = limit > 0 ? await claim(context, { ...request, limit }).catch(() => undefined) : undefined;
  if (rest?.kind !== "ok") return { claimed, nextDueAt: askAgainAt };
  return { ...rest.value, claimed: [...claimed, ...rest.value.claimed] };
}

function nothing(dueAt: number | undefined): ClaimReply {
  return dueAt === undefined ? { claimed: [] } : { claimed: [], nextDueAt: dueAt };
}

/**
 * The tasks of the highest priority in the lane whose first is due for longest. A small statement starts sooner than the
 * one for everything, a millisecond of the server's time: for an idle worker, which asks for what else there is while these
 * run, and for a worker that has only one lane, where they are the next ones anyway.
 */
async function claimFirst(
  context: Context,
  { workerId, types, queues, limit }: ClaimRequest,
  { isIdle = false } = {},
): Promise<ClaimedTask[]> {
  if (limit <= 0 || context.floors.isSlow) return [];
  const values = [context.now(), workerId, types, queues ?? null, limit];
  const announced = isIdle ? context.lookout.announcements.take() : undefined;
  const rows = (await queryBehind(context, announced, claimFirstDue, values)) as AnswerRow[];
  return rows.length === 0 ? [] : toClaims(context, rows, workerId);
}

/** A statement that is sent behind a wait for what was announced. */
async function queryBehind(
  { database }: Context,
  announced: Announced | undefined,
  statement: Statement,
  values: readonly unknown[],
): Promise<ResultRow[]> {
  if (!announced) return database.query(statement, values);
  try {
    const [waits, rows] = await database.queryBoth([awaitInsert, [announced.number]], [statement, values]);
    for (const [didWait] of waits ?? [[undefined]]) announced.end(didWait);
    return rows;
  } catch (error) {
    announced.end(false);
    throw error;
  }
}

async function claim(context: Context, request: ClaimRequest): Promise<Written<ClaimReply, "worker-dead">> {
  const limit = Math.max(0, request.limit);
  const rows = await claimOnce(context, request, { limit, suspect: request.suspect && limit > 0 });
  const [, alive, nextDueAt, missed, , , , isAlone] = rows[0]!;
  if (!alive) return { kind: "rejected", reason: "worker-dead", details: { id: request.workerId } };
  const claimed = await toClaims(context, rows, request.workerId);
  if (missed) {
    const rest = { limit: limit - claimed.length, suspect: false, laneByLane: true };
    claimed.push(...(await toClaims(context, await claimOnce(context, request, rest), request.workerId)));
  }
  return {
    kind: "ok",
    value: { claimed, ...(claimed.length >= limit && { isAlone }), ...(nextDueAt !== null && { nextDueAt }) },
  };
}

interface Round {
  limit: number;
  suspect: boolean;
  /**
   * Takes what is due from one lane after the other instead of the longest due of all: what others hold locked would
   * be the longest due again.
   */
  laneByLane?: boolean;
}

async function claimOnce(
  context: Context,
  request: ClaimRequest,
  { limit, suspect, laneByLane = false }: Round,
): Promise<AnswerRow[]> {
  const { workerId, types, queues } = request;
  const table = `${quoted(context.database.location.schema)}.tasks`;
  const floors = context.floors.at(performance.now());
  const values = [
    context.now(),
    workerId,
    types,
    queues ?? null,
    limit,
    suspect,
    table,
    floors.map(({ lane }) => lane),
    floors.map(({ priority }) => priority),
    floors.map(({ dueAt }) => dueAt),
    floors.map(({ seq }) => seq),
    laneByLane,
  ];
  const rows = (await context.database.query(claimDue, values)) as AnswerRow[];
  const [, , , , stepMs, isSmall, lanes] = rows[0]!;
  context.lookout.sawLanes(request, lanes);
  context.floors.saw(performance.now(), floors.length === 0, stepMs);
  context.database.sawTaskTable(isSmall);
  return rows;
}

async function toClaims(
  context: Context,
  rows: readonly AnswerRow[],
  workerId: string,
): Promise<ClaimedTask[]> {
  if (rows.length === 1) return [];
  const [at] = rows[0]!;
  const taken = rows
    .slice(1)
    .map((row) => row.slice(ownColumns) as ClaimedRow)
    .sort(inOrder);
  const lanes = await context.lanes.namedAtOnce(new Set(taken.map((row) => row[3])));
  return taken.map((row) => {
    if (row[11] === null) context.floors.claimed(row[3], row[7] ?? 0, row[8] ?? row[4], row[1], at);
    return toClaimedTask(row, lanes, workerId, at);
  });
}

const usual = "tasks.status < 2 AND tasks.crashes = 0";
const suspected = "tasks.status < 2 AND tasks.crashes > 0";
/*
 * Ranges with two unknown ends are rare to the planner, and a limit that is no constant is a tenth of what there is: so
 * it walks the index in its order, whatever the statistics, and never thinks the statement so dear that it compiles it.
 */
const isDue = "tasks.due_at BETWEEN (SELECT past FROM clock) AND (SELECT at FROM clock)";
const isLater = "tasks.due_at > (SELECT at FROM clock) AND tasks.due_at <= (SELECT future FROM clock)";
const one = "(SELECT 1 FROM clock)";
const highest = "(SELECT 1001 FROM clock)";
/** With both ends of the range: the index is entered at one of its lower bounds, and `past` would be before all that is dead. */
const isDueAboveFloor = `tasks.due_at BETWEEN floor.due_at AND (SELECT at FROM clock)
      AND (tasks.due_at, tasks.seq) >= (floor.due_at, floor.seq)`;

/** The highest priority below another that tasks of these lanes wait in; null when there is none. */
function top(lanes: string, waiting: string, below: string, above = "(SELECT -1001 FROM clock)"): string {
  return `(SELECT max(head.priority) FROM ${lanes} AS wanted CROSS JOIN LATERAL (
      SELECT tasks.priority::integer FROM :schema.tasks WHERE ${waiting} AND tasks.lane = wanted.lane
        AND tasks.priority > ${above} AND tasks.priority < ${below}
      ORDER BY tasks.priority DESC LIMIT ${one}) AS head)`;
}

/** The same, but a priority with a floor counts as one in any case, and what lies before the floor is not looked at. */
function topOrFloor(below: string): string {
  const known = `(SELECT max(floors.priority) FROM floors WHERE floors.priority < ${below})`;
  return `greatest(${known}, ${top("mine", usual, below, `coalesce(${known}, -1001)`)})`;
}

/** The waiting tasks of one lane and one priority, the longest due first. */
function inLane(columns: string, waiting: string, condition: string, rest: string): string {
  return `SELECT ${columns} FROM :schema.tasks WHERE ${waiting} AND tasks.lane = wanted.lane
      AND tasks.priority = level.priority AND ${condition} ORDER BY tasks.due_at, tasks.seq ${rest}`;
}

/** A join with the place in that lane and priority where the tasks that are left begin. */
const joinFloor = `CROSS JOIN LATERAL (
      SELECT coalesce(max(floors.due_at), (SELECT past FROM clock)) AS due_at, coalesce(max(floors.seq), 0) AS seq
      FROM floors WHERE floors.lane = wanted.lane AND floors.priority = level.priority) AS floor`;

/** The lanes of the tasks of one priority that have been due for longest, in all of the worker's lanes. */
function longestDue(count: string): string {
  return `SELECT each.lane FROM (SELECT wanted.lane, waiting.due_at, waiting.seq FROM mine AS wanted
      ${joinFloor}
      CROSS JOIN LATERAL (${inLane("tasks.due_at, tasks.seq", usual, isDueAboveFloor, `LIMIT ${count}`)})
      AS waiting) AS each
      ORDER BY each.due_at, each.seq LIMIT ${count}`;
}

/** When the first of the tasks that are not due yet is due. */
function nextDue(levels: string, lanes: string, waiting: string): string {
  return `SELECT min(later.due_at) FROM ${levels} AS level CROSS JOIN ${lanes} AS wanted
    CROSS JOIN LATERAL (${inLane("tasks.due_at", waiting, isLater, `LIMIT ${one}`)}) AS later
    WHERE ${few("level.priority")}`;
}

export const claimFirstDue = statement(
  "claimFirstTasks",
  `WITH clock AS MATERIALIZED (
    SELECT worker, ${nowOf("$1")} AS at, ${-(2 ** 53)}::bigint AS past
    FROM :schema.workers WHERE id = $2 AND state = 'alive'),
  ${pausedForClaim},
  level AS MATERIALIZED (
    SELECT first.lane, first.priority FROM clock CROSS JOIN :schema.lanes AS wanted CROSS JOIN LATERAL (
      SELECT tasks.lane, tasks.priority, tasks.due_at FROM :schema.tasks WHERE ${usual} AND tasks.lane = wanted.lane
        AND tasks.priority > (SELECT -1001 FROM clock) AND tasks.priority < ${highest}
      ORDER BY tasks.priority DESC, tasks.due_at LIMIT ${one}) AS first
    WHERE wanted.type = ANY ($3::text[]) AND ($4::text[] IS NULL OR wanted.queue = ANY ($4::text[]))
      AND ${isNotPaused("wanted")} AND ${few("wanted.lane")}
    ORDER BY first.priority DESC, first.due_at LIMIT ${one}),
  due AS MATERIALIZED (
    SELECT found.place, found.seq FROM level CROSS JOIN LATERAL (
      SELECT tasks.ctid AS place, tasks.seq FROM :schema.tasks WHERE ${usual} AND tasks.lane = level.lane
        AND tasks.priority = level.priority AND ${isDue}
      ORDER BY tasks.due_at, tasks.seq LIMIT (SELECT $5::integer) FOR UPDATE SKIP LOCKED) AS found
    WHERE ${few("level.lane")}),
  claimed AS (
    UPDATE :schema.tasks SET status = 2, worker = clock.worker, fence = tasks.fence + 1, attempts = tasks.attempts + 1,
      started_at = clock.at, updated_at = greatest(clock.at, tasks.created_at), version = tasks.version + 1
    FROM clock, due WHERE tasks.ctid = due.place AND tasks.status < 2 AND ${few("due.seq")}
    RETURNING ${claimedColumns}),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT level.lane, moved.status, moved.sign * count(*) FROM level, claimed, (VALUES (1, -1), (2, 1)) AS moved (status, sign)
    GROUP BY 1, 2, moved.sign)
  SELECT clock.at, true, NULL::bigint, false, 0::float8, false, 0, false, ${noClaimedColumns} FROM clock
    UNION ALL SELECT ${noOwnColumns}, claimed.* FROM claimed`,
);

export const claimDue = statement(
  "claimTasks",
  `WITH RECURSIVE clock AS MATERIALIZED (
    SELECT ${nowOf("$1")} AS at, ${-(2 ** 53)}::bigint AS past, ${2 ** 53}::bigint AS future,
      clock_timestamp() AS began),
  me AS MATERIALIZED (SELECT worker FROM :schema.workers WHERE id = $2 AND state = 'alive'),
  ${pausedForClaim},
  mine AS MATERIALIZED (
    SELECT lane FROM :schema.lanes WHERE type = ANY ($3::text[]) AND ($4::text[] IS NULL OR queue = ANY ($4::text[]))
      AND ${isNotPaused("lanes")} AND EXISTS (SELECT 1 FROM me) AND ${few("lane")}),
  floors AS MATERIALIZED (
    SELECT * FROM unnest($8::integer[], $9::integer[], $10::bigint[], $11::bigint[])
      AS given (lane, priority, due_at, seq) WHERE lane IN (SELECT lane FROM mine)),
  suspects AS MATERIALIZED (SELECT lane FROM mine WHERE $6::boolean),
  suspect_levels (priority) AS (
    SELECT ${top("suspects", suspected, highest)} UNION ALL
    SELECT ${top("suspects", suspected, "level.priority")} FROM suspect_levels AS level
    WHERE ${few("level.priority")}),
  suspect AS MATERIALIZED (
    SELECT first.place, first.seq FROM suspect_levels AS level CROSS JOIN LATERAL (
      SELECT each.place, each.seq FROM suspects AS wanted CROSS JOIN LATERAL (${inLane(
        "tasks.ctid AS place, tasks.due_at, tasks.seq",
        suspected,
        isDue,
        `LIMIT ${one} FOR UPDATE SKIP LOCKED`,
      )}) AS each ORDER BY each.due_at, each.seq LIMIT 1) AS first
    WHERE ${few("level.priority")} LIMIT ${one}),
  several AS MATERIALIZED (SELECT count(*) > 1 AND NOT $12::boolean AS lanes FROM mine),
  levels (priority, left_over) AS (
    SELECT ${topOrFloor(highest)}, $5::integer - (SELECT count(*)::integer FROM suspect) UNION ALL
    SELECT ${topOrFloor("level.priority")}, CASE WHEN several.lanes
      THEN level.left_over - (SELECT count(*)::integer FROM (${longestDue("level.left_over")}) AS seen)
      ELSE level.left_over END
    FROM several, levels AS level WHERE ${few("level.priority")} AND level.left_over > 0),
  due AS MATERIALIZED (
    SELECT found.place, found.seq, level.priority, share.lane, share.seen, clock_timestamp() AS found_at FROM levels AS level
    CROSS JOIN LATERAL (
      SELECT lane, level.left_over AS tasks, NULL::integer AS seen FROM mine, several WHERE NOT several.lanes
      UNION ALL
      SELECT longest.lane, count(*)::integer, count(*)::integer
      FROM (${longestDue("level.left_over")}) AS longest WHERE (SELECT lanes FROM several) GROUP BY longest.lane) AS share
    CROSS JOIN LATERAL (SELECT share.lane) AS wanted
    ${joinFloor}
    LEFT JOIN LATERAL (${inLane(
      "tasks.ctid AS place, tasks.seq",
      usual,
      isDueAboveFloor,
      "LIMIT share.tasks FOR UPDATE SKIP LOCKED",
    )}) AS found ON true
    WHERE (found.place IS NOT NULL OR share.seen IS NOT NULL) AND ${few("level.priority")} AND ${few("share.tasks")}
    LIMIT (SELECT $5::integer) - (SELECT count(*) FROM suspect)),
  claimed AS (
    UPDATE :schema.tasks SET status = 2, worker = me.worker, fence = tasks.fence + 1, attempts = tasks.attempts + 1,
      started_at = clock.at, updated_at = greatest(clock.at, tasks.created_at), version = tasks.version + 1
    FROM me, clock, (SELECT place, seq FROM suspect UNION ALL SELECT place, seq FROM due) AS taken
    WHERE tasks.ctid = taken.place AND tasks.status < 2 AND ${few("taken.seq")}
    RETURNING ${claimedColumns}),
  counts AS MATERIALIZED (SELECT lane, count(*) AS tasks FROM claimed GROUP BY lane),
  tallied AS (
    INSERT INTO :schema.tally_changes (lane, status, tasks)
    SELECT lane, 1, -tasks FROM counts UNION ALL SELECT lane, 2, tasks FROM counts),
  rest AS MATERIALIZED (
    SELECT EXISTS (SELECT 1 FROM due WHERE seen IS NOT NULL GROUP BY priority, lane HAVING count(place) < max(seen))
        AS missed,
      least((${nextDue("levels", "mine", usual)}), (${nextDue("suspect_levels", "suspects", suspected)})) AS due_at
    WHERE (SELECT count(*) FROM claimed) < $5::integer)
  SELECT clock.at, EXISTS (SELECT 1 FROM me), rest.due_at, rest.missed,
    extract(epoch FROM coalesce((SELECT min(found_at) FROM due), clock_timestamp()) - clock.began)::float8 * 1000,
    (SELECT pg_relation_size($7::text::regclass) < ${smallBytesMax}),
    (SELECT count(*)::integer FROM mine),
    NOT EXISTS (SELECT 1 FROM :schema.workers WHERE state = 'alive' AND id <> $2), ${noClaimedColumns}
  FROM clock LEFT JOIN rest ON true UNION ALL SELECT ${noOwnColumns}, claimed.* FROM claimed`,
);
