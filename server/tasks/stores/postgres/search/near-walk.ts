/** All tasks that pass the plain filters, in an order of which each index has a part, a chunk at a time; see near-keys.ts. */
import { meets, sortValueOf } from "../../../core/filters/meets.ts";
import type { Place, StoredDefinition, StoreSearch } from "../../../core/store.ts";
import { isNear } from "../../shared/near-orders.ts";
import { planningOnce } from "../connections/planning.ts";
import type { Context } from "../context.ts";
import type { CandidateReader } from "./candidate-reader.ts";
import {
  type Chunk,
  chunkMax,
  chunkMin,
  comparator,
  type Placed,
  placed,
  placeOf,
  withEntries,
} from "./chunks.ts";
import { entryOf } from "./entries.ts";
import { nearPlaces, type WaitingWay } from "./near-keys.ts";
import type { PartedOrder } from "./near-statements.ts";
import { portionBytesMax, shareOf } from "./value-sizes.ts";

/** Where a smaller share of a chunk was found by the one way to those that wait, the other is tried. */
const fewShare = 0.25;

export function isParted(sortBy: StoreSearch["sortBy"]): sortBy is PartedOrder {
  return isNear(sortBy) || sortBy === "priority" || sortBy === "duration";
}

/** Whether definitions without tasks may be among the tasks; they have a priority, and neither started nor are due. */
export function hasEntries({ sortBy, definitions }: StoreSearch): boolean {
  return sortBy === "priority" && definitions;
}

export interface NearWalk {
  order: PartedOrder;
  /** When none is looked for any further. */
  endsAt: number;
  /** Where not more tasks than so many have the search's instants, these are sorted instead. */
  fewMax: number | undefined;
  /** So many tasks are passed over without being read; of a search without conditions. */
  passed: number;
}

/** From the search's place on. */
export async function* nearChunks(
  context: Context,
  search: StoreSearch,
  reader: CandidateReader,
  { order, endsAt, fewMax, passed }: NearWalk,
): AsyncGenerator<Chunk> {
  const { where } = search;
  let { after } = search;
  let left = passed;
  let entries: Placed[] | undefined = hasEntries(search) ? undefined : [];
  // Of many priorities there are more lines than there are lanes.
  let way: WaitingWay = "ranges";
  let isOfList = true;
  const first = where ? chunkMin : Math.min(chunkMax, search.offset + search.limit);
  for (let limit = first; ; limit = Math.min(chunkMax, limit * 2)) {
    const share = shareOf(portionBytesMax, limit);
    // What is in lines is not known before these were read.
    const tasks = where || way === "lines" ? undefined : { from: left, share };
    const asked = { limit, way, endsAt, fewMax, tasks, definitions: entries === undefined, isOfList };
    const { places, next, definitions, read } = await context.searching.snapshot(async (session) => {
      const from = { ...search, ...(after && { after }) };
      const found = await nearPlaces(context, session, from, order, asked);
      const read = found.rows
        ? await reader.take(found.rows, share)
        : await reader.read(session, found.places.slice(left));
      return { ...found, ...(read.stoppedAt && { next: read.stoppedAt }), read };
    }, planningOnce);
    const passedHere = Math.min(left, places.length);
    left -= passedHere;
    const parts = entriesUpTo(search, entries ?? entriesOf(search, definitions), next);
    entries = parts.behind;
    const met = withEntries(
      search,
      read.met,
      parts.here.filter(({ task }) => !where || meets(where, { task })),
    );
    const end = parts.here.at(-1)?.task;
    const last = next ?? places.at(-1) ?? (end && placeOf(search, end));
    if (last) yield { met, seen: read.seen + parts.here.length, passed: passedHere, last };
    if (!next) return;
    // Where the one way passes over many, the other may not.
    if (order === "dueAt" && places.length < limit * fewShare) way = way === "lines" ? "ranges" : "lines";
    isOfList = false;
    after = { ...next, backwards: search.after?.backwards ?? false };
  }
}

/** Those beyond the search's place. */
function entriesOf(search: StoreSearch, definitions: readonly StoredDefinition[]): Placed[] {
  const compare = comparator(search);
  const { after } = search;
  return definitions
    .map((definition): Placed => {
      const { task } = entryOf(search, definition);
      return { task, value: sortValueOf(search.sortBy, task) ?? 0 };
    })
    .filter((entry) => !after || compare(placed(after), entry) < 0)
    .sort(compare);
}

function entriesUpTo(
  search: StoreSearch,
  entries: readonly Placed[],
  place: Place | undefined,
): { here: Placed[]; behind: Placed[] } {
  const compare = comparator(search);
  const isHere = (entry: Placed) => !place || compare(entry, placed(place)) <= 0;
  return { here: entries.filter(isHere), behind: entries.filter((entry) => !isHere(entry)) };
}
