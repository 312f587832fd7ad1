/** Workers: who is alive, how busy, and since when nobody heard of the others. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { actionType } from "../acting.ts";
import { Button } from "../components/button.tsx";
import { Empty, Failure, Snippet } from "../components/empty.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import table from "../components/table.module.css";
import { quoted } from "../components/task-facts.tsx";
import { Ago } from "../components/time.tsx";
import type { WorkerDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { queries } from "../queries.ts";
import { startWorker } from "../snippets.ts";
import styles from "./workers.module.css";

export function Workers() {
  const words = useWords();
  const { data, error, refetch, dataUpdatedAt } = useQuery(queries.workers());
  const [all, setAll] = useState(false);
  const ended = data?.filter(({ state }) => state === "stopped") ?? [];
  const shown = all ? data : data?.filter(({ state }) => state !== "stopped");
  return (
    <>
      <PageHeader title={words.workers} readAtMs={dataUpdatedAt}>
        {ended.length > 0 && (
          <Button onClick={() => setAll(!all)}>
            {all ? words.hideStopped : words.showStopped(ended.length)}
          </Button>
        )}
      </PageHeader>
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {shown?.length === 0 && (
        <Empty
          title={ended.length > 0 ? words.workersNoneAlive : words.workersNone}
          text={words.workersNoneText}
        >
          <Snippet>{startWorker}</Snippet>
        </Empty>
      )}
      {shown && shown.length > 0 && (
        <Panel flush>
          <WorkerTable workers={shown} />
        </Panel>
      )}
    </>
  );
}

function WorkerTable({ workers }: { workers: readonly WorkerDocument[] }) {
  const words = useWords();
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>{words.worker}</th>
          <th>{words.status}</th>
          <th>{words.load}</th>
          <th className={table.number}>{words.heartbeat}</th>
          <th className={`${table.number} ${table.optional}`} title={words.loopDelayHelp}>
            {words.loopDelay}
          </th>
          <th className={`${table.number} ${table.optional}`}>{words.started}</th>
          <th className={table.optional}>{words.process}</th>
          <th className={table.optional}>{words.runs}</th>
        </tr>
      </thead>
      <tbody>
        {workers.map((worker) => (
          <tr key={worker.id}>
            <th>
              <Link to="/tasks" search={{ q: `worker:${quoted(worker.id)}` }}>
                {worker.name ?? <code>{worker.id}</code>}
              </Link>
              <span className={table.below}>
                {worker.host} · {worker.pid}
                <LateLoop worker={worker} />
              </span>
            </th>
            <td>
              <span className={styles[worker.state]}>{words[worker.state]}</span>
            </td>
            <td>
              <Load worker={worker} />
            </td>
            <td className={`${table.number} ${table.soft}`}>
              <Ago at={worker.beatAt} />
            </td>
            <td className={`${table.number} ${table.optional}`}>
              <LoopDelay worker={worker} />
            </td>
            <td className={`${table.number} ${table.soft} ${table.optional}`}>
              <Ago at={worker.startedAt} />
            </td>
            <td className={`${table.soft} ${table.optional}`}>
              {worker.host} · {worker.pid}
            </td>
            <td className={`${table.wide} ${table.soft} ${table.optional}`}>
              {worker.types
                .filter((type) => type !== actionType)
                .sort(naturally)
                .join(", ")}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** From here on people and timers notice. */
const loopDelayWorthTellingMs = 200;

/** How late the worker's event loop was at most before its last heartbeat. */
function LoopDelay({ worker: { loopDelayMs, state } }: { worker: WorkerDocument }) {
  const format = useFormat();
  if (loopDelayMs === undefined || state !== "alive") return null;
  const isLate = loopDelayMs >= loopDelayWorthTellingMs;
  return <span className={isLate ? styles.late : styles.well}>{format.span(loopDelayMs)}</span>;
}

/** Where there is no column for it, only what is worth telling. */
function LateLoop({ worker }: { worker: WorkerDocument }) {
  const words = useWords();
  if ((worker.loopDelayMs ?? 0) < loopDelayWorthTellingMs) return null;
  return (
    <>
      {" "}
      · {words.loopDelay}: <LoopDelay worker={worker} />
    </>
  );
}

function Load({ worker: { running, concurrency, state } }: { worker: WorkerDocument }) {
  const words = useWords();
  const format = useFormat();
  if (state !== "alive") return null;
  return (
    <span className={styles.load}>
      <meter min={0} max={concurrency} value={running} aria-label={words.load} />
      {format.count(running)} / {format.count(concurrency)}
    </span>
  );
}
