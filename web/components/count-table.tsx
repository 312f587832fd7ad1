/** Each type or each queue with its counts by status; every count is a link to its tasks. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { PauseKind, TaskSearch } from "../api.ts";
import { type Stats, type Status, statuses } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { queries } from "../queries.ts";
import { PausedMark, PausedQueues, PauseSwitch } from "./pauses.tsx";
import styles from "./table.module.css";
import { quoted } from "./task-facts.tsx";

interface Row {
  name: string;
  counts: Record<Status, number>;
}

/** What is counted apart, and paused as one. */
export type CountedBy = PauseKind;

export function CountTable({ stats, by }: { stats: Stats; by: CountedBy }) {
  const words = useWords();
  const format = useFormat();
  const rows = useMemo(() => rowsOf(stats, by), [stats, by]);
  const { data: pauses } = useQuery(queries.pauses());
  const paused = new Map(pauses?.map((pause) => [pause[by], pause]));
  return (
    <>
      {by === "type" && <PausedQueues pauses={pauses ?? []} />}
      <table className={styles.table}>
        <thead>
          <tr>
            <th>{words[by]}</th>
            {statuses.map((status) => (
              <th key={status} className={numberClass(status)}>
                {words[status]}
              </th>
            ))}
            <th className={`${styles.number} ${styles.optional}`}>{words.failedShare}</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, counts }) => (
            <tr key={name}>
              <th className={styles.wide}>
                <Link to="/tasks" search={searchOf(by, name)} className={styles.clear!}>
                  {name}
                </Link>
                <PausedMark pause={paused.get(name)} />
              </th>
              {statuses.map((status) => (
                <td key={status} className={numberClass(status)}>
                  <CountLink search={searchOf(by, name)} status={status} count={counts[status]} />
                </td>
              ))}
              <td className={`${styles.number} ${styles.soft} ${styles.optional}`}>
                {format.percent(failedShare(counts))}
              </td>
              <td className={styles.number}>
                <PauseSwitch kind={by} name={name} isPaused={paused.has(name)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function numberClass(status: Status): string {
  const rare = status === "RUNNING" || status === "CANCELLED";
  return rare ? `${styles.number} ${styles.optional}` : styles.number!;
}

function CountLink({ search, status, count }: { search: TaskSearch; status: Status; count: number }) {
  const format = useFormat();
  if (count === 0) return <span className={styles.zero}>0</span>;
  return (
    <Link
      to="/tasks"
      search={{ ...search, status }}
      className={status === "FAILED" ? styles.bad! : styles.clear!}
    >
      {format.count(count)}
    </Link>
  );
}

function searchOf(by: CountedBy, name: string): TaskSearch {
  return by === "type" ? { type: name } : { q: `queue:${quoted(name)}` };
}

function rowsOf(stats: Stats, by: CountedBy): Row[] {
  const rows = new Map<string, Row>();
  for (const { [by]: name, status, count } of stats.byType) {
    const row = rows.get(name) ?? {
      name,
      counts: { PENDING: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 },
    };
    row.counts[status] += count;
    rows.set(name, row);
  }
  return [...rows.values()].sort((one, other) => naturally(one.name, other.name));
}

function failedShare({ FAILED, COMPLETED }: Record<Status, number>): number {
  return FAILED / Math.max(1, FAILED + COMPLETED);
}
