/** Errors: failed tasks gathered by what their errors say, the most frequent first, and the retry of all that say the same. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { RoleButton } from "../components/button.tsx";
import { Empty, Failure } from "../components/empty.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import { SearchActionDialog } from "../components/search-action-dialog.tsx";
import table from "../components/table.module.css";
import { Ago } from "../components/time.tsx";
import { Trend } from "../components/trend.tsx";
import type { ErrorGroup, ErrorsAnswer } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { useSeesPayloads } from "../role.ts";
import { useTelling } from "../telling.ts";
import styles from "./errors.module.css";

export function Errors() {
  const words = useWords();
  const format = useFormat();
  const seesPayloads = useSeesPayloads();
  const { data, error, refetch, dataUpdatedAt } = useQuery(queries.errors());
  const [retrying, setRetrying] = useState<ErrorGroup>();
  const closed = () => {
    setRetrying(undefined);
    refetch();
  };
  return (
    <>
      <PageHeader title={words.errors} readAtMs={dataUpdatedAt} />
      {error &&
        !data &&
        (seesPayloads ? <Failure error={error} onRetry={refetch} /> : <Hidden error={error} />)}
      {data?.errors.length === 0 && <Empty title={words.errorsNone} text={words.errorsNoneText} />}
      {data?.lookedBackTo && (
        <p className={styles.note}>{words.ofLatestFailures(format.dayTime(new Date(data.lookedBackTo)))}</p>
      )}
      {data && data.errors.length > 0 && (
        <Panel flush>
          <Groups answer={data} onRetry={setRetrying} />
        </Panel>
      )}
      {retrying && (
        <SearchActionDialog
          action="retry"
          search={{ q: retrying.query }}
          count={retrying.count}
          onClose={closed}
          onDone={closed}
        />
      )}
    </>
  );
}

function Groups({
  answer: { errors, trend },
  onRetry,
}: {
  answer: ErrorsAnswer;
  onRetry: (group: ErrorGroup) => void;
}) {
  const words = useWords();
  const format = useFormat();
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>{words.error}</th>
          <th className={table.optional}>{words.type}</th>
          <th className={table.number}>{words.count}</th>
          <th className={table.optional}>{words.trend}</th>
          <th className={`${table.number} ${table.optional}`}>{words.firstSeen}</th>
          <th className={table.number}>{words.lastSeen}</th>
          <td className={table.optional} />
        </tr>
      </thead>
      <tbody>
        {errors.map((group) => (
          <tr key={group.fingerprint}>
            <th className={table.wide}>
              <Link to="/tasks" search={{ q: group.query }} className={styles.message!} dir="auto">
                {group.message}
              </Link>
              <span className={table.below}>
                <Types types={group.types} />
              </span>
              <span className={table.below}>
                <GroupActions group={group} onRetry={onRetry} />
              </span>
            </th>
            <td className={`${styles.types} ${table.optional}`}>
              <Types types={group.types} />
            </td>
            <td className={table.number}>{format.count(group.count)}</td>
            <td className={table.optional}>
              <Trend counts={group.trend} label={trendLabel(group.trend)} />
            </td>
            <td className={`${table.number} ${table.soft} ${table.optional}`}>
              <Ago at={group.firstAt} />
            </td>
            <td className={`${table.number} ${table.soft}`}>
              <Ago at={group.lastAt} />
            </td>
            <td className={table.optional}>
              <GroupActions group={group} onRetry={onRetry} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );

  function trendLabel(counts: readonly number[]): string {
    const total = counts.reduce((sum, count) => sum + count, 0);
    return words.trendSays(total, format.dayTime(new Date(trend.from)));
  }
}

function Hidden({ error }: { error: Error }) {
  const words = useWords();
  const tell = useTelling();
  return <Empty title={words.errorsHidden} text={tell(error)} />;
}

/** The first of them; all of them on hover. */
const typesShown = 3;

function Types({ types }: { types: readonly string[] }) {
  const format = useFormat();
  const left = types.length - typesShown;
  return (
    <span title={left > 0 ? types.join(", ") : undefined}>
      {types.slice(0, typesShown).join(", ")}
      {left > 0 && ` +${format.count(left)}`}
    </span>
  );
}

function GroupActions({ group, onRetry }: { group: ErrorGroup; onRetry: (group: ErrorGroup) => void }) {
  const words = useWords();
  return (
    <span className={styles.actions}>
      <Link to="/tasks/$id" params={{ id: group.exampleId }}>
        {words.exampleTask}
      </Link>
      <RoleButton
        needs="operator"
        small
        aria-label={words.retryGroup(group.message.slice(0, 200))}
        onClick={() => onRetry(group)}
      >
        {words.retry}
      </RoleButton>
    </span>
  );
}
