/** What the indexer reads and writes, between the main thread and the store's own. */
import type { FilledTask, IndexedText, UnfilledTask } from "../../core/store.ts";
import type { FilledRows, UnfilledRows } from "./attribute-fills.ts";
import { namesOf, type Row, toTask } from "./rows.ts";
import type { TextMarks, TextRows } from "./texts.ts";

/** In UTF-16 code units: one portion holds the write lock for about 10 ms. */
const portionSizeMax = 16_000;

type FillRef = [lane: number, seq: number, createdAt: number, id: string];

export function toUnfilled({ lane, tasks, attributes }: UnfilledRows): UnfilledTask[] {
  const names = namesOf(tasks);
  return tasks.rows.map((row) => {
    const ref: FillRef = [lane, row[0], row[6], row[1]];
    return { ref, task: toTask(row, names), attributes };
  });
}

/** All are of one answer, and so of one lane. */
export function toFilledRows(filled: readonly FilledTask[]): FilledRows {
  const tasks = filled.map(({ ref, attributes }): FilledRows["tasks"][number] => {
    const [, seq, createdAt, id] = ref as FillRef;
    return [seq, createdAt, id, attributes];
  });
  return { lane: (filled[0]!.ref as FillRef)[0], tasks };
}

interface TextRef {
  seq: number;
  id: string;
  version: number;
  marks: TextMarks;
}

export function toTextRef(row: Row, marks: TextMarks): TextRef {
  return { seq: row[0], id: row[1], version: row[15], marks };
}

/** Portions of one answer of `readUnindexed`; the last one has the marks, for only then all are written. */
export function toTextPortions(texts: readonly IndexedText[]): TextRows[] {
  const portions: TextRows[] = [];
  const first = texts[0]?.ref as TextRef | undefined;
  let size = Number.POSITIVE_INFINITY;
  for (const { ref, text } of texts) {
    const { seq, id, version } = ref as TextRef;
    if (size + text.length > portionSizeMax) {
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
