/** The history on the overview: the charts, of which period and of which type. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { isPeriod, periodNames, usualPeriod } from "../history.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { Failure } from "./empty.tsx";
import { Guarded } from "./guarded.tsx";
import { HistoryCharts } from "./history-charts.tsx";
import styles from "./history-panel.module.css";
import { Panel } from "./page.tsx";

/** As it stands in the address of the page. */
export interface HistoryChoice {
  period?: string | undefined;
  type?: string | undefined;
  /** Of the counts below. */
  by?: string | undefined;
}

/** What is asked for a choice. */
export function historyOf({ period, type }: HistoryChoice) {
  return queries.history(isPeriod(period) ? period : usualPeriod, type);
}

export function HistoryPanel({ choice, types }: { choice: HistoryChoice; types: readonly string[] }) {
  const words = useWords();
  const { data, error, refetch } = useQuery(historyOf(choice));
  return (
    <Panel title={words.history} actions={<Choices choice={choice} types={types} />}>
      <div className={styles.place}>
        {data ? (
          <Guarded instead={(problem) => <Failure error={problem} />}>
            <HistoryCharts buckets={data.buckets} from={data.from} period={data.period} />
          </Guarded>
        ) : (
          error && <Failure error={error} onRetry={refetch} />
        )}
      </div>
    </Panel>
  );
}

function Choices({ choice, types }: { choice: HistoryChoice; types: readonly string[] }) {
  const words = useWords();
  const navigate = useNavigate();
  const period = isPeriod(choice.period) ? choice.period : usualPeriod;
  const { type } = choice;
  return (
    <div className={styles.choices}>
      <select
        className={styles.select}
        aria-label={words.type}
        value={type ?? ""}
        onChange={({ target }) =>
          navigate({ to: "/", search: { ...choice, type: target.value || undefined }, replace: true })
        }
      >
        <option value="">
          {words.type}: {words.allStatuses}
        </option>
        {(type && !types.includes(type) ? [type, ...types] : types).map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
      <nav className={styles.periods} aria-label={words.period}>
        {periodNames.map((name) => (
          <Link
            key={name}
            to="/"
            search={{ ...choice, period: name === usualPeriod ? undefined : name }}
            replace
            aria-current={name === period}
            title={words.periods[name]}
            className={name === period ? `${styles.period} ${styles.here}` : styles.period!}
          >
            {words.periodsShort[name]}
          </Link>
        ))}
      </nav>
    </div>
  );
}
