/** The history as a table: one line for each stretch of time, and of each type where that was asked for. */
import type { Percentiles } from "../tasks/core/counts/duration-counts.ts";
import type { HistoryBucket } from "../tasks/core/counts/history.ts";
import type { Span } from "../tasks/core/port/store-history.ts";
import type { Output } from "./output.ts";
import { type Column, renderTable } from "./table.ts";
import { formatCount } from "./text.ts";
import { formatStretch } from "./times.ts";

/** The lines, without a line break at the end. */
export function renderHistory(output: Output, buckets: readonly HistoryBucket[], span: Span): string {
  return renderTable(output, columns(output, span), buckets);
}

function columns(output: Output, span: Span): Column<HistoryBucket>[] {
  const { green, red, yellow, dim } = output.colors;
  return [
    { head: "from", cell: ({ start }) => formatStretch(start, span === "day") },
    { head: "type", cell: ({ type }) => type, flexible: true, optional: true },
    { ...counted("completed", ({ completed }) => completed), paint: paintedBy(green, dim) },
    { ...counted("failed", ({ failed }) => failed), paint: paintedBy(red, dim) },
    { ...counted("cancelled", ({ cancelled }) => cancelled), paint: paintedBy(yellow, dim) },
    { ...counted("retried", ({ retried }) => retried), paint: paintedBy(yellow, dim) },
    { head: "per second", cell: ({ throughput }) => formatRate(throughput), right: true },
    { head: "failed %", cell: ({ failureRate }) => formatShare(failureRate), right: true },
    { head: "wait p50", cell: ({ waitMs }) => time(waitMs, "p50"), right: true },
    { head: "p95", cell: ({ waitMs }) => time(waitMs, "p95"), right: true },
    { head: "run p50", cell: ({ runMs }) => time(runMs, "p50"), right: true },
    { head: "p95", cell: ({ runMs }) => time(runMs, "p95"), right: true },
    { head: "max", cell: ({ runMs }) => time(runMs, "max"), right: true },
  ];
}

function counted(head: string, count: (bucket: HistoryBucket) => number): Column<HistoryBucket> {
  return {
    head,
    cell: (bucket) => (count(bucket) > 0 ? formatCount(count(bucket)) : "–"),
    right: true,
  };
}

function paintedBy(colour: (text: string) => string, dim: (text: string) => string) {
  return (text: string) => (text === "–" ? dim(text) : colour(text));
}

function formatRate(perSecond: number): string {
  return perSecond >= 100 ? formatCount(Math.round(perSecond)) : perSecond.toPrecision(2);
}

function formatShare(share: number): string {
  return share === 0 ? "–" : (100 * share).toPrecision(2);
}

function time(times: Percentiles | undefined, which: keyof Percentiles): string {
  return times === undefined ? "–" : shortDuration(times[which]);
}

/** `7ms`, `1.2s`, `35s`, `4.5m`, `13h`, `3d`: no more than the percentiles are exact. */
function shortDuration(ms: number): string {
  if (ms < 1_000) return `${ms}ms`;
  const [unit, name] = units.find(([length]) => ms >= length)!;
  const value = ms / unit;
  return `${value < 10 ? value.toFixed(1).replace(/\.0$/, "") : Math.round(value)}${name}`;
}

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
] as const;
