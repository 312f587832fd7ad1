/**
 * Counting by the minute what is there: after the migration that began these counts, and after workers of an older version,
 * which know nothing of them, have written. `minute_gaps` says so; until it is empty counts are taken from the indexes.
 *
 * A piece at a time, some ten thousand tasks of one lane and state, is counted and compared with what is kept of it, in one
 * snapshot, and the difference is added. So whoever writes meanwhile waits for nothing: what this version wrote is in both,
 * or in neither. What an older one writes meanwhile leaves a row, and all is gone over once more.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { allLanes } from "../../shared/hours.ts";
import { hourOfMinute, minuteOf, minuteSql, minutesBefore1970 } from "../../shared/kept-counts.ts";
import type { Session } from "../connections/database.ts";
import { planning } from "../connections/planning.ts";
import type { Context } from "../context.ts";
import { hasty, statement } from "../statement.ts";
import { addingToMinutes, minutesLock, movesOf, placeOfMinute } from "./minute-tallies.ts";

/** While an older version writes, going over all is no use: it is done when that has been over for so long. */
const restMs = 60_000;
/** The sums are folded, or another process counts. */
const busyMs = 1_000;
/** Of a piece, if not more are of one minute. */
const pieceTasksMax = 20_000;
/** Before and after every minute that a task can have. */
const minuteMin = -minutesBefore1970;
const minuteMax = 4_223_371_680;

/** Where the next piece begins. */
interface Place {
  lane: number;
  state: number;
  byEnd: boolean;
  minute: number;
}

/** What is gone over of a lane, one after the other. */
const kinds = [
  { state: 0, byEnd: false },
  ...[3, 4, 5].flatMap((state) => [false, true].map((byEnd) => ({ state, byEnd }))),
];

