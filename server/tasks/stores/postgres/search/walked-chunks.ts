/**
 * All tasks that pass the plain filters, in order, a chunk at a time. Of those that cannot meet the conditions only so many are
 * read as have to be passed over, and none is sent.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { planningOnce } from "../connections/planning.ts";
import type { Context } from "../context.ts";
import type { CandidateReader } from "./candidate-reader.ts";
import { type Chunk, chunkMax, chunkMin, placeOf } from "./chunks.ts";
import { type MayMeet, mayMeetOf } from "./may-meet.ts";
import { lookedFor, MetBefore } from "./met-before.ts";
import { entriesIn, mayHaveEntries } from "./outline.ts";
import * as plain from "./search.ts";
import { noValues, portionBytesMax, shareOf } from "./value-sizes.ts";

/** So many are looked at in one chunk at most, while that takes no longer than so many milliseconds. */
const passedMax = 10_000;
const passingMsMax = 40;
/** And of those that are likely to fill a page so many at least, and of the first so many at most: they may lie on the disk by now. */
const likelyMin = 50;
const firstLikelyMax = 1_000;

/** From the search's place on. @param wanted after how many that meet the conditions whoever asks is likely to stop */
export function walkedChunks(
  context: Context,
  search: StoreSearch,
  reader: CandidateReader,
  wanted = Number.POSITIVE_INFINITY,
): AsyncGenerator<Chunk> {
  const { where, ...all } = search;
  const filter = where && search.id === undefined ? mayMeetOf(where) : undefined;
  // What only is put in order needs no values for that.
  const bytesMax = where ? portionBytesMax : noValues;
  return filter
    ? maybeMeeting(context, search, reader, { filter, wanted })
    : whole(context, all, reader, bytesMax);
}

async function* whole(
  context: Context,
  search: StoreSearch,
  reader: CandidateReader,
  bytesMax: number,
): AsyncGenerator<Chunk> {
  if (search.id !== undefined) {
    const { tasks } = await plain.searchTasks(context, { ...search, offset: 0 });
    if (tasks.length > 0) yield { ...(await reader.test(tasks)), last: placeOf(search, tasks.at(-1)!) };
    return;
  }
  let next: Partial<StoreSearch> = {};
  for (let limit = chunkMin; ; limit = Math.min(chunkMax, limit * 2)) {
    const part = { ...search, ...next, limit, offset: 0 };
    const tasks = await plain.searchLeaving(context, part, reader.sizes, shareOf(bytesMax, limit));
    if (tasks.length > 0) {
      const { stoppedAt, ...tested } = await reader.test(tasks);
      yield { ...tested, last: stoppedAt ?? placeOf(search, tasks.at(-1)!) };
    }
    if (tasks.length < limit) return;
    next = behind(search, tasks);
  }
}

async function* maybeMeeting(
  context: Context,
  { where: _where, ...search }: StoreSearch,
  reader: CandidateReader,
  { filter, wanted }: { filter: MayMeet; wanted: number },
): AsyncGenerator<Chunk> {
  // A definition has no value at any place, but a priority and no attempts.
  if (filter.of === "task" && mayHaveEntries(search)) {
    const entries = await context.searching.snapshot(
      (session) => entriesIn(context, session, search),
      planningOnce,
    );
    if (entries.length > 0) return yield* whole(context, search, reader, portionBytesMax);
  }
  const all: StoreSearch = { ...search, definitions: false, offset: 0 };
  const before = MetBefore.of(context.database);
  let next: Partial<StoreSearch> = {};
  let left = wanted;
  let limit = likely(left, before.shareOf(search, filter), firstLikelyMax) ?? chunkMin;
  for (let most = chunkMin; ; ) {
    const beganAt = performance.now();
    const { seen, tasks } = await plain
      .searchMaybe(context, { ...all, ...next, limit }, filter, most, reader.sizes)
      .catch((error: unknown) => {
        // It may have taken too long.
        before.forget(search, filter);
        throw error;
      });
    const tookMs = performance.now() - beganAt;
    let met = 0;
    if (tasks.length > 0) {
      const { stoppedAt, ...tested } = await reader.test(tasks);
      met = tested.met.length;
      if (tookMs > passingMsMax) before.forget(search, filter);
      else before.note(search, filter, { seen, met });
      yield { met: tested.met, seen, last: stoppedAt ?? placeOf(search, tasks.at(-1)!) };
    }
    const isFull = tasks.length === most;
    if (!isFull && seen < limit) return;
    next = behind(search, tasks);
    left -= met;
    if (isFull) most = Math.min(chunkMax, most * 2);
    else if (tookMs < passingMsMax / 2) {
      const twice = Math.min(passedMax, limit * 2);
      limit = likely(left, met / seen, twice) ?? twice;
    }
    if (tookMs > passingMsMax) limit = Math.max(chunkMin, Math.floor(limit / 2));
  }
}

/** How many are looked at for what is left of a page; undefined where nothing tells. */
function likely(left: number, share: number | undefined, most: number): number | undefined {
  if (!Number.isFinite(left) || left <= 0 || !share) return undefined;
  return Math.min(most, Math.max(likelyMin, lookedFor(left, share)));
}

function behind(search: StoreSearch, tasks: readonly Task[]): { after: Place & { backwards: boolean } } {
  return { after: { ...placeOf(search, tasks.at(-1)!), backwards: search.after?.backwards ?? false } };
}
