/**
 * Candidates of a search by the index of texts, which is read by seq: nearly the order of creation. For each block of
 * seqs it is known between which instants its tasks were created, so that a task is given as soon as no block that is still
 * to be read can have one before it.
 *
 * Tasks that are not indexed as they are now are candidates too while they are few; so a search finds what was enqueued a
 * moment ago. Behind a longer backlog it finds what is indexed, and says how many it has not looked at; without a budget,
 * which is to miss nothing, and while fewer are indexed than are not, tasks are walked over instead.
 */
import type { StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";
import { hintsOf } from "../../shared/text-hints.ts";
import type { Connection } from "../connection.ts";
import {
  Candidates,
  candidatesAmong,
  estimateMax,
  gatheredMax,
  type KeySource,
} from "../search/key-source.ts";
import { findPairs } from "../search/pairs.ts";
import { runningKeys } from "../search/search.ts";
import { comparator, firstId, type Key, lastId, placeKey } from "../search/search-key.ts";
import { sourceSql as sql, textSql } from "../statements.ts";
import { type SeqRange, TextBlocks } from "./text-blocks.ts";
import { type Match, matchOf } from "./text-match.ts";
import { unindexedWith } from "./text-unindexed.ts";
import { blockSize, countUnindexed } from "./texts.ts";

const unindexedMax = 2_000;
/** A value at a place is sooner compared than a text made. */
const unindexedValuesMax = 100_000;
/** To read a task and make its text takes so many times as long as to find one by the index and pass it over. */
const walkedCost = 4;
/** So many of the newest that have the text tell how frequent it is. */
const sampleSize = 200;

/** The source of the longest text that must occur, be it asked for or part of a value in a payload or result. */
export function textSource(connection: Connection, search: StoreSearch): KeySource | undefined {
  const [longest] = search.where ? hintsOf(search.where).sort((a, b) => b.text.length - a.text.length) : [];
  if (longest === undefined) return undefined;
  const { text, isText } = longest;
  const unindexed = unindexedWith(connection, text, isText ? unindexedMax : unindexedValuesMax);
  // What stands at a place is found wherever it is.
  if (!isText && (!unindexed || connection.prepare(textSql.isTruncated).get())) return undefined;
  const left = unindexed ? 0 : countUnindexed(connection, findPairs(connection, search));
  if (left > 0 && (search.budgetMs === undefined || 2 * left > countIn(connection, search))) return undefined;
  const blocks = new TextBlocks(connection, search);
  const match = matchOf(connection, search, text, (newest) => spread(newest, blocks.newest));
  const { range } = blocks;
  const most = search.sortBy === "createdAt" ? sampleSize : gatheredMax + 1;
  const found = newestOf(connection, match, range, most);
  if (found.length > gatheredMax) return undefined;
  if (found.length === most && walksSooner(connection, search, match, spread(found, range.last)))
    return undefined;
  const besides = [...(unindexed ?? []), ...runningSeqs(connection, search, isText)];
  const source = {
    name: "full text",
    index: "texts" as const,
    estimate: (found.length === most ? estimateMax : found.length) + besides.length,
    ...(left > 0 && { unindexed: left }),
  };
  if (found.length < most) {
    const seqs = [...besides, ...found.map(([seq]) => seq)];
    return {
      ...source,
      total: () => seqs.length,
      countTo: () => seqs.length,
      keys: () => candidatesAmong(connection, search, seqs),
    };
  }
  return {
    ...source,
    total: () => countAll(connection, match) + besides.length,
    countTo: () => Math.round(spread(found, range.last) * countIn(connection, anyTask)),
    keys: () => inOrder(connection, search, match, blocks, besides),
  };
}

/** The newest of the range that may have the text, at most so many. */
function newestOf(
  connection: Connection,
  { rarest, text }: Match,
  { first, last }: SeqRange,
  most: number,
): [number][] {
  const ask = (match: string, limit: number) =>
    connection.prepare(sql.newestTexts).all(match, first, last, limit) as unknown as [number][];
  // Where few have even one trigram, the others are not looked for.
  const few = ask(rarest, sampleSize);
  return few.length < sampleSize ? few : ask(text, most);
}

/**
 * A task that runs may be in the index with the status that it had before, where nobody looks for it; and without what its attempts
 * have said since, errors and logs. One that was changed while it waited is with the changed ones then, not with the fresh, and may be
 * claimed before it is indexed at all.
 */
function runningSeqs(connection: Connection, search: StoreSearch, isText: boolean): number[] {
  const { statuses } = search;
  if (statuses && !statuses.includes("RUNNING")) return [];
  const running = runningKeys(connection, search, findPairs(connection, search)).map(([, , seq]) => seq);
  // One that was claimed as it came, and of which no attempt has said anything, is as the index has it.
  if (statuses || !isText || running.length === 0) return running;
  const changed = connection.prepare(sql.changedOf).all(JSON.stringify(running));
  return (changed as unknown as [number][]).map(([seq]) => seq);
}

/** Which share of the tasks has the text, judged by how far apart the newest that have it lie. */
function spread(found: readonly [number][], last: number): number {
  return Math.min(1, found.length / Math.max(1, last - found.at(-1)![0]));
}

/**
 * Whether a page comes sooner from the tasks that pass the plain filters, one after another, than from those that have the
 * text: when few pass, and many have it.
 * @param share which share of all tasks the index finds
 */
function walksSooner(
  connection: Connection,
  search: StoreSearch,
  { isOfLanes }: Match,
  share: number,
): boolean {
  const { types: _types, queues: _queues, ...unfiltered } = search;
  const passing = countIn(connection, search);
  const all = isOfLanes ? passing : countIn(connection, unfiltered);
  const wanted = Math.min(search.offset + search.limit, passing);
  const hits = share * countIn(connection, anyTask);
  const walked = Math.min(passing, (wanted * all) / Math.max(1, hits));
  const looked = Math.min(hits, (wanted * all) / Math.max(1, passing));
  return walked * walkedCost < looked;
}

const anyTask = { sortBy: "createdAt", descending: true, limit: 0, offset: 0, definitions: false } as const;

function countIn(connection: Connection, search: StoreSearch): number {
  return findPairs(connection, search).reduce((sum, { tasks }) => sum + tasks, 0);
}

function countAll(connection: Connection, { text }: Match): number {
  const most = Number.MAX_SAFE_INTEGER;
  return (connection.prepare(sql.countTexts).get(text, most) as unknown as [number])[0];
}

function* inOrder(
  connection: Connection,
  search: StoreSearch,
  { text }: Match,
  blocks: TextBlocks,
  besides: readonly number[],
): Generator<Key, undefined> {
  const candidates = new Candidates(connection, search);
  const compare = comparator(search);
  const downwards = isDownwards(search);
  const seen = new Set(besides);
  let held = candidates.among(besides);
  for (const { seqs, nextAt } of byBlock(connection, text, blocks, downwards)) {
    held = [...held, ...candidates.among(seqs.filter((seq) => !seen.has(seq)))].sort(compare);
    const end = held.findIndex(([at]) => nextAt !== undefined && (downwards ? at <= nextAt : at >= nextAt));
    yield* held.splice(0, end === -1 ? held.length : end);
    if (nextAt !== undefined) yield placeKey(nextAt, downwards ? lastId : firstId);
  }
  yield* held;
  return undefined;
}

interface BlockOfTexts {
  seqs: number[];
  /** No task that is still to be read was created before it in the order of reading; undefined when none comes. */
  nextAt: number | undefined;
}

/** Those of each block that has any. */
function* byBlock(
  connection: Connection,
  match: string,
  blocks: TextBlocks,
  downwards: boolean,
): Generator<BlockOfTexts, undefined> {
  const { first, last } = blocks.range;
  const text = downwards ? sql.textsDownwards : sql.textsUpwards;
  const statement = connection.borrow(text);
  const rows = statement.iterate(match, first, last) as unknown as IterableIterator<[seq: number]>;
  try {
    let seqs: number[] = [];
    let reached: number | undefined;
    for (const [seq] of rows) {
      const block = Math.floor(seq / blockSize);
      if (reached !== undefined && block !== reached) {
        yield { seqs, nextAt: blocks.foremostFrom(block) };
        seqs = [];
      }
      reached = block;
      seqs.push(seq);
    }
    yield { seqs, nextAt: undefined };
  } finally {
    rows.return?.();
    connection.giveBack(text, statement);
  }
  return undefined;
}