export class MinuteFill {
  readonly #context: Context;
  readonly #closing = new AbortController();
  #filling: Promise<void> | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Goes over what is left to count, if anything is, behind everything else. */
  begin(): void {
    this.#filling ??= this.#fill()
      // One that fails is made up for by the next.
      .catch(() => undefined)
      .finally(() => {
        this.#filling = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#filling;
  }

  async #fill(): Promise<void> {
    while (!this.#closing.signal.aborted && !(await readKept(this.#context))) {
      const began = performance.now();
      const step = await fillMinutes(this.#context);
      // Half of the time is the others'.
      const pausesMs = { counted: performance.now() - began, busy: busyMs, rests: restMs };
      await sleep(pausesMs[step], undefined, { ref: false, signal: this.#closing.signal });
    }
  }
}

/** Whether the counts by the minute have all tasks; remembers it. */
export async function readKept({ database, minutes }: Context): Promise<boolean> {
  const [row] = await database.read(areKept);
  minutes.areKept = row![0];
  return minutes.areKept;
}

/**
 * Counts one piece, unless somebody else holds the sums, or there is nothing to count, or not yet.
 * @param rest how long an older version must have rested
 */
export function fillMinutes(
  { database }: Pick<Context, "database">,
  rest = restMs,
  tasksMax = pieceTasksMax,
): Promise<"counted" | "busy" | "rests"> {
  return database.transaction(async (session) => {
    const [locked] = await session.query(lock);
    if (!locked![0]) return "busy";
    const [row] = await session.query(readGaps);
    const [gaps, ageMs, lane, state, byEnd, minute] = row!;
    if (gaps > 0) {
      const isOver = ageMs >= rest;
      await session.query(isOver ? startOver : forgetAllButOne);
      return isOver ? "counted" : "rests";
    }
    if (lane === null) return "rests";
    const next = await countPiece(session, { lane, state, byEnd, minute }, tasksMax);
    if (next) await session.query(moveOn, [next.lane, next.state, next.byEnd, next.minute]);
    else await session.query(endFill);
    return "counted";
  });
}

async function countPiece(session: Session, place: Place, tasksMax: number): Promise<Place | undefined> {
  const { lane, state, byEnd, minute } = place;
  const kind = kinds.findIndex((one) => one.state === state && one.byEnd === byEnd);
  if (lane > 0) {
    await session.query(planning.statement);
    const [endsIn, count] = byEnd ? [endOfEnded, countEnded] : [endOfCreated, countCreated];
    const statuses = state === 0 ? [0, 1] : [state];
    const [row] = await session.query(endsIn, [lane, statuses, minute * 60_000, tasksMax]);
    const end = row![0] === null ? minuteMax : Math.max(minute + 1, minuteOf(row![0]));
    await session.query(count, [
      ...[lane, state, statuses, minute, end],
      ...[hourOfMinute(minute), hourOfMinute(end - 1)],
    ]);
    if (end < minuteMax) return { ...place, minute: end };
    const follows = kinds[kind + 1];
    if (follows) return { lane, ...follows, minute: minuteMin };
  }
  const [next] = await session.query(nextLane, [lane]);
  return next && { lane: next[0], ...kinds[0]!, minute: minuteMin };
}

const areKept = statement("minutesAreKept", "SELECT NOT EXISTS (SELECT 1 FROM :schema.minute_gaps)");

const lock = statement("lockMinutes", `SELECT ${minutesLock}`);

const readGaps = statement(
  "readMinuteGaps",
  `SELECT gaps, age, lane, state, by_end, minute FROM (
      SELECT count(*)::integer AS gaps, extract(epoch FROM clock_timestamp() - max(noted_at)) * 1000 AS age
      FROM :schema.minute_gaps WHERE lane IS NULL) AS noted
    LEFT JOIN (SELECT lane, state, by_end, minute FROM :schema.minute_gaps WHERE lane IS NOT NULL LIMIT 1) AS place ON true`,
);
/** Those of them that nobody else is deleting: whoever does leaves one of its own. */
const forget = (which: string) => `DELETE FROM :schema.minute_gaps WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM :schema.minute_gaps ${which} FOR UPDATE SKIP LOCKED))`;
/** One of those that are seen is enough: all the others were committed before whatever begins now. */
const forgetAllButOne = statement(
  "thinMinuteGaps",
  forget(`WHERE lane IS NULL AND ctid <> (
      SELECT ctid FROM :schema.minute_gaps WHERE lane IS NULL ORDER BY noted_at DESC LIMIT 1)`),
);
const startOver = statement(
  "startMinutes",
  `WITH forgotten AS (${forget("")})
  INSERT INTO :schema.minute_gaps (lane, state, by_end, minute) VALUES (0, 0, false, ${minuteMin})`,
);
const moveOn = statement(
  "moveMinutes",
  `UPDATE :schema.minute_gaps SET lane = $1, state = $2, by_end = $3, minute = $4 WHERE lane IS NOT NULL AND ${hasty}`,
);
const endFill = statement("endMinutes", "DELETE FROM :schema.minute_gaps WHERE lane IS NOT NULL");
const nextLane = statement(
  "nextLaneOfMinutes",
  "SELECT lane FROM :schema.lanes WHERE lane > $1 ORDER BY lane LIMIT 1",
);

const [endOfCreated, countCreated] = pieceStatements("Created", "created_at", "tasks.status <> 2", "tasks");
const [endOfEnded, countEnded] = pieceStatements(
  "Ended",
  "updated_at",
  "tasks.status <> 2 AND tasks.status <> 0",
  "ended",
);

/** By tasks_lane_created or tasks_lane_updated; RUNNING tasks, which are few, by tasks_running. */
function pieceStatements(name: string, instant: string, indexed: string, sum: "tasks" | "ended") {
  const within = (minute: string) => `${minute} >= $4::bigint AND ${minute} < $5::bigint`;
  const isWithin = `tasks.lane = $1::integer AND ${instant} >= $4::bigint * 60000 AND ${instant} < $5::bigint * 60000`;
  const running = `UNION ALL SELECT ${minuteSql(instant)}, count(*)::integer FROM :schema.tasks
      WHERE tasks.status = 2 AND $2::smallint = 0 AND ${isWithin} GROUP BY 1`;
  return [
    statement(
      `endOf${name}Minutes`,
      `SELECT min(at) FROM unnest($2::smallint[]) AS own (status) CROSS JOIN LATERAL (
        SELECT ${instant} AS at FROM :schema.tasks WHERE tasks.lane = $1 AND tasks.status = own.status AND ${indexed}
          AND ${instant} >= $3::bigint ORDER BY ${instant}, id OFFSET $4::integer LIMIT 1) AS beyond`,
    ),
    statement(
      `count${name}Minutes`,
      `WITH counted AS (
        SELECT ${minuteSql(instant)} AS minute, count(*)::integer AS tasks FROM :schema.tasks
        WHERE tasks.status = ANY($3::smallint[]) AND ${indexed} AND ${isWithin} GROUP BY 1
        ${sum === "tasks" ? running : ""}
        UNION ALL SELECT kept.hour::bigint * 60 + cell.minute, -cell.tasks
          FROM :schema.minute_tallies AS kept CROSS JOIN LATERAL unnest(kept.minutes, kept.${sum}) AS cell (minute, tasks)
          WHERE kept.lane = $1::integer AND kept.state = $2::smallint AND kept.hour BETWEEN $6::integer AND $7::integer
            AND ${within("kept.hour::bigint * 60 + cell.minute")}
        UNION ALL SELECT minute, -${sum} FROM (${movesOf(":schema.minute_changes AS changes")} AND lane = $1::integer) AS moves
          WHERE state = $2::smallint AND ${within("minute")}),
      differing AS MATERIALIZED (SELECT ${placeOfMinute}, sum(tasks)::integer AS tasks FROM counted GROUP BY counted.minute HAVING sum(tasks) <> 0),
      cells AS MATERIALIZED (
        SELECT own.lane, $2::smallint AS state, hour, minute, ${sum === "tasks" ? "tasks, 0 AS ended" : "0 AS tasks, tasks AS ended"}
        FROM differing CROSS JOIN (VALUES ($1::integer), (${allLanes})) AS own (lane)),
      ${addingToMinutes}
      SELECT count(*)::integer FROM differing`,
    ),
  ] as const;
}
