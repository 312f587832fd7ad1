/** Definitions: what kinds of tasks there are, and the way to enqueue one. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { Empty, Failure, Snippet } from "../components/empty.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import table from "../components/table.module.css";
import type { DefinitionDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { queries } from "../queries.ts";
import { firstTask } from "../snippets.ts";
import styles from "./definitions.module.css";

export function Definitions() {
  const words = useWords();
  const { data, error, refetch, dataUpdatedAt } = useQuery(queries.definitions());
  return (
    <>
      <PageHeader title={words.definitions} readAtMs={dataUpdatedAt} />
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {data?.length === 0 && (
        <Empty title={words.definitionsNone} text={words.definitionsNoneText}>
          <Snippet>{firstTask}</Snippet>
        </Empty>
      )}
      {data && data.length > 0 && (
        <Panel flush>
          <DefinitionTable definitions={data} />
        </Panel>
      )}
    </>
  );
}

function DefinitionTable({ definitions }: { definitions: readonly DefinitionDocument[] }) {
  const words = useWords();
  const format = useFormat();
  const sorted = useMemo(() => definitions.toSorted((a, b) => naturally(a.id, b.id)), [definitions]);
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>{words.type}</th>
          <th className={table.optional}>{words.queue}</th>
          <th className={`${table.number} ${table.optional}`}>{words.priority}</th>
          <th className={`${table.number} ${table.optional}`}>{words.attempts}</th>
          <th className={`${table.number} ${table.optional}`}>{words.timeout}</th>
          <th className={table.optional}>{words.tags}</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {sorted.map((definition) => (
          <tr key={definition.id}>
            <th className={table.wide}>
              <Link to="/tasks" search={{ type: definition.id }}>
                {definition.id}
              </Link>
              {definition.description && (
                <span className={styles.description} dir="auto">
                  {definition.description}
                </span>
              )}
              <span className={table.below}>
                {words.queue}: {definition.queue} · {words.attempts}: {format.count(definition.maxAttempts)}
              </span>
            </th>
            <td className={`${table.wrap} ${table.optional}`}>{definition.queue}</td>
            <td className={`${table.number} ${table.optional}`}>{format.count(definition.priority)}</td>
            <td className={`${table.number} ${table.optional}`}>{format.count(definition.maxAttempts)}</td>
            <td className={`${table.number} ${table.optional}`}>
              {definition.timeoutMs === null ? words.noTimeout : format.span(definition.timeoutMs)}
            </td>
            <td className={`${table.wrap} ${table.optional}`}>{definition.tags.join(", ")}</td>
            <td>
              <Link to="/definitions/$type/enqueue" params={{ type: definition.id }}>
                {words.enqueue}
              </Link>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
