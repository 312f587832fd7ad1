/**
 * Counts by the values of an attribute among tasks that its index lacks, or has as they were: what was created at the time of such
 * tasks is counted by the tasks themselves, and not by the index.
 */
import { compareText } from "../../../core/values/compare.ts";
import { isFound } from "../attributes/attribute-values.ts";
import { type Behind, tasksWithin } from "../attributes/attribute-work.ts";
import { stateOf } from "../attributes/attributes.ts";
import type { Session } from "../connections/database.ts";
import { statement } from "../statement.ts";

interface Asked {
  attribute: number;
  type: string;
  created: { start?: number; end?: number };
  endsAt: number;
}

/** In one statement; the clock is looked at between two. */
const rangesMax = 50;

type KeyCount = [key: string, state: number, count: number];

export class CountsBehind {
  /** Apart from each other, both ends included. */
  readonly #ranges: { from: number; to: number }[] = [];
  #counts: KeyCount[] = [];
  #told = 0;

  constructor(behind: readonly Behind[] = []) {
    for (const { firstAt, lastAt } of [...behind].sort((a, b) => a.firstAt - b.firstAt)) {
      const last = this.#ranges.at(-1);
      if (last && firstAt <= last.to + 1) last.to = Math.max(last.to, lastAt);
      else this.#ranges.push({ from: firstAt, to: lastAt });
    }
  }

  /** What the index is not asked for, as the server takes it; null for nothing. */
  get ranges(): string | null {
    if (this.#ranges.length === 0) return null;
    return `{${this.#ranges.map(({ from, to }) => `[${from},${to}]`).join(",")}}`;
  }

  /** Answers whether there was time for all. */
  async read(session: Session, { attribute, type, created, endsAt }: Asked): Promise<boolean> {
    const asked = this.#ranges
      .map(({ from, to }) => ({
        low: Math.max(from, created.start ?? from),
        high: Math.min(to, (created.end ?? to + 1) - 1),
      }))
      .filter(({ low, high }) => low <= high);
    for (let at = 0; at < asked.length; at += rangesMax) {
      if (performance.now() >= endsAt) return false;
      const some = asked.slice(at, at + rangesMax);
      const [lows, highs] = [some.map(({ low }) => low), some.map(({ high }) => high)];
      const rows = await session.query(countTasks, [type, lows, highs, `${attribute} `, `${attribute}!`]);
      for (const row of rows) this.#counts.push(row as KeyCount);
    }
    this.#counts.sort(([a], [b]) => compareText(a, b));
    return true;
  }

  /** Tells those that were not told yet, value after value, up to a key, or all. */
  upTo(key: string | undefined, tell: (...count: KeyCount) => void): void {
    for (; this.#told < this.#counts.length; this.#told += 1) {
      const count = this.#counts[this.#told]!;
      if (key !== undefined && compareText(count[0], key) > 0) return;
      tell(...count);
    }
  }
}

const countTasks = statement(
  "countAttributeBehind",
  `SELECT own.key, ${stateOf("found.status")}, count(*)::integer
    FROM :schema.lanes CROSS JOIN unnest($2::bigint[], $3::bigint[]) AS span (low, high) CROSS JOIN LATERAL ${tasksWithin(
      "tasks.status, tasks.attributes",
      "lanes.lane",
      "tasks.created_at BETWEEN span.low AND span.high AND tasks.attributes IS NOT NULL",
    )} AS found CROSS JOIN LATERAL unnest(found.attributes) AS own (key)
    WHERE lanes.type = $1 AND own.key COLLATE "C" >= $4 AND own.key COLLATE "C" < $5 AND ${isFound("own.key")}
    GROUP BY 1, 2`,
);
