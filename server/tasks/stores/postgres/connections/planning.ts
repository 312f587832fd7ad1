/** What the planner is told in a search's transaction: walk the indexes in their order, one row after another. */
const walking = {
  ...{ enable_bitmapscan: "off", enable_hashjoin: "off", enable_mergejoin: "off" },
  ...{ enable_seqscan: "off", enable_sort: "off", max_parallel_workers_per_gather: "0" },
};
export const planning = settingsOf(walking);
/** The same for statements by streams: a plan that was made once serves for all values, since there is one way to walk. */
export const planningOnce = settingsOf({ ...walking, plan_cache_mode: "force_generic_plan" });

/** For this transaction alone, so that a pooler may stand between. */
function settingsOf(settings: Record<string, string>): string {
  const parts = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', true)`);
  return `SELECT ${parts.join(", ")}`;
}

/** For a statement alone: of an index of trigrams, which has nothing else to give; and of rows by their ids, which lie anywhere. */
export const withBitmaps = { on: settingBitmaps("on", "off"), off: settingBitmaps("off", "on") };

function settingBitmaps(bitmaps: string, indexes: string): string {
  return `SELECT set_config('enable_bitmapscan', '${bitmaps}', true), set_config('enable_indexscan', '${indexes}', true)`;
}
