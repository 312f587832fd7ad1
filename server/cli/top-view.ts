/** The picture of `dure top`: a reading as lines that fit a terminal. */
import { formatDuration } from "../tasks/core/duration.ts";
import type { WorkerRecord } from "../tasks/core/store.ts";
import type { Task } from "../tasks/core/task.ts";
import type { Output } from "./output.ts";
import { type Column, renderTable } from "./table.ts";
import { durationText, paintStatus } from "./task-view.ts";
import { formatCount, plainLine } from "./text.ts";
import { formatInstant, formatRelative } from "./times.ts";
import type { Backlog, TopReading } from "./top-reading.ts";
import { cut } from "./width.ts";

export interface Picture {
  output: Output;
  reading: TopReading;
  /** In the header: which database. */
  database: string;
  /** Lines there are; every list is whole where that is unlimited. */
  rows: number;
  /** The selected task, when one is. */
  selected?: string;
  /** What stands on the last line. */
  footer?: string;
}

interface Section {
  title: string;
  /** How many there are; undefined where that is not known. */
  total: number | undefined;
  /** How many were read. */
  count: number;
  /** Renders the first `rows` of it: a head, then a line each. */
  table(rows: number): string[];
  /** The ids of its tasks; empty for what is no task. */
  ids: readonly string[];
}

/** A title, the head of its columns, and one line at least. */
const sectionRowsMin = 3;

export interface Drawn {
  /** From the top down; none is wider than the terminal. */
  lines: string[];
  /** The tasks that are on it, from the top down. */
  ids: string[];
}

export function renderTop({ output, reading, database, rows, selected, footer }: Picture): Drawn {
  const header = headerOf(output, reading, database);
  const sections = sectionsOf(output, reading).filter(({ count }) => count > 0);
  const footers = footer === undefined ? [] : [footer];
  const room = rows - header.length - footers.length;
  const shares = sharesOf(sections, room);
  const drawn = sections.map((section, index) => drawnOf(output, section, shares[index]!, selected));
  const lines = [...header, ...drawn.flatMap((section) => section.lines)].slice(0, rows - footers.length);
  const filler = footers.length > 0 ? Array<string>(rows - footers.length - lines.length).fill("") : [];
  return {
    lines: [...lines, ...filler, ...footers].map((line) => cut(line, output.width)),
    ids: drawn.flatMap(({ ids }) => ids),
  };
}

function drawnOf(output: Output, section: Section, share: number, selected: string | undefined): Drawn {
  const shown = share - sectionRowsMin + 1;
  if (shown < 1) return { lines: [], ids: [] };
  const [head = "", ...rows] = section.table(shown);
  const marked = rows.map((line, row) => marker(output, section.ids[row], selected) + line);
  return {
    lines: ["", titleOf(output, section), `  ${head}`, ...marked],
    ids: section.ids.slice(0, shown),
  };
}

function headerOf(output: Output, reading: TopReading, database: string): string[] {
  const { colors } = output;
  const { at, counts, perSecond, oldestDueMs } = reading;
  const statuses = Object.entries(counts).map(([status, count]) => {
    const text = `${formatCount(count)} ${status.toLowerCase()}`;
    return count > 0 ? paintStatus(output, text, status) : colors.dim(text);
  });
  const failed = `${formatRate(perSecond.failed)}/s failed`;
  const rates = [
    `${formatRate(perSecond.ended)}/s ended`,
    perSecond.failed > 0 ? colors.red(failed) : colors.dim(failed),
    oldestDueMs === undefined ? "nothing is due" : `longest due for ${formatDuration(oldestDueMs)}`,
  ];
  return [
    `${colors.bold("dure top")}  ${plainLine(database)}  ${colors.dim(formatInstant(at))}`,
    statuses.join("  "),
    rates.join("  "),
  ];
}

function sectionsOf(output: Output, reading: TopReading): Section[] {
  const { at, counts, workers, running, failures, due, backlog } = reading;
  const now = at.getTime();
  // Two columns at the left belong to the mark of what is selected.
  const inner = Object.create(output, { width: { value: output.width - 2 } }) as Output;
  const section = <Row>(
    title: string,
    total: number | undefined,
    columns: Column<Row>[],
    all: readonly Row[],
  ): Section => ({
    title,
    total,
    count: all.length,
    table: (rows) => renderTable(inner, columns, all.slice(0, rows)).split("\n"),
    ids: [],
  });
  const tasks = (
    title: string,
    total: number | undefined,
    columns: Column<Task>[],
    all: readonly Task[],
  ): Section => ({
    ...section(title, total, columns, all),
    ids: all.map(({ id }) => id),
  });
  return [
    section("Workers", workers.length, workerColumns(output, now), workers),
    tasks("Running", counts.RUNNING, runningColumns(now), running),
    tasks("Newest failures", counts.FAILED, failureColumns(output, now), failures),
    tasks("Due, the oldest first", undefined, dueColumns(now), due),
    section("Backlog by type", backlog.length, backlogColumns(output), backlog),
  ];
}

