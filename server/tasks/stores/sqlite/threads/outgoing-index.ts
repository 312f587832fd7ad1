/** What the indexer reads and writes, between the main thread and the store's own. */
import type { FilledTask, IndexedText, TaskStore, UnfilledTask, UnindexedTask } from "../../../core/store.ts";
import type { FilledRows, UnfilledRows } from "../attributes/attribute-fills.ts";
import { jsonOf, namesOf, toAttempts, toBareTask, toTask } from "../rows.ts";
import type { TextMarks, TextRows, UnindexedRows } from "../texts/texts.ts";
import type { StoreThreads } from "./store-threads.ts";

/**
 * In UTF-16 code units: one portion holds the write lock for a few milliseconds. Larger ones cost half as much a text, for
 * each is a segment of the index, and segments are merged again and again.
 */
const portionSizeMax = { shared: 16_000, alone: 128_000 };

/** Tasks whose rows are read in one go, which takes less than a millisecond. */
const readAtOnce = 50;

type FillRef = [lane: number, seq: number, createdAt: number, id: string, isLacking?: true];

export function toUnfilled({ lane, tasks, attributes, isLacking }: UnfilledRows): UnfilledTask[] {
  const names = namesOf(tasks);
  return tasks.rows.map((row) => {
    const ref: FillRef = [lane, row[0], row[6], row[1], isLacking];
    return { ref, task: toTask(row, names), attributes };
  });
}

/** All are of one answer, and so of one lane. */
export function toFilledRows(filled: readonly FilledTask[]): FilledRows {
  const tasks = filled.map(({ ref, attributes }): FilledRows["tasks"][number] => {
    const [, seq, createdAt, id] = ref as FillRef;
    return [seq, createdAt, id, attributes];
  });
  const [lane, , , , isLacking] = filled[0]!.ref as FillRef;
  return { lane, tasks, ...(isLacking && { isLacking }) };
}

interface TextRef {
  seq: number;
  id: string;
  version: number;
  marks: TextMarks;
}

/** By portions, since searches wait for the reading thread meanwhile, and others for this one. */
export async function readUnindexed(
  threads: Pick<StoreThreads, "readAside">,
  { limit, after }: Parameters<TaskStore["readUnindexed"]>[0],
): Promise<UnindexedTask[]> {
  const { seqs, marks } = await threads.readAside("findUnindexed", {
    limit,
    ...(after && { after: (after.ref as TextRef).marks }),
  });
  const tasks: UnindexedTask[] = [];
  for (let from = 0; from < seqs.length; from += readAtOnce) {
    const rows = await threads.readAside("readUnindexed", seqs.slice(from, from + readAtOnce));
    tasks.push(...toUnindexed(rows, marks));
  }
  return tasks;
}

function toUnindexed({ tasks, attempts, workers }: UnindexedRows, marks: TextMarks): UnindexedTask[] {
  const names = namesOf({ lanes: tasks.lanes, workers: [...tasks.workers, ...workers] });
  const bySeq = Map.groupBy(attempts, ([seq]) => seq);
  return tasks.rows.map((row) => {
    const ref: TextRef = { seq: row[0], id: row[1], version: row[12], marks };
    const own = (bySeq.get(row[0]) ?? []).map(([, ...attempt]) => attempt);
    return { ref, task: toBareTask(row, names), json: jsonOf(row), attempts: toAttempts(row, own, names) };
  });
}

/**
 * Portions of one answer of `readUnindexed`, in the order of their numbers: FTS5 ends a segment of its index wherever a number is
 * less than the one before. The last portion has the marks, for only then all are written.
 */
export function toTextPortions(texts: readonly IndexedText[], { isAlone } = { isAlone: false }): TextRows[] {
  const sizeMax = isAlone ? portionSizeMax.alone : portionSizeMax.shared;
  const portions: TextRows[] = [];
  const first = texts[0]?.ref as TextRef | undefined;
  let size = Number.POSITIVE_INFINITY;
  const bySeq = texts.map(({ ref, text }) => ({ ...(ref as TextRef), text }));
  bySeq.sort((a, b) => a.seq - b.seq);
  for (const { seq, id, version, text } of bySeq) {
    if (size + text.length > sizeMax) {
      portions.push({ of: first!.marks, texts: [], isLast: false });
      size = 0;
    }
    portions.at(-1)!.texts.push([seq, id, version, text]);
    size += text.length;
  }
  const last = portions.at(-1);
  if (last) last.isLast = true;
  return portions;
}
