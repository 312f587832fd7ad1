/**
 * Search. Tasks lie in (lane, status) pairs; for each pair that has any, an index gives keys in the order that is asked
 * for, and the server merges these streams (search-statements.ts). RUNNING tasks, few, are a stream that is sorted;
 * definitions without tasks are put in here. Everything of one search is read from one snapshot.
 */

import type { Found, SearchPlan, StoredDefinition, StoreSearch } from "../../../core/store.ts";
import type { Task } from "../../../core/task.ts";
import { keptTime } from "../../shared/kept-counts.ts";
import type { ResultRow, Session, Snapshot } from "../connections/database.ts";
import { planning, planningOnce } from "../connections/planning.ts";
import { endingWith } from "../connections/snapshot.ts";
import type { Context } from "../context.ts";
import { countInRanges } from "../counts/range-counts.ts";
import { sums } from "../counts/tallies.ts";
import { type Add, askedOf, countByTime } from "../counts/time-counts.ts";
import { findTask } from "../find-task.ts";
import { plainText, type TaskRow, toTask } from "../rows.ts";
import { onceOnly, statement } from "../statement.ts";
import { comparator, entryOf, fits, isAfter, type Placed, sortValueOf } from "./entries.ts";
import { type MayMeet, maybeHas } from "./may-meet.ts";
import { filtersOf, outline, outlined } from "./outline.ts";
import { nearer, skippedMin } from "./search-skip.ts";
import { type Pair, pageStatement, type SearchStatement, type Text } from "./search-statements.ts";
import { portionBytesMax, shareOf, ValueSizes } from "./value-sizes.ts";
import { isOfAll, likelyPage, readFirst, readRest } from "./whole-pages.ts";

/** No type and no queue holds U+0000, which the server would not take, nor what it becomes. */
export function askable(search: StoreSearch): StoreSearch {
  const { types, queues } = search;
  return {
    ...search,
    ...(types && { types: types.map((type) => plainText(type)!) }),
    ...(queues && { queues: queues.map((queue) => plainText(queue)!) }),
  };
}

export async function searchTasks(context: Context, search: StoreSearch): Promise<Found> {
  if (search.id !== undefined) return { tasks: await searchById(context, search, search.id) };
  const { bytesMax } = search;
  if (bytesMax !== undefined) {
    const { tasks, isCut } = await searchWithin(context, { ...search, bytesMax });
    return { tasks, ...(isCut && { isCut }) };
  }
  const page = await context.searching.snapshot(
    (session) => readPage(context, session, search),
    planningOnce,
  );
  return { tasks: await pageOf(context, search, page) };
}

/** By no id: what fits. */
function searchWithin(
  context: Context,
  search: StoreSearch & { bytesMax: number },
): Promise<{ tasks: Task[]; isCut: boolean }> {
  return context.searching.snapshot(async (session) => {
    const sizes = new ValueSizes();
    const share = shareOf(search.bytesMax, search.limit);
    // Larger values may be read in the end.
    const page = await readPage(context, session, search, share, false);
    for (const row of page.rows) sizes.note(row.slice(1) as TaskRow, share);
    const all = await pageOf(context, search, page);
    const fits = sizes.fitting(all, search.bytesMax);
    const tasks = await sizes.whole(session, all.slice(0, fits), (numbers) => context.lanes.named(numbers));
    return { tasks, isCut: fits < all.length };
  }, planningOnce);
}

/** By no id: all of them, those with larger values without these. */
export async function searchLeaving(
  context: Context,
  search: StoreSearch,
  sizes: ValueSizes,
  share: number,
): Promise<Task[]> {
  const page = await context.searching.snapshot(
    (session) => readPage(context, session, search, share),
    planningOnce,
  );
  for (const row of page.rows) sizes.note(row.slice(1) as TaskRow, share);
  return pageOf(context, search, page);
}

async function pageOf(
  context: Context,
  search: StoreSearch,
  { rows, first, definitions }: Page,
): Promise<Task[]> {
  const lanes = await context.lanes.named(new Set(rows.map((row) => row[2] as number)));
  const tasks = rows.map((row): Placed => ({ task: toTask(row.slice(1) as TaskRow, lanes), value: row[0] }));
  const entries = definitions.map((definition) => entryOf(search, definition));
  return merge(search, tasks, first, entries);
}

