/** The audit log: who asked for which change, newest first. The filters stand in the address. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import type { AuditFilter } from "../api.ts";
import { Button } from "../components/button.tsx";
import { Empty, Failure } from "../components/empty.tsx";
import { inputClass } from "../components/field.tsx";
import { Icon } from "../components/icon.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import table from "../components/table.module.css";
import { Ago } from "../components/time.tsx";
import type { AuditAction, AuditDocument } from "../contract.ts";
import { type Format, useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { useMissingRole } from "../role.ts";
import { auditRoute } from "../router.tsx";
import styles from "./audit.module.css";

export function Audit() {
  const words = useWords();
  const format = useFormat();
  const filter = auditRoute.useSearch();
  const missingRole = useMissingRole("operator");
  const { data, error, refetch, dataUpdatedAt, hasNextPage, fetchNextPage, isFetchingNextPage } =
    useInfiniteQuery({ ...queries.audit(filter), enabled: missingRole === undefined });
  const records = data?.pages.flatMap((page) => page.records);
  const cameTo = data?.pages.at(-1)?.searchedBackTo;
  if (missingRole !== undefined) {
    return (
      <>
        <PageHeader title={words.audit} />
        <Empty title={words.audit} text={missingRole} />
      </>
    );
  }
  return (
    <>
      <PageHeader title={words.audit} readAtMs={dataUpdatedAt}>
        <Button kind="quiet" aria-label={words.refresh} title={words.refresh} onClick={() => refetch()}>
          <Icon name="refresh" />
        </Button>
      </PageHeader>
      <Filters key={JSON.stringify(filter)} filter={filter} />
      {error && !data && <Failure error={error} onRetry={refetch} />}
      {records?.length === 0 && cameTo === undefined && (
        <Empty title={words.auditNone} text={words.auditNoneText} />
      )}
      {records && records.length > 0 && (
        <Panel flush>
          <Records records={records} />
        </Panel>
      )}
      {hasNextPage && (
        <p className={styles.more}>
          {cameTo !== undefined && (
            <span role="status">{words.searchedBackTo(format.precise(new Date(cameTo)))}</span>
          )}
          <Button onClick={() => fetchNextPage()} pending={isFetchingNextPage}>
            {cameTo === undefined ? words.showOlder : words.searchOn}
          </Button>
        </p>
      )}
    </>
  );
}

function Filters({ filter }: { filter: AuditFilter }) {
  const words = useWords();
  const navigate = auditRoute.useNavigate();
  const [who, setWho] = useState(filter.who ?? "");
  const [target, setTarget] = useState(filter.target ?? "");
  const show = (change: AuditFilter) => navigate({ search: { ...filter, who, target, ...change } });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    show({});
  };
  return (
    <form className={styles.filters} onSubmit={submit}>
      <input
        className={inputClass}
        aria-label={words.auditWho}
        placeholder={words.auditWho}
        value={who}
        onChange={(event) => setWho(event.target.value)}
      />
      <input
        className={inputClass}
        aria-label={words.auditTarget}
        placeholder={words.auditTarget}
        value={target}
        onChange={(event) => setTarget(event.target.value)}
      />
      <select
        className={inputClass}
        aria-label={words.auditAction}
        value={filter.action ?? ""}
        onChange={(event) => show({ action: event.target.value })}
      >
        <option value="">{words.auditAllActions}</option>
        {(Object.keys(words.auditActions) as AuditAction[]).map((action) => (
          <option key={action} value={action}>
            {words.auditActions[action]}
          </option>
        ))}
      </select>
      <Button type="submit">{words.auditShow}</Button>
    </form>
  );
}

function Records({ records }: { records: readonly AuditDocument[] }) {
  const words = useWords();
  const format = useFormat();
  return (
    <table className={table.table}>
      <thead>
        <tr>
          <th>{words.auditWho}</th>
          <th className={table.optional}>{words.auditAction}</th>
          <th>{words.auditTarget}</th>
          <th className={table.optional}>{words.auditChange}</th>
          <th className={table.optional}>{words.auditVia}</th>
          <th className={table.number}>{words.auditAt}</th>
        </tr>
      </thead>
      <tbody>
        {records.map((record) => (
          <tr key={record.id}>
            <th className={table.wrap}>
              {record.who ?? words.auditNobody}
              <span className={table.below}>{words.auditActions[record.action]}</span>
            </th>
            <td className={table.optional}>{words.auditActions[record.action]}</td>
            <td className={table.wrap}>
              <Target record={record} />
              <span className={table.below}>{changeText(record, format)}</span>
            </td>
            <td className={`${table.wide} ${table.soft} ${table.optional}`}>{changeText(record, format)}</td>
            <td className={`${table.soft} ${table.optional}`}>
              {words.auditVias[record.via]}
              {record.address && ` · ${record.address}`}
            </td>
            <td className={`${table.number} ${table.soft}`}>
              <Ago at={record.at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Target({ record: { kind, target } }: { record: AuditDocument }) {
  if (kind === "task") {
    return (
      <Link to="/tasks/$id" params={{ id: target }}>
        {target}
      </Link>
    );
  }
  if (kind === "tasks") {
    return (
      <Link to="/tasks" search={{ q: target }}>
        {target}
      </Link>
    );
  }
  return <>{target}</>;
}

/** `status PENDING → CANCELLED`. */
function changeText({ before = {}, after = {} }: AuditDocument, format: Format): string {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .map((name) => {
      const values = [before[name], after[name]].filter((value) => value !== undefined);
      return `${name} ${values.map((value) => valueText(value, format)).join(" → ")}`;
    })
    .join(", ");
}

const instant = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

function valueText(value: unknown, format: Format): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return instant.test(value) ? format.precise(new Date(value)) : value;
}
