/** Overview: how many tasks of each status, what needs attention first, what ended over time, and each type. */
import { usePrefetchQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { type CountedBy, CountTable } from "../components/count-table.tsx";
import { Empty, Failure, Snippet } from "../components/empty.tsx";
import { type HistoryChoice, HistoryPanel, historyOf } from "../components/history-panel.tsx";
import { StatusMark } from "../components/icon.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import { type Attention, type Stats, statuses } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { queries } from "../queries.ts";
import { overviewRoute } from "../router.tsx";
import { firstTask } from "../snippets.ts";
import styles from "./overview.module.css";

export function Overview() {
  const words = useWords();
  // All at once: none of them waits for what another says.
  usePrefetchQuery(historyOf(overviewRoute.useSearch()));
  usePrefetchQuery(queries.attention());
  usePrefetchQuery(queries.workers());
  usePrefetchQuery(queries.definitions());
  usePrefetchQuery(queries.pauses());
  const { data: stats, error, refetch, dataUpdatedAt } = useQuery(queries.stats());
  return (
    <>
      <PageHeader title={words.overview} readAtMs={dataUpdatedAt} />
      {stats ? <Content stats={stats} /> : error && <Failure error={error} onRetry={refetch} />}
    </>
  );
}

function Content({ stats }: { stats: Stats }) {
  const words = useWords();
  const { data: workers } = useQuery(queries.workers());
  const { data: definitions } = useQuery(queries.definitions());
  const choice = overviewRoute.useSearch();
  const by = choice.by === "queue" ? "queue" : "type";
  const types = useMemo(() => [...new Set(stats.byType.map(({ type }) => type))].sort(naturally), [stats]);
  const { data: attention } = useQuery(queries.attention());
  if (stats.byType.length === 0 && definitions?.length === 0) {
    return (
      <Empty title={words.emptyStoreTitle} text={words.emptyStoreText}>
        <Snippet>{firstTask}</Snippet>
      </Empty>
    );
  }
  return (
    <div className={styles.page}>
      <Figures stats={stats} slots={workers?.filter(({ state }) => state === "alive")} />
      <Panel title={words.needsAttention} flush>
        <AttentionList items={attention} />
      </Panel>
      <HistoryPanel choice={choice} types={types} />
      <Panel
        title={by === "queue" ? words.byQueue : words.byType}
        actions={<By choice={choice} by={by} />}
        flush
      >
        <CountTable stats={stats} by={by} />
      </Panel>
    </div>
  );
}

/** What the counts are of. */
function By({ choice, by }: { choice: HistoryChoice; by: CountedBy }) {
  const words = useWords();
  return (
    <nav className={styles.choices} aria-label={words.countsOf}>
      {(["type", "queue"] as const).map((one) => (
        <Link
          key={one}
          to="/"
          search={{ ...choice, by: one === "type" ? undefined : one }}
          replace
          resetScroll={false}
          aria-current={one === by}
          className={one === by ? `${styles.choice} ${styles.here}` : styles.choice!}
        >
          {words[one]}
        </Link>
      ))}
    </nav>
  );
}

function Figures({
  stats,
  slots,
}: {
  stats: Stats;
  slots: readonly { concurrency: number; running: number }[] | undefined;
}) {
  const words = useWords();
  const format = useFormat();
  const counts = useMemo(() => countByStatus(stats), [stats]);
  const concurrency = slots?.reduce((sum, worker) => sum + worker.concurrency, 0);
  return (
    <ul className={styles.figures}>
      {statuses.map((status) => (
        <li key={status}>
          <Link to="/tasks" search={{ status }} className={styles.figure!}>
            <span className={styles.label}>
              <StatusMark status={status} />
              {words[status]}
            </span>
            <span className={styles.value} title={format.count(counts[status])}>
              {counts[status] < 1_000_000 ? format.count(counts[status]) : format.compact(counts[status])}
            </span>
          </Link>
        </li>
      ))}
      <li>
        <Link to="/workers" className={styles.figure!}>
          <span className={styles.label}>{words.workersAlive}</span>
          <span className={styles.value}>
            {format.count(stats.workers.alive)}
            {concurrency ? (
              <small>
                {format.count(concurrency)} {words.slots.toLowerCase()}
              </small>
            ) : null}
          </span>
        </Link>
      </li>
      <li className={styles.figure}>
        <span className={styles.label}>{words.oldestDue}</span>
        <span className={styles.value}>
          {stats.oldestDueMs === undefined ? "–" : format.span(stats.oldestDueMs)}
        </span>
      </li>
      <li className={styles.figure}>
        <span className={styles.label}>{words.databaseSize}</span>
        <span className={styles.value}>{format.bytes(stats.sizeBytes)}</span>
      </li>
    </ul>
  );
}

function countByStatus(stats: Stats) {
  const counts = { PENDING: 0, RUNNING: 0, COMPLETED: 0, FAILED: 0, CANCELLED: 0 };
  for (const { status, count } of stats.byType) counts[status] += count;
  return counts;
}

function AttentionList({ items }: { items: readonly Attention[] | undefined }) {
  const words = useWords();
  if (!items) return null;
  if (items.length === 0) {
    return (
      <div className={styles.well}>
        <StatusMark status="COMPLETED" size={20} />
        <p>
          <strong>{words.allWell}</strong>
          <br />
          {words.allWellText}
        </p>
      </div>
    );
  }
  return (
    <ul>
      {items.map((item) => (
        <li key={`${item.kind} ${"type" in item ? item.type : ""} ${"name" in item ? item.name : ""}`}>
          <AttentionLink item={item} />
        </li>
      ))}
    </ul>
  );
}

function AttentionLink({ item }: { item: Attention }) {
  const format = useFormat();
  const text = useAttentionText(item);
  const className = `${styles.attention} ${isBad(item) ? styles.failing : styles.warning}`;
  const share = item.kind === "failing" && <Share share={format.percent(item.share)} />;
  if (!("query" in item) || item.kind === "no-workers") {
    return (
      <Link to="/workers" className={className}>
        {text}
      </Link>
    );
  }
  return (
    <Link to="/tasks" search={{ q: item.query }} className={className}>
      <span>{text}</span>
      {share}
    </Link>
  );
}

function isBad({ kind }: Attention): boolean {
  return kind === "failing" || kind === "alert";
}

function Share({ share }: { share: string }) {
  const words = useWords();
  return (
    <span className={styles.share} title={words.shareOfEnded(share)}>
      <span className={styles.wide}>{words.shareOfEnded(share)}</span>
      <span className={styles.narrow}>{share}</span>
    </span>
  );
}

function useAttentionText(item: Attention): string {
  const words = useWords();
  const format = useFormat();
  switch (item.kind) {
    case "failing":
      return words.attentionFailing(item.type, item.count);
    case "no-worker":
      return words.attentionNoWorker(item.type, item.count);
    case "no-workers":
      return words.attentionNoWorkers(item.count);
    case "stuck":
      return words.attentionStuck(item.count);
    case "backlog":
      return words.attentionBacklog(item.type, item.count);
    case "oldest-due":
      return words.attentionOldestDue(format.span(item.ms));
    case "alert":
      return words.attentionAlert(item.name, item.count);
    case "alert-fails":
      return words.attentionAlertFails(item.name);
    case "dead-workers":
      return words.attentionDead(item.count);
  }
}
