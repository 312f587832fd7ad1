/**
 * All tasks that pass the plain filters, in order, a chunk at a time. Of those that cannot meet the conditions only so many are
 * read as have to be passed over, and none is sent.
 */
import type { Place, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { type RowFilter, rowFilterOf } from "../../shared/row-filter.ts";
import type { Context } from "../context.ts";
import type { CandidateReader } from "./candidate-reader.ts";
import { type Chunk, chunkMax, chunkMin, placeOf } from "./chunks.ts";
import * as plain from "./search.ts";
import { noValues, portionBytesMax, shareOf } from "./value-sizes.ts";

/** So many are looked at in one chunk at most, while that takes no longer than so many milliseconds. */
const passedMax = 10_000;
const passingMsMax = 40;

/** From the search's place on. */
export function walkedChunks(
  context: Context,
  search: StoreSearch,
  reader: CandidateReader,
): AsyncGenerator<Chunk> {
  const { where, ...all } = search;
  const filter = where && search.id === undefined ? rowFilterOf(where) : undefined;
  // What only is put in order needs no values for that.
  const bytesMax = where ? portionBytesMax : noValues;
  return filter ? maybeMeeting(context, all, reader, filter) : whole(context, all, reader, bytesMax);
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
  search: StoreSearch,
  reader: CandidateReader,
  filter: RowFilter,
): AsyncGenerator<Chunk> {
  // A definition has no value at any place.
  const all: StoreSearch = { ...search, definitions: false, offset: 0 };
  let next: Partial<StoreSearch> = {};
  for (let limit = chunkMin, most = chunkMin; ; ) {
    const beganAt = performance.now();
    const { seen, tasks } = await plain.searchMaybe(
      context,
      { ...all, ...next, limit },
      filter,
      most,
      reader.sizes,
    );
    const tookMs = performance.now() - beganAt;
    if (tasks.length > 0) {
      const { met, stoppedAt } = await reader.test(tasks);
      yield { met, seen, last: stoppedAt ?? placeOf(search, tasks.at(-1)!) };
    }
    const isFull = tasks.length === most;
    if (!isFull && seen < limit) return;
    next = behind(search, tasks);
    if (isFull) most = Math.min(chunkMax, most * 2);
    else if (tookMs < passingMsMax / 2) limit = Math.min(passedMax, limit * 2);
    if (tookMs > passingMsMax) limit = Math.max(chunkMin, Math.floor(limit / 2));
  }
}

function behind(search: StoreSearch, tasks: readonly Task[]): { after: Place & { backwards: boolean } } {
  return { after: { ...placeOf(search, tasks.at(-1)!), backwards: search.after?.backwards ?? false } };
}
