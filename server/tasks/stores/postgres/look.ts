/**
 * A look at what waits, before a claim that is likely to bring nothing: the last one brought nothing, and nobody has
 * told of new tasks since. It asks first whether any task waits at all, then reads the first one of each lane and priority,
 * and changes nothing, so that many idle workers cost the server little.
 */
import type { ClaimRequest } from "../../core/store.ts";
import { Announcements } from "./announcing/announcements.ts";
import type { Context } from "./context.ts";
import { isNotPaused, pausedForLook } from "./pauses.ts";
import { few, nowOf, statement } from "./statement.ts";

/** What is known of each worker's claims: whether it has nothing to expect, and of how many lanes its tasks are. */
export class Lookout {
  readonly announcements = new Announcements();
  #news = 0;
  /** How much news there was when a worker's claim brought nothing. */
  readonly #idleSince = new Map<string, number>();
  /** Workers for whom the small claim is the better one. */
  readonly #sated = new Set<string>();
  /** What they asked for. */
  readonly #oneLane = new Map<string, string>();

  /** There may be something to claim. */
  tell(): void {
    this.#news += 1;
  }

  get news(): number {
    return this.#news;
  }

  expectsNothing(workerId: string): boolean {
    return this.#idleSince.get(workerId) === this.#news;
  }

  /** Whether its last claim brought less than it asked for, so that one lane is likely to have all that the next one brings. */
  wasIdle(workerId: string): boolean {
    return this.#sated.has(workerId);
  }

  /**
   * What a claim brought that was sent when there was so much news.
   * @param isAll whether it would have brought all that is due; else it looked at some only
   */
  claimed(request: ClaimRequest, count: number, news: number, isAll: boolean): void {
    const { workerId, limit } = request;
    const isLess = count < limit;
    // One from several lanes would be followed by one for each of them.
    if (isLess && (!isAll || count === 0 || this.hasOneLane(request))) this.#sated.add(workerId);
    else this.#sated.delete(workerId);
    // One that looked at some is followed by a look at all.
    if (isAll ? count === 0 : isLess) this.#idleSince.set(workerId, news);
    else this.#idleSince.delete(workerId);
  }

  /** How many lanes a claim from all of them met. */
  sawLanes(request: ClaimRequest, count: number): void {
    if (count === 1) this.#oneLane.set(request.workerId, wanted(request));
    else this.#oneLane.delete(request.workerId);
  }

  /** Whether the worker's last claim from all lanes, for the same, met one. */
  hasOneLane(request: ClaimRequest): boolean {
    return this.#oneLane.get(request.workerId) === wanted(request);
  }

  forget(workerId: string): void {
    this.#idleSince.delete(workerId);
    this.#sated.delete(workerId);
    this.#oneLane.delete(workerId);
  }
}

function wanted({ types, queues }: ClaimRequest): string {
  return JSON.stringify([types, queues]);
}

export interface Seen {
  alive: boolean;
  /** Whether a claim would bring something. */
  isDue: boolean;
  /** When the first task is due, if one waits; milliseconds since 1970. */
  dueAt: number | undefined;
}

export async function lookForTasks(context: Context, request: ClaimRequest): Promise<Seen> {
  const { workerId, types, queues, suspect } = request;
  const [glance] = await context.database.query(glanceAtTasks, [workerId]);
  if (!glance![1]) return { alive: glance![0], isDue: false, dueAt: undefined };
  const values = [context.now(), workerId, types, queues ?? null, suspect];
  const [row] = await context.database.query(look, values);
  const [alive, now, dueAt] = row!;
  return { alive, isDue: dueAt !== null && dueAt <= now, dueAt: dueAt ?? undefined };
}

/** A range that is rare to the planner, so that it enters the index at its first entry. */
const anyLane = "tasks.lane BETWEEN (SELECT 0 FROM me) AND (SELECT 2147483647 FROM me)";
const any = (
  waiting: string,
) => `EXISTS (SELECT 1 FROM :schema.tasks WHERE tasks.status < 2 AND ${waiting} AND ${anyLane}
      ORDER BY tasks.lane LIMIT (SELECT 1 FROM me))`;

/** Small, because the server plans it anew five times for each worker that starts. */
export const glanceAtTasks = statement(
  "glanceAtTasks",
  `WITH me AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM :schema.workers WHERE id = $1 AND state = 'alive') AS alive)
  SELECT me.alive, ${any("tasks.crashes = 0")} OR ${any("tasks.crashes > 0")} FROM me`,
);

/** The first task of each lane and priority; steps from one to the next. */
function firsts(name: string, lanes: string, waiting: string): string {
  const first = (lane: string, below: string) => `SELECT tasks.lane, tasks.priority::integer, tasks.due_at
      FROM :schema.tasks WHERE tasks.status < 2 AND ${waiting} AND tasks.lane = ${lane}
        AND tasks.priority > (SELECT -1001 FROM clock) AND tasks.priority < ${below}
      ORDER BY tasks.priority DESC, tasks.due_at LIMIT (SELECT 1 FROM clock)`;
  return `${name} (lane, priority, due_at) AS (
    SELECT found.* FROM ${lanes} AS wanted CROSS JOIN LATERAL (${first("wanted.lane", "(SELECT 1001 FROM clock)")}) AS found
    UNION ALL
    SELECT found.* FROM ${name} AS above CROSS JOIN LATERAL (${first("above.lane", "above.priority")}) AS found
    WHERE ${few("above.priority")})`;
}

export const look = statement(
  "lookForTasks",
  `WITH RECURSIVE clock AS MATERIALIZED (SELECT ${nowOf("$1")} AS at),
  me AS MATERIALIZED (SELECT worker FROM :schema.workers WHERE id = $2 AND state = 'alive'),
  ${pausedForLook},
  mine AS MATERIALIZED (
    SELECT lane FROM :schema.lanes WHERE type = ANY ($3::text[]) AND ($4::text[] IS NULL OR queue = ANY ($4::text[]))
      AND ${isNotPaused("lanes")} AND ${few("lane")}),
  suspects AS (SELECT lane FROM mine WHERE $5::boolean),
  ${firsts("usual", "mine", "tasks.crashes = 0")},
  ${firsts("suspected", "suspects", "tasks.crashes > 0")}
  SELECT EXISTS (SELECT 1 FROM me), clock.at, least((SELECT min(due_at) FROM usual), (SELECT min(due_at) FROM suspected))
  FROM clock`,
);