/**
 * Those of the next tasks that may meet a condition, at most so many, and the last one in any case; and how many were looked
 * at. Those with larger values are without these. Of a search without definitions.
 */
export async function searchMaybe(
  context: Context,
  search: StoreSearch,
  filter: MayMeet,
  most: number,
  sizes: ValueSizes,
): Promise<{ seen: number; tasks: Task[] }> {
  const share = shareOf(portionBytesMax, most);
  const { value: rows } = await context.searching.snapshot(
    (session) =>
      outlined(
        context,
        session,
        search,
        (pairs) => {
          const { statement, values } = maybeStatement(search, pairs, filter, most, share);
          return session.query(statement, values);
        },
        () => true,
      ),
    planningOnce,
  );
  for (const row of rows) sizes.note(row.slice(2) as TaskRow, share);
  const lanes = await context.lanes.named(new Set(rows.map((row) => row[3] as number)));
  return { seen: rows.at(-1)?.[0] ?? 0, tasks: rows.map((row) => toTask(row.slice(2) as TaskRow, lanes)) };
}

export function maybeStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  filter: MayMeet,
  most: number,
  share: number,
): SearchStatement {
  const condition = (text: Text) => maybeHas(filter, text);
  return pageStatement(search, pairs, search.limit, search.offset, share, { condition, most });
}

export async function countTasks(context: Context, search: StoreSearch): Promise<number> {
  if (search.id !== undefined) {
    const { after: _after, ...unplaced } = search;
    return (await searchById(context, { ...unplaced, offset: 0, definitions: false }, search.id)).length;
  }
  if (!search.created && !search.updated) {
    const session: Session = { query: (statement, values) => context.searching.read(statement, values) };
    return countKept(session, search);
  }
  return context.searching.snapshot((snapshot) => {
    const isKept = keptTime(search, undefined) !== undefined;
    const session = isKept ? endingWith(snapshot, () => context.minutes.isOneQuestion) : snapshot;
    const pairs = async () => (await outline(session, { ...search, definitions: false })).pairs;
    return countFitting(context, session, search, pairs);
  }, planningOnce);
}

/** Of types, queues and statuses alone. */
export async function countKept(
  session: Session,
  filters: Pick<StoreSearch, "types" | "queues" | "statuses">,
): Promise<number> {
  const [row] = await session.query(keptCount, filtersOf(filters));
  return row![0];
}

/** About how many tasks there are; undefined where the search's pairs tell that, or nothing depends on it. */
export async function countedAll(
  { lanes }: Context,
  session: Session,
  search: StoreSearch,
): Promise<number | undefined> {
  if (search.sortBy === "updatedAt" || isOfAll(search)) return undefined;
  return lanes.pairs.all(() => countKept(session, {}));
}

/** By the counts that are kept, as far as they are; else the pairs are asked for. */
async function countFitting(
  context: Parameters<typeof countByTime>[0],
  session: Session,
  search: StoreSearch,
  pairs: () => Promise<readonly Pair[]>,
): Promise<number> {
  const time = keptTime(search, undefined);
  let sum = 0;
  const add: Add = (_lane, _status, _at, tasks) => {
    sum += tasks;
  };
  if (time && (await countByTime(context, session, askedOf(search, time), add))) return sum;
  return countInRanges(session, search, await pairs());
}

/** The statements that a search and its count would run now; for tests of their plans. */
export async function searchStatements(session: Session, search: StoreSearch): Promise<SearchStatement[]> {
  const { pairs } = await outline(session, search);
  const counts: SearchStatement[] = [];
  const recording: Session = {
    query: (statement, values = []) => {
      counts.push({ statement, values: [...values] });
      return session.query(statement, values);
    },
  };
  const known = { minutes: { areKept: true, isOneQuestion: true }, lanes: { haveChosenIds: true } };
  await countFitting(known, recording, search, async () => pairs);
  return [pageStatement(search, pairs, search.limit, search.offset), ...counts];
}

