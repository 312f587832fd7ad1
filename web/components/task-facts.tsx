/** The facts of a task, each with its name; those it has not are left out. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fragment, type ReactNode } from "react";
import type { AuditDocument, TaskDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { useMissingRole } from "../role.ts";
import { Took } from "./task-columns.tsx";
import styles from "./task-facts.module.css";
import { Ago, Span } from "./time.tsx";

export function TaskFacts({ task }: { task: TaskDocument }) {
  const words = useWords();
  const mayAsk = useMissingRole("operator") === undefined;
  const { data: lastChange } = useQuery({
    ...queries.lastChange(task.id, task.version),
    enabled: mayAsk && !task.isDefinition,
  });
  const facts: [name: string, value: ReactNode][] = [
    [words.attempts, words.ofAttempts(task.attempts, task.maxAttempts)],
    [words.created, <At key="created" at={task.createdAt} />],
    [words.started, task.startedAt && <At key="started" at={task.startedAt} />],
    [words.ended, task.completedAt && <At key="ended" at={task.completedAt} />],
    [words.updated, <At key="updated" at={task.updatedAt} />],
    [words.askedFor, lastChange && <LastChange key="asked" record={lastChange} id={task.id} />],
    [words.due, task.status === "PENDING" && task.dueAt && <At key="due" at={task.dueAt} />],
    [words.waited, task.startedAt && <Span key="waited" from={task.createdAt} to={task.startedAt} />],
    [
      words.took,
      task.startedAt && (task.completedAt || task.status === "RUNNING") && <Took key="took" task={task} />,
    ],
    [words.queue, task.queue && <SearchLink key="queue" field="queue" value={task.queue} />],
    [words.priority, task.priority],
    [words.worker, task.workerId && <WorkerLink key="worker" id={task.workerId} />],
    [words.tags, task.tags?.length ? <Tags key="tags" tags={task.tags} /> : undefined],
    [
      words.idempotencyKey,
      task.idempotencyKey && <SearchLink key="key" field="idempotencyKey" value={task.idempotencyKey} code />,
    ],
    [words.attributes, task.attributes && <AttributeLinks key="attributes" attributes={task.attributes} />],
    [words.crashes, task.crashes || undefined],
    [words.snoozes, task.snoozes || undefined],
  ];
  return (
    <dl className={styles.facts}>
      {facts
        .filter(([, value]) => value !== undefined && value !== null && value !== false && value !== "")
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}

/** What was done, by whom and from where; leads to all that was, and to the action on a search that it was part of. */
function LastChange({ record, id }: { record: AuditDocument; id: string }) {
  const words = useWords();
  const { action, who, via, at, after } = record;
  const isAction = action === "start-action";
  const done = isAction ? (after?.action as AuditDocument["action"]) : action;
  return (
    <span className={styles.at}>
      <Link to="/audit" search={{ target: id }}>
        {words.auditActions[done]} · {who ?? words.auditNobody} · {words.auditVias[via]}
      </Link>
      {isAction && record.kind === "task" && (
        <Link to="/tasks/$id" params={{ id: record.target }}>
          {words.partOfAction}
        </Link>
      )}
      {isAction && record.kind !== "task" && <span className={styles.ago}>{words.partOfAction}</span>}
      <span className={styles.ago}>
        <Ago at={at} />
      </span>
    </span>
  );
}

/** The whole instant, and how long ago that was. */
function At({ at }: { at: string }) {
  const format = useFormat();
  return (
    <span className={styles.at}>
      <span title={format.full(new Date(at))}>{format.precise(new Date(at))}</span>
      <span className={styles.ago}>
        <Ago at={at} />
      </span>
    </span>
  );
}

function AttributeLinks({ attributes }: { attributes: NonNullable<TaskDocument["attributes"]> }) {
  return Object.entries(attributes).flatMap(([name, values]) =>
    [values].flat().map((value) => (
      <span key={`${name} ${value}`} className={styles.attribute}>
        <bdi>{name}</bdi> <SearchLink field={name} value={String(value)} />
      </span>
    )),
  );
}

function Tags({ tags }: { tags: readonly string[] }) {
  return (
    <span className={styles.tags}>
      {tags.map((tag) => (
        <SearchLink key={tag} field="tag" value={tag} />
      ))}
    </span>
  );
}

/** A value that leads to all tasks that have it. */
function SearchLink({ field, value, code = false }: { field: string; value: string; code?: boolean }) {
  return (
    <Link to="/tasks" search={{ q: `${field}:${quoted(value)}` }} className={code ? "mono" : ""}>
      <bdi>{value}</bdi>
    </Link>
  );
}

/** What a worker is called does not change, and its heartbeat is not asked for here. */
const namesKeptMs = 60_000;

/** By the worker's name, where it has one and is still known; leads to the tasks that it ran. */
export function WorkerLink({ id }: { id: string }) {
  const { data } = useQuery({ ...queries.workers(), staleTime: namesKeptMs, refetchInterval: false });
  const name = data?.find((worker) => worker.id === id)?.name;
  return (
    <Link to="/tasks" search={{ q: `worker:${quoted(id)}` }} title={id} className={name ? "" : "mono"}>
      {name ?? id}
    </Link>
  );
}

/** A value as the query language reads it back whole. */
export function quoted(value: string): string {
  return /^[\p{L}\p{N}_./@-]+$/u.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}
