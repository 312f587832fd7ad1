/** Each type with its counts by status; every count is a link to its tasks. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Stats, type Status, statuses } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { queries } from "../queries.ts";
import { PausedMark, PausedQueues, PauseSwitch } from "./pauses.tsx";
import styles from "./table.module.css";

interface TypeRow {
  type: string;
  counts: Record<Status, number>;
}

export function TypeTable({ stats }: { stats: Stats }) {
  const words = useWords();
  const format = useFormat();
  const rows = useMemo(() => rowsOf(stats), [stats]);
  const { data: pauses } = useQuery(queries.pauses());
  const pausedTypes = new Map(pauses?.map((pause) => [pause.type, pause]));
  return (
    <>
      <PausedQueues pauses={pauses ?? []} />
      <table className={styles.table}>
        <thead>
          <tr>
            <th>{words.type}</th>
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
          {rows.map(({ type, counts }) => (
            <tr key={type}>
              <th className={styles.wide}>
                <Link to="/tasks" search={{ type }} className={styles.clear!}>
                  {type}
                </Link>
                <PausedMark pause={pausedTypes.get(type)} />
              </th>
              {statuses.map((status) => (
                <td key={status} className={numberClass(status)}>
                  <CountLink type={type} status={status} count={counts[status]} />
                </td>
              ))}
              <td className={`${styles.number} ${styles.soft} ${styles.optional}`}>
                {format.percent(failedShare(counts))}
              </td>
              <td className={styles.number}>
                <PauseSwitch kind="type" name={type} isPaused={pausedTypes.has(type)} />
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

function CountLink({ type, status, count }: { type: string; status: Status; count: number }) {
  const format = useFormat();
  if (count === 0) return <span className={styles.zero}>0</span>;
  return (
    <Link to="/tasks" search={{ type, status }} className={status === "FAILED" ? styles.bad! : styles.clear!}>
      {format.count(count)}
    </Link>
  );
}

function rowsOf(stats: Stats): TypeRow[] {
  const rows = new Map<string, TypeRow>();
  for (const { type, status, count } of stats.byType) {
    const row = rows.get(type) ?? {
      type,
      counts: { PENDING: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 },
    };
    row.counts[status] += count;
    rows.set(type, row);
  }
  return [...rows.values()].sort((one, other) => naturally(one.type, other.type));
}

function failedShare({ FAILED, COMPLETED }: Record<Status, number>): number {
  return FAILED / Math.max(1, FAILED + COMPLETED);
}
