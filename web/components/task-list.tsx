/**
 * A list of tasks of any length: only the rows in view exist, pages follow by cursor as one scrolls, and rows that
 * are shown never move by themselves.
 */
// biome-ignore-all lint/a11y/useSemanticElements: rows that are absolutely placed cannot be a <table>
// biome-ignore-all lint/a11y/useFocusableInteractive: the link in a row takes the focus
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the link in a row does the same from the keyboard
// biome-ignore-all lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
import { Link, useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type MouseEvent, useEffect, useMemo, useRef, useState } from "react";
import type { TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { useShortcuts } from "../keyboard.ts";
import { useNarrow } from "../narrow.ts";
import { StatusBadge } from "./status.tsx";
import { TaskAbout } from "./task-about.tsx";
import type { TaskColumn } from "./task-columns.tsx";
import styles from "./task-list.module.css";
import { Ago } from "./time.tsx";

const rowHeight = 36;
const narrowRowHeight = 66;
/** With a line for the chosen columns. */
const narrowRowHeightMore = 90;
/** The next page is asked for when this many rows are left below. */
const askAhead = 30;

/** Where each list was left, so that coming back to it finds the same rows, and the keyboard on the same one. */
const leftAt = new Map<string, { top?: number; active?: string }>();

function leave(name: string, at: { top?: number; active?: string }): void {
  leftAt.set(name, { ...leftAt.get(name), ...at });
}

export interface Selection {
  has(id: string): boolean;
  toggle(id: string): void;
  add(ids: readonly string[]): void;
  toggleAll(): void;
  clear(): void;
  size: number;
}

export function TaskList({
  name,
  tasks,
  columns,
  selection,
  ending,
  onNearEnd,
}: {
  /** Names the search: a list with another name begins at its top. */
  name: string;
  tasks: readonly TaskDocument[];
  columns: readonly TaskColumn[];
  selection: Selection;
  /** What is below the last row. */
  ending: string;
  onNearEnd: () => void;
}) {
  const words = useWords();
  const narrow = useNarrow();
  const scroller = useRef<HTMLDivElement>(null);
  const narrowHeight = columns.length > 0 ? narrowRowHeightMore : narrowRowHeight;
  const height = narrow ? narrowHeight : rowHeight;
  const rows = useVirtualizer({
    count: tasks.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
    initialOffset: leftAt.get(name)?.top ?? 0,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew when rows change their height
  useEffect(() => rows.measure(), [rows, height]);
  const active = useActiveRow(name, tasks, selection, (index) => rows.scrollToIndex(index));
  useShortcuts({
    ...(selection.size > 0 && {
      Escape: () => {
        selection.clear();
        scroller.current?.querySelector<HTMLElement>("[data-active=true] a")?.focus();
      },
    }),
  });
  const choose = useRangeChoice(tasks, selection);
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= tasks.length - askAhead) onNearEnd();
  }, [last, tasks.length, onNearEnd]);
  const template = `36px ${columns.map(({ track }) => track).join(" ")}`;
  return (
    <div
      ref={scroller}
      className={styles.scroller}
      tabIndex={0}
      role="region"
      aria-label={words.tasks}
      onScroll={(event) => leave(name, { top: event.currentTarget.scrollTop })}
    >
      <div
        className={styles.table}
        role="table"
        aria-rowcount={tasks.length + 1}
        style={{ "--template": template } as CSSProperties}
      >
        <div className={styles.head} role="row" aria-rowindex={1}>
          <span role="columnheader" className={styles.check}>
            <input
              type="checkbox"
              aria-label={words.selectAll}
              checked={selection.size > 0 && selection.size === tasks.length}
              onChange={selection.toggleAll}
            />
          </span>
          {columns.map(({ key, word, label, className = "" }) => (
            <span
              key={key}
              role="columnheader"
              className={className === styles.number ? className : undefined}
            >
              {word ? (words[word] as string) : label}
            </span>
          ))}
        </div>
        <div className={styles.rows} role="rowgroup" style={{ height: rows.getTotalSize() }}>
          {shown.map(({ index, start }) => {
            const task = tasks[index];
            if (!task) return null;
            return (
              <Row
                key={task.id}
                task={task}
                index={index}
                top={start}
                height={height}
                columns={columns}
                narrow={narrow}
                active={active.index === index}
                onFocus={() => active.set(task.id)}
                selected={selection.has(task.id)}
                onSelect={(isRange) => choose(task.id, isRange)}
              />
            );
          })}
        </div>
      </div>
      <p className={styles.ending}>{ending}</p>
    </div>
  );
}