/** The plan of a search without conditions, in an order that indexes have; the server tells which it uses. */
export async function planInOrder(context: Context, search: StoreSearch): Promise<SearchPlan> {
  const { limit, offset, after: _after, ...filters } = search;
  const indexes = await context.searching.snapshot(async (session) => {
    const { pairs } = await outline(session, search);
    const all = await countedAll(context, session, search);
    const { statement: page, values } = likelyPage(search, pairs, { limit, offset, all }).page;
    const [row] = await session.query(
      onceOnly("explainSearch", `EXPLAIN (FORMAT JSON) ${page.text}`),
      values,
    );
    return [...JSON.stringify(row).matchAll(/"Index Name\W+([^"\\]+)/g)].map(([, name]) => name!);
  }, planning);
  const total = await countTasks(context, { ...filters, limit: 0, offset: 0, sortBy: "createdAt" });
  const candidates = Math.min(total, offset + limit);
  return { source: "order", indexes: [...new Set(indexes)], candidates, isSorted: false };
}

interface Page {
  rows: ResultRow[];
  /** The place of the first row among all tasks. */
  first: number;
  definitions: StoredDefinition[];
}

/**
 * The tasks that can be on the page, whatever the definitions among them: each definition may push a task one place
 * further, so reading starts as many tasks before the offset.
 * @param share values of more bytes are not in the rows
 * @param isLast whether nothing else is asked of the snapshot
 */
async function readPage(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  share?: number,
  isLast = true,
): Promise<Page> {
  const { offset, limit } = search;
  const { shortLists } = context.lanes;
  const all = shortLists.isShort(search) ? undefined : await countedAll(context, session, search);
  if (offset === 0 || (offset < skippedMin && !search.definitions)) {
    const part = { limit, offset, all, share };
    let isSure = false;
    const { value, pairs, definitions } = await outlined(
      context,
      session,
      search,
      (pairs) => {
        const likely = likelyPage(search, pairs, part);
        isSure = likely.isSure;
        return readFirst(session, likely, part);
      },
      () => isLast && isSure,
    );
    if (value.mayLack) shortLists.saw(search);
    const rows = await readRest(session, search, pairs, part, value);
    return { rows, first: offset, definitions };
  }
  const { definitions, pairs } = await outline(session, search);
  const end = offset + limit;
  const first = Math.max(0, offset - definitions.length);
  const read = async (from: number): Promise<Page> => {
    const near = await nearer(context, session, search, pairs, from);
    if (!near) return { rows: [], first: from, definitions };
    const part = { limit: end - from, offset: near.offset, all, share };
    const begun = await readFirst(session, likelyPage(near.search, pairs, part), part);
    const rows = await readRest(session, near.search, pairs, part, begun);
    return { rows, first: from, definitions };
  };
  const page = await read(first);
  // Past the last task nothing tells how many definitions came before; then all is read.
  return page.rows.length > 0 || first === 0 || definitions.length === 0 ? page : read(0);
}

function merge(search: StoreSearch, tasks: readonly Placed[], first: number, entries: Placed[]): Task[] {
  if (entries.length === 0) return tasks.map(({ task }) => task);
  const compare = comparator(search);
  entries.sort(compare);
  const head = first > 0 ? tasks[0] : undefined;
  const before = head ? entries.filter((entry) => compare(entry, head) < 0).length : 0;
  const merged = [...tasks, ...entries.slice(before)].sort(compare);
  const start = search.offset - first - before;
  return merged.slice(start, start + search.limit).map(({ task }) => task);
}

async function searchById(context: Context, search: StoreSearch, id: string): Promise<Task[]> {
  if (search.offset > 0) return [];
  const task = await findTask(context, id);
  if (task) {
    const placed: Placed = { task, value: sortValueOf(search, task) };
    return fits(search, task) && isAfter(search, placed) ? [task] : [];
  }
  if (!search.definitions) return [];
  const { definitions } = await outline(context.database.reading, search);
  return definitions
    .filter((definition) => definition.id === id)
    .map((definition) => entryOf(search, definition).task);
}

/** The counts of the lanes and statuses that fit $1, $2 and $3. */
const counted = `SELECT lane, own_ids, status, tasks FROM (${sums}) AS sums JOIN :schema.lanes USING (lane)
    WHERE ($1::text[] IS NULL OR type = ANY($1::text[])) AND ($2::text[] IS NULL OR queue = ANY($2::text[]))
      AND ($3::smallint[] IS NULL OR status = ANY($3::smallint[]))`;

const keptCount = statement(
  "countKept",
  `SELECT coalesce(sum(tasks), 0)::bigint FROM (${counted}) AS counted`,
);
