/** The columns a list of tasks can have: how wide, what is in them. Which are shown is the reader's choice. */
import type { ReactNode } from "react";
import { useState } from "react";
import type { Json, TaskDocument } from "../contract.ts";
import type { Messages } from "../i18n/en.ts";
import { useNarrow } from "../narrow.ts";
import { orderOf } from "../order.ts";
import { recall, remember } from "../preferences.ts";
import { StatusBadge } from "./status.tsx";
import { TaskAbout } from "./task-about.tsx";
import styles from "./task-list.module.css";
import { Ago, Span } from "./time.tsx";

export interface TaskColumn {
  key: string;
  /** Its heading: a word of the language, or a text as it is. */
  word?: keyof Messages;
  label?: string;
  /** A CSS grid track. */
  track: string;
  cell: (task: TaskDocument) => ReactNode;
  className?: string | undefined;
}

export const taskColumns: readonly TaskColumn[] = [
  { key: "status", word: "status", track: "112px", cell: (task) => <StatusBadge status={task.status} /> },
  { key: "type", word: "type", track: "minmax(110px, 1.1fr)", cell: (task) => task.type },
  {
    key: "about",
    word: "about",
    track: "minmax(160px, 3fr)",
    cell: (task) => <TaskAbout task={task} />,
    className: styles.soft,
  },
  { key: "queue", word: "queue", track: "minmax(80px, 0.6fr)", cell: (task) => task.queue },
  {
    key: "priority",
    word: "priority",
    track: "70px",
    cell: (task) => task.priority,
    className: styles.number,
  },
  {
    key: "worker",
    word: "worker",
    track: "minmax(90px, 0.8fr)",
    cell: (task) => task.workerId,
    className: styles.code,
  },
  { key: "tags", word: "tags", track: "minmax(90px, 0.8fr)", cell: (task) => task.tags?.join(", ") },
  {
    key: "attempts",
    word: "attempts",
    track: "74px",
    cell: (task) => `${task.attempts} / ${task.maxAttempts}`,
    className: styles.number,
  },
  {
    key: "took",
    word: "took",
    track: "84px",
    cell: (task) => <Took task={task} />,
    className: styles.number,
  },
  {
    key: "created",
    word: "created",
    track: "104px",
    cell: (task) => <Ago at={task.createdAt} />,
    className: styles.number,
  },
  {
    key: "updated",
    word: "updated",
    track: "104px",
    cell: (task) => <Ago at={task.updatedAt} />,
    className: styles.number,
  },
  {
    key: "due",
    word: "due",
    track: "104px",
    cell: (task) => task.dueAt && <Ago at={task.dueAt} />,
    className: styles.number,
  },
];

const shownFirst = "status type about attempts took created";
/** What the card of a task has on a phone whatever is chosen; the chosen ones stand below it. */
const onCard = "status type about created";
const ownColumnsMax = 6;

export type ColumnChoice = ReturnType<typeof useTaskColumns>;

/** Those that may be chosen. */
export function columnsToChoose(narrow: boolean): readonly TaskColumn[] {
  return narrow ? taskColumns.filter(({ key }) => !onCard.split(" ").includes(key)) : taskColumns;
}

/**
 * The columns shown and the way to change them: the known ones in their fixed order, and before the numbers the
 * reader's own, each a path like `payload.user.id` or `result.rows`. A phone has a choice of its own, none at first.
 */
export function useTaskColumns(search: { q?: string | undefined; sort?: string | undefined }) {
  const narrow = useNarrow();
  const [choices, setChoices] = useState(keptChoices);
  const chosen = narrow ? choices.phone : choices.wide;
  const sorted = columnOfOrder[orderOf(search)?.replace(/^-/, "") ?? ""];
  const shown = sorted === undefined || chosen.includes(sorted) ? chosen : [...chosen, sorted];
  const own = shown.filter(isPath);
  const known = columnsToChoose(narrow).filter(({ key }) => shown.includes(key));
  const change = (next: readonly string[]) => {
    remember(narrow ? "phone-columns" : "columns", next.join(" "));
    setChoices({ ...choices, [narrow ? "phone" : "wide"]: next });
  };
  return {
    columns: narrow || known.length + own.length > 0 ? withOwn(known, own) : taskColumns.slice(0, 3),
    own,
    has: (key: string) => shown.includes(key),
    /** What the list is sorted by is there as long as it is. */
    isFixed: (key: string) => key === sorted && !chosen.includes(key),
    toggle: (key: string) => {
      if (!chosen.includes(key)) change([...chosen, key]);
      else if (narrow || chosen.length > 1) change(chosen.filter((one) => one !== key));
    },
    /** False when it is no path, or one too many. */
    add: (path: string) => {
      if (!isPath(path) || own.length >= ownColumnsMax) return false;
      if (!chosen.includes(path)) change([...chosen, path]);
      return true;
    },
  };
}

const columnOfOrder: { [order: string]: string } = {
  updatedAt: "updated",
  dueAt: "due",
  priority: "priority",
  duration: "took",
};

function keptChoices(): { wide: readonly string[]; phone: readonly string[] } {
  const keys = (text: string) => text.split(" ").filter((key) => key !== "");
  return { wide: keys(recall("columns") ?? shownFirst), phone: keys(recall("phone-columns") ?? "") };
}

function isPath(key: string): boolean {
  return /^(?:(?:payload|result)(?:\.[^\s.]+)+|attribute\.[\p{L}\p{M}\p{N}_.-]+)$/u.test(key);
}

function withOwn(known: readonly TaskColumn[], own: readonly string[]): readonly TaskColumn[] {
  const firstNumber = known.findIndex(({ key }) => key === "attempts" || key === "took" || key === "created");
  const at = firstNumber < 0 ? known.length : firstNumber;
  return [...known.slice(0, at), ...own.map(pathColumn), ...known.slice(at)];
}

function pathColumn(path: string): TaskColumn {
  if (path.startsWith("attribute.")) return attributeColumn(path.slice("attribute.".length));
  const [root, ...keys] = path.split(".");
  return {
    key: path,
    label: path,
    track: "minmax(100px, 1fr)",
    cell: (task) => valueText(keys.reduce(stepInto, root === "payload" ? task.payload : task.result)),
  };
}

function attributeColumn(name: string): TaskColumn {
  return {
    key: `attribute.${name}`,
    label: name,
    track: "minmax(100px, 1fr)",
    cell: ({ attributes }) => [attributes?.[name] ?? []].flat().map(valueText).join(", "),
  };
}

function stepInto(value: Json | undefined, key: string): Json | undefined {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) return undefined;
  return (value as { [key: string]: Json })[key];
}

function valueText(value: Json | undefined): string {
  if (value === undefined) return "";
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, 200);
}

export function Took({ task }: { task: TaskDocument }) {
  if (!task.startedAt || task.isDefinition) return null;
  if (task.status === "RUNNING") return <Span from={task.startedAt} />;
  return task.completedAt ? <Span from={task.startedAt} to={task.completedAt} /> : null;
}
