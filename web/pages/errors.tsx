/** Errors: failed tasks gathered by what their errors say, the latest first. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Empty, Failure } from "../components/empty.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import table from "../components/table.module.css";
import { quoted } from "../components/task-facts.tsx";
import { Ago } from "../components/time.tsx";
import type { ErrorGroup } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import styles from "./errors.module.css";

export function Errors() {
  const words = useWords();
  const { data, error, refetch, dataUpdatedAt } = useQuery(queries.errors());
  return (
    <>
      <PageHeader title={words.errorsTitle} readAtMs={dataUpdatedAt} />
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {data?.length === 0 && <Empty title={words.errorsNone} text={words.errorsNoneText} />}
      {data && data.length > 0 && (
        <Panel flush>
          <Groups groups={data} />
        </Panel>
      )}
    </>
  );
}

function Groups({ groups }: { groups: readonly ErrorGroup[] }) {
  const words = useWords();
  const format = useFormat();
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>{words.error}</th>
          <th className={table.optional}>{words.type}</th>
          <th className={table.number}>{words.count}</th>
          <th className={`${table.number} ${table.optional}`}>{words.firstSeen}</th>
          <th className={table.number}>{words.lastSeen}</th>
          <td className={table.optional} />
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={group.fingerprint}>
            <th className={table.wide}>
              <Link to="/tasks" search={searchOf(group)} className={styles.message!}>
                {group.message}
              </Link>
              <span className={table.below}>{group.types.join(", ")}</span>
            </th>
            <td className={`${styles.types} ${table.optional}`}>{group.types.join(", ")}</td>
            <td className={table.number}>{format.count(group.count)}</td>
            <td className={`${table.number} ${table.soft} ${table.optional}`}>
              <Ago at={group.firstAt} />
            </td>
            <td className={`${table.number} ${table.soft}`}>
              <Ago at={group.lastAt} />
            </td>
            <td className={table.optional}>
              <Link to="/tasks/$id" params={{ id: group.exampleId }}>
                {words.exampleTask}
              </Link>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The longest part of the message that all of the group share: what stands between the values taken out. */
function searchOf({ message, types, query }: ErrorGroup) {
  if (query) return { q: query };
  const parts = message.split(/<[a-z]+>|[#…*]/).map((part) => part.trim());
  const longest = parts.reduce((one, other) => (other.length > one.length ? other : one), "");
  return {
    status: "FAILED",
    ...(types.length === 1 && { type: types[0] }),
    ...(longest && { q: `error:*${quoted(longest)}*` }),
  };
}