function workerColumns(output: Output, now: number): Column<WorkerRecord>[] {
  return [
    { head: "name", cell: ({ name, id }) => name ?? id.slice(0, 8), flexible: true },
    { head: "host", cell: ({ host }) => host, flexible: true },
    { head: "pid", cell: ({ pid }) => String(pid), right: true },
    { head: "running", cell: ({ running, concurrency }) => `${running}/${concurrency}`, right: true },
    {
      head: "last beat",
      cell: ({ beatAt, state }) => (state === "dead" ? "dead, " : "") + formatRelative(beatAt, now),
      paint: (text, { state }) => (state === "dead" ? output.colors.red(text) : text),
      right: true,
    },
  ];
}

const idColumn: Column<Task> = { head: "id", cell: ({ id }) => id };
const typeColumn: Column<Task> = { head: "type", cell: ({ type }) => type, flexible: true };
const attemptColumn: Column<Task> = {
  head: "attempt",
  cell: ({ attempts, maxAttempts }) => `${attempts}/${maxAttempts}`,
  right: true,
};

function runningColumns(now: number): Column<Task>[] {
  return [
    idColumn,
    typeColumn,
    attemptColumn,
    { head: "for", cell: (task) => durationText(task, now), right: true },
    { head: "progress", cell: progressText, flexible: true, optional: true },
  ];
}

function failureColumns(output: Output, now: number): Column<Task>[] {
  return [
    idColumn,
    typeColumn,
    attemptColumn,
    {
      head: "failed",
      cell: ({ completedAt }) => completedAt && formatRelative(completedAt, now),
      right: true,
    },
    {
      head: "error",
      cell: ({ error }) => error,
      paint: (text) => output.colors.red(text),
      flexible: true,
      optional: true,
    },
  ];
}

function dueColumns(now: number): Column<Task>[] {
  return [
    idColumn,
    typeColumn,
    attemptColumn,
    {
      head: "due",
      cell: ({ dueAt, createdAt }) => formatRelative(dueAt ?? createdAt, now),
      right: true,
    },
  ];
}

function backlogColumns(output: Output): Column<Backlog>[] {
  return [
    { head: "type", cell: ({ type }) => type, flexible: true },
    { head: "pending", cell: ({ pending }) => formatCount(pending), right: true },
    { head: "running", cell: ({ running }) => formatCount(running), right: true },
    {
      head: "",
      cell: ({ served }) => (served ? "" : "no worker defines it"),
      paint: (text) => output.colors.yellow(text),
      optional: true,
    },
  ];
}

function progressText({ progress }: Task): string | undefined {
  if (!progress) return undefined;
  const { done, total, message } = progress;
  const amount = total === undefined ? formatCount(done) : `${formatCount(done)}/${formatCount(total)}`;
  return message === undefined ? amount : `${amount} ${message}`;
}

function titleOf({ colors }: Output, { title, total }: Section): string {
  return total === undefined ? colors.bold(title) : `${colors.bold(title)} ${colors.dim(formatCount(total))}`;
}

function marker({ colors }: Output, id: string | undefined, selected: string | undefined): string {
  return id !== undefined && id === selected ? colors.cyan("› ") : "  ";
}

/** Every section gets what it needs while there is room; those that need more share what is left alike. */
function sharesOf(sections: readonly Section[], room: number): number[] {
  const needs = sections.map(({ count }) => count + sectionRowsMin - 1);
  if (room === Number.POSITIVE_INFINITY) return needs;
  const shares = needs.map(() => 0);
  let left = room;
  for (const [index, need] of needs.entries()) {
    // A blank line stands above each section.
    const first = Math.min(need, sectionRowsMin) + 1;
    if (left < first) break;
    shares[index] = first - 1;
    left -= first;
  }
  while (left > 0 && shares.some((share, index) => share > 0 && share < needs[index]!)) {
    for (const [index, need] of needs.entries()) {
      if (left <= 0 || shares[index] === 0 || shares[index]! >= need) continue;
      shares[index]! += 1;
      left -= 1;
    }
  }
  return shares;
}

function formatRate(perSecond: number): string {
  if (perSecond === 0) return "0";
  return perSecond >= 100 ? formatCount(Math.round(perSecond)) : String(Number(perSecond.toPrecision(2)));
}