function Row({
  task,
  index,
  top,
  height,
  columns,
  narrow,
  active,
  onFocus,
  selected,
  onSelect,
}: {
  task: TaskDocument;
  index: number;
  top: number;
  height: number;
  columns: readonly TaskColumn[];
  narrow: boolean;
  active: boolean;
  onFocus: () => void;
  selected: boolean;
  onSelect: (isRange: boolean) => void;
}) {
  const words = useWords();
  const navigate = useNavigate();
  const link = useRef<HTMLAnchorElement>(null);
  useEffect(() => {
    // A row that comes into view again takes the focus from nobody who types.
    if (active && !document.activeElement?.closest(elsewhere)) link.current?.focus({ preventScroll: true });
  }, [active]);
  const open = (event: MouseEvent) => {
    if (event.target instanceof Element && event.target.closest("a, input, label")) return;
    if (getSelection()?.toString()) return;
    navigate({ to: "/tasks/$id", params: { id: task.id } });
  };
  const address = { to: "/tasks/$id", params: { id: task.id } } as const;
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-selected={selected}
      data-active={active}
      className={`${styles.row} ${narrow ? styles.narrow : ""}`}
      style={{ height, transform: `translateY(${top}px)` }}
      onClick={open}
      onFocus={onFocus}
    >
      <span role="cell" className={styles.check}>
        <label onMouseDown={keepText}>
          <input
            type="checkbox"
            aria-label={words.selectTask(task.id)}
            checked={selected}
            onChange={({ nativeEvent }) =>
              onSelect("shiftKey" in nativeEvent && nativeEvent.shiftKey === true)
            }
          />
        </label>
      </span>
      {narrow ? (
        <NarrowCells task={task} columns={columns}>
          <Link ref={link} {...address} className={styles.link!} preload={false}>
            {task.type}
          </Link>
        </NarrowCells>
      ) : (
        columns.map(({ key, cell, className = "" }, at) => (
          <span key={key} role="cell" className={className}>
            {at === linkedColumn(columns) ? (
              <Link ref={link} {...address} className={styles.link!} title={task.id} preload={false}>
                {cell(task)}
              </Link>
            ) : (
              cell(task)
            )}
          </span>
        ))
      )}
    </div>
  );
}

function NarrowCells({
  task,
  columns,
  children,
}: {
  task: TaskDocument;
  columns: readonly TaskColumn[];
  children: React.ReactNode;
}) {
  const words = useWords();
  return (
    <span role="cell" className={styles.card}>
      <span className={styles.cardLine}>
        {children}
        <Ago at={task.createdAt} />
      </span>
      <span className={styles.cardLine}>
        <span className={styles.soft}>
          <TaskAbout task={task} />
        </span>
        <StatusBadge status={task.status} />
      </span>
      {columns.length > 0 && (
        <span className={styles.more}>
          {columns.map(({ key, word, label, cell }) => (
            <span key={key}>
              {word ? (words[word] as string) : label} <b>{cell(task) || "–"}</b>
            </span>
          ))}
        </span>
      )}
    </span>
  );
}

/** The type is the link to the task; without that column, the first one. */
function linkedColumn(columns: readonly TaskColumn[]): number {
  return Math.max(
    0,
    columns.findIndex(({ key }) => key === "type"),
  );
}

/** Where whoever types is left alone. */
const elsewhere = "input:not([type=checkbox]), textarea, select, dialog, [data-menu][open]";

/** A press with Shift would select the text up to here. */
function keepText(event: MouseEvent): void {
  if (event.shiftKey) event.preventDefault();
}

/** With Shift, all from the task that was chosen last to this one; without, this one alone. */
function useRangeChoice(tasks: readonly TaskDocument[], selection: Selection) {
  const last = useRef<string>(undefined);
  return (id: string, isRange: boolean) => {
    const [from, to] = [last.current, id]
      .map((one) => tasks.findIndex((task) => task.id === one))
      .sort(rising);
    last.current = id;
    if (!isRange || from === -1) selection.toggle(id);
    else selection.add(tasks.slice(from, to! + 1).map((task) => task.id));
  };
}

function rising(a: number, b: number): number {
  return a - b;
}

/**
 * `j` and `k` go down and up, with Shift they select on the way; `x` selects; Enter is the focused link's own.
 */
function useActiveRow(
  name: string,
  tasks: readonly TaskDocument[],
  selection: Selection,
  show: (index: number) => void,
) {
  const [id, setId] = useState(() => leftAt.get(name)?.active);
  const index = useMemo(() => tasks.findIndex((task) => task.id === id), [tasks, id]);
  const set = (next: string) => {
    leave(name, { active: next });
    setId(next);
  };
  const move = (by: number) => {
    const next = Math.min(tasks.length - 1, Math.max(0, index + by));
    const task = tasks[next];
    if (!task) return;
    show(next);
    set(task.id);
    return task.id;
  };
  const extend = (by: number) => {
    const from = tasks[index]?.id;
    const to = move(by);
    if (to) selection.add(from ? [from, to] : [to]);
  };
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    J: () => extend(1),
    K: () => extend(-1),
    x: () => {
      const task = tasks[index];
      if (task) selection.toggle(task.id);
    },
  });
  return { index, set };
}
