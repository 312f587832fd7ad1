/** Completed and failed tasks of the last 24 hours as stacked bars, and the same as a table for who cannot see them. */
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { SummaryGroup } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { useTheme } from "../theme.ts";
import styles from "./day-chart.module.css";

const hourMs = 3_600_000;
const hours = 24;
const barShare = 0.72;

interface Hour {
  at: number;
  completed: number;
  failed: number;
}

export default function DayChart({ groups, from }: { groups: readonly SummaryGroup[]; from: string }) {
  const words = useWords();
  const format = useFormat();
  const table = useMemo(() => hoursOf(groups, Date.parse(from)), [groups, from]);
  const [at, setAt] = useState<number>();
  const hour = at === undefined ? undefined : table[at];
  const shown = hour ?? {
    completed: table.reduce((sum, { completed }) => sum + completed, 0),
    failed: table.reduce((sum, { failed }) => sum + failed, 0),
  };
  return (
    <figure className={styles.figure}>
      <div aria-hidden="true" className={styles.legend}>
        <span className={styles.when}>
          {hour
            ? `${format.clock(new Date(hour.at)).slice(0, 5)} – ${format.clock(new Date(hour.at + hourMs)).slice(0, 5)}`
            : words.lastDay}
        </span>
        <span>
          <i className={styles.completed} /> {words.COMPLETED} <b>{format.count(shown.completed)}</b>
        </span>
        <span>
          <i className={styles.failed} /> {words.FAILED} <b>{format.count(shown.failed)}</b>
        </span>
      </div>
      <Bars table={table} onPoint={setAt} />
      <table className="hidden">
        <caption>{words.chartLabel}</caption>
        <thead>
          <tr>
            <th>{words.ended}</th>
            <th>{words.COMPLETED}</th>
            <th>{words.FAILED}</th>
          </tr>
        </thead>
        <tbody>
          {table.map(({ at: start, completed, failed }) => (
            <tr key={start}>
              <th>{format.full(new Date(start))}</th>
              <td>{completed}</td>
              <td>{failed}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

function Bars({ table, onPoint }: { table: readonly Hour[]; onPoint: (index: number | undefined) => void }) {
  const place = useRef<HTMLDivElement>(null);
  const format = useFormat();
  const [theme] = useTheme();
  const dark = useSystemDark();
  const data = useMemo(() => stacked(table), [table]);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(data);
  latest.current = data;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the palette follows the theme and the system
  useEffect(() => {
    const element = place.current!;
    plot.current = new uPlot(
      options(
        element,
        (value) => format.compact(value),
        (at) => format.clock(at).slice(0, 5),
        onPoint,
      ),
      latest.current,
      element,
    );
    const observer = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [theme, dark, format, onPoint]);
  useEffect(() => plot.current?.setData(data), [data]);
  return <div ref={place} className={styles.plot} aria-hidden="true" />;
}

function options(
  element: HTMLElement,
  formatCount: (value: number) => string,
  formatHour: (at: Date) => string,
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const color = (name: string) => resolved(element, name);
  const bars = uPlot.paths.bars!({ size: [barShare, 40], align: 1, radius: 0.15 });
  const axis = {
    stroke: color("--text-soft"),
    font: "11px system-ui",
    ticks: { show: false },
    grid: { stroke: color("--line"), width: 1 },
  };
  return {
    ...sizeOf(element),
    ms: 1,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      // A bar begins at its hour, the last one too.
      x: { range: (_plot, low, high) => [low, high + hourMs] },
      y: { range: (_plot, _low, high) => [0, Math.max(4, high * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: 64,
        values: (_plot, splits) => splits.map((at) => formatHour(new Date(at))),
      },
      {
        ...axis,
        size: 44,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6],
        values: (_plot, splits) => splits.map(formatCount),
      },
    ],
    series: [
      {},
      { paths: bars, fill: color("--chart-completed"), points: { show: false } },
      { paths: bars, fill: color("--chart-failed"), points: { show: false } },
    ],
    hooks: {
      setCursor: [({ cursor }) => onPoint(cursor.idx ?? undefined)],
    },
  };
}

function sizeOf(element: HTMLElement) {
  return { width: Math.max(element.clientWidth, 120), height: Math.max(element.clientHeight, 120) };
}

/** The colour a custom property has here and now: a canvas cannot read `light-dark()`. */
function resolved(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = "";
  return color;
}

function useSystemDark(): boolean {
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const listener = () => setDark(query.matches);
    query.addEventListener("change", listener);
    return () => query.removeEventListener("change", listener);
  }, []);
  return dark;
}

function hoursOf(groups: readonly SummaryGroup[], from: number): Hour[] {
  const table = Array.from({ length: hours }, (_, index) => ({
    at: from + index * hourMs,
    completed: 0,
    failed: 0,
  }));
  for (const { hour, status, count } of groups) {
    const row = table[Math.floor((new Date(String(hour)).getTime() - from) / hourMs)];
    if (row && status === "COMPLETED") row.completed += count;
    if (row && status === "FAILED") row.failed += count;
  }
  return table;
}

/** The completed stand upon the failed: their bar is drawn to the sum, and the failed over its foot. */
function stacked(table: readonly Hour[]): uPlot.AlignedData {
  return [
    table.map(({ at }) => at),
    table.map(({ completed, failed }) => completed + failed),
    table.map(({ failed }) => failed),
  ];
}
