/** What holds in a transaction that reads, for it alone, so that a pooler may stand between. */
import { type Statement, statement } from "../statement.ts";

/** A statement that sets it, with its values. */
export interface Planning {
  readonly statement: Statement;
  readonly values: readonly unknown[];
  /** The same, and a statement that takes longer is cancelled; never longer than the role or the server has it. */
  within(ms: number): Planning;
}

const given = "extract(epoch FROM current_setting('statement_timeout')::interval) * 1000";
const ending = `set_config('statement_timeout', CASE WHEN ${given} BETWEEN 1 AND $1::integer
    THEN current_setting('statement_timeout') ELSE $1::integer::text END, true)`;

/**
 * The planner guesses that a new table is large, and a server with JIT then compiles for a second what takes milliseconds to
 * run. No statement of ours is long enough to be worth it.
 */
const plain = { jit: "off" };
/** What the planner is told in a search's transaction: walk the indexes in their order, one row after another. */
const walking = {
  ...plain,
  ...{ enable_bitmapscan: "off", enable_hashjoin: "off", enable_mergejoin: "off" },
  ...{ enable_seqscan: "off", enable_sort: "off", max_parallel_workers_per_gather: "0" },
};
export const planningFreely = planningBy("planFreely", plain);
export const planning = planningBy("plan", walking);
/** The same for statements by streams: a plan that was made once serves for all values, since there is one way to walk. */
export const planningOnce = planningBy("planOnce", { ...walking, plan_cache_mode: "force_generic_plan" });

function planningBy(name: string, settings: Record<string, string>): Planning {
  const parts = Object.entries(settings).map(([key, value]) => set(key, value));
  const ended = statement(`${name}Within`, `SELECT ${[...parts, ending].join(", ")}`);
  const within = (ms: number): Planning => ({ statement: ended, values: [ms], within });
  return { statement: statement(name, `SELECT ${parts.join(", ")}`), values: [], within };
}

/** For a statement alone: of an index of trigrams, which has nothing else to give; and of rows by their ids, which lie anywhere. */
export const withBitmaps = { on: settingBitmaps("On", "on", "off"), off: settingBitmaps("Off", "off", "on") };

function settingBitmaps(name: string, bitmaps: string, indexes: string): Statement {
  return statement(
    `bitmaps${name}`,
    `SELECT ${set("enable_bitmapscan", bitmaps)}, ${set("enable_indexscan", indexes)}`,
  );
}

function set(name: string, value: string): string {
  return `set_config('${name}', '${value}', true)`;
}
