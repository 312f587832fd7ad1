/** What ended over time as stacked bars, wait and run time as lines, and the same as a table for who cannot see them. */
import { type ReactNode, useMemo, useState } from "react";
import uPlot from "uplot";
import type { HistoryBucket } from "../contract.ts";
import { type Format, useFormat } from "../format.ts";
import { type Period, periods, type Step, stepsOf } from "../history.ts";
import { useWords } from "../i18n/language.tsx";
import styles from "./history-charts.module.css";
import { Plot, type PlotProps, type PlotStyle } from "./plot.tsx";

const barShare = 0.72;

interface ChartsProps {
  buckets: readonly HistoryBucket[];
  period: Period;
  /** The start of the first step; milliseconds since 1970. */
  from: number;
}

export function HistoryCharts({ buckets, period, from }: ChartsProps) {
  const steps = useMemo(() => stepsOf(buckets, period, from), [buckets, period, from]);
  const [at, setAt] = useState<number>();
  const step = at === undefined ? undefined : steps[at];
  const { bucketMs, count } = periods[period];
  const range = { from, to: from + count * bucketMs, formatTime: timeFormats[period], onPoint: setAt };
  return (
    <div className={styles.charts}>
      <EndedChart steps={steps} step={step} period={period} range={range} />
      <TimesChart what="wait" steps={steps} step={step} period={period} range={range} />
      <TimesChart what="run" steps={steps} step={step} period={period} range={range} />
      <HistoryTable steps={steps} />
    </div>
  );
}

type Range = Pick<PlotProps, "from" | "to" | "formatTime" | "onPoint">;

interface ChartProps {
  steps: readonly Step[];
  /** The one that is pointed at, in any of the charts. */
  step: Step | undefined;
  period: Period;
  range: Range;
}

function EndedChart({ steps, step, period, range }: ChartProps) {
  const words = useWords();
  const format = useFormat();
  const data = useMemo(() => stacked(steps, periods[period].bucketMs), [steps, period]);
  const sum = (key: "completed" | "failed") =>
    step?.[key] ?? steps.reduce((total, one) => total + one[key], 0);
  return (
    <Chart
      title={words.tasksEnded}
      when={step ? spanText(step, period, format) : words.periods[period]}
      entries={[
        [styles.completed!, words.COMPLETED, format.count(sum("completed"))],
        [styles.failed!, words.FAILED, format.count(sum("failed"))],
      ]}
      className={styles.ended!}
    >
      <Plot {...range} data={data} makeStyle={barStyle} />
      {sum("completed") + sum("failed") === 0 && step === undefined && (
        <p className={styles.none}>{words.historyNone}</p>
      )}
    </Chart>
  );
}

function TimesChart({ what, steps, step, period, range }: ChartProps & { what: "wait" | "run" }) {
  const words = useWords();
  const format = useFormat();
  const data = useMemo(() => linesOf(steps, what, periods[period].bucketMs), [steps, what, period]);
  const shown = step ?? steps.findLast((one) => one[what]);
  const times = shown?.[what];
  return (
    <Chart
      title={what === "wait" ? words.waitTime : words.runTime}
      when={shown ? spanText(shown, period, format) : ""}
      entries={[
        [styles.p50!, "p50", times ? format.span(times.p50) : "–"],
        [styles.p95!, "p95", times ? format.span(times.p95) : "–"],
      ]}
    >
      <Plot {...range} data={data} makeStyle={lineStyle} />
    </Chart>
  );
}

function Chart({
  title,
  when,
  entries,
  className = "",
  children,
}: {
  title: string;
  when: string;
  entries: readonly [mark: string, name: string, value: string][];
  className?: string;
  children: ReactNode;
}) {
  return (
    <figure className={`${styles.figure} ${className}`}>
      <figcaption className={styles.caption}>
        <h3>{title}</h3>
        <span aria-hidden="true" className={styles.legend}>
          {entries.map(([mark, name, value]) => (
            <span key={name}>
              <i className={mark} /> {name} <b>{value}</b>
            </span>
          ))}
        </span>
        <span aria-hidden="true" className={styles.when}>
          {when}
        </span>
      </figcaption>
      {children}
    </figure>
  );
}

function HistoryTable({ steps }: { steps: readonly Step[] }) {
  const words = useWords();
  const format = useFormat();
  const span = (ms: number | undefined) => (ms === undefined ? "–" : format.span(ms));
  return (
    // A table would be as wide as it wants, and the page with it.
    <div className="hidden">
      <table>
        <caption>{words.chartLabel}</caption>
        <thead>
          <tr>
            <th>{words.ended}</th>
            <th>{words.COMPLETED}</th>
            <th>{words.FAILED}</th>
            <th>{words.waitTime} p50</th>
            <th>{words.waitTime} p95</th>
            <th>{words.runTime} p50</th>
            <th>{words.runTime} p95</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(({ at, completed, failed, wait, run }) => (
            <tr key={at}>
              <th>{format.full(new Date(at))}</th>
              <td>{completed}</td>
              <td>{failed}</td>
              <td>{span(wait?.p50)}</td>
              <td>{span(wait?.p95)}</td>
              <td>{span(run?.p50)}</td>
              <td>{span(run?.p95)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const clockText = (format: Format, at: Date) => format.clock(at).slice(0, 5);
const dateText = (format: Format, at: Date) => format.date(at);
const timeFormats = { hour: clockText, day: clockText, week: dateText, month: dateText } as const;

/** `14:00 – 15:00`, `Nov 23, 14:00 – 15:00`. */
function spanText({ at }: Step, period: Period, format: Format): string {
  const start = new Date(at);
  const end = new Date(at + periods[period].bucketMs);
  if (period === "month") {
    // Days are of UTC, which most people's are not.
    if (start.getHours() + start.getMinutes() === 0) return format.date(start);
    return `${format.dayTime(start)} – ${format.dayTime(end)}`;
  }
  const first = period === "week" ? format.dayTime(start) : clockText(format, start);
  return `${first} – ${clockText(format, end)}`;
}

function barStyle(color: (name: string) => string, format: Format): PlotStyle {
  const paths = uPlot.paths.bars!({ size: [barShare, 40], radius: 0.15 });
  const points = { show: false };
  return {
    series: [
      { paths, points, fill: color("--chart-completed") },
      { paths, points, fill: color("--chart-failed") },
    ],
    y: {
      incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 5e6, 1e7],
      values: (_plot, splits) => splits.map((value) => format.compact(value)),
    },
    yMin: 4,
  };
}

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** Steps of an axis that read well as milliseconds, seconds, minutes, hours or days. */
const timeSteps = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * secondMs),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minuteMs),
  ...[1, 2, 6, 12].map((hours) => hours * hourMs),
  ...[1, 2, 5, 10, 30, 100].map((days) => days * dayMs),
];

function lineStyle(color: (name: string) => string, format: Format): PlotStyle {
  const line = (name: string): uPlot.Series => ({
    stroke: color(name),
    width: 2,
    points: { size: 5, fill: color(name) },
  });
  return {
    series: [line("--chart-p95"), line("--chart-p50")],
    y: {
      incrs: timeSteps,
      space: 28,
      values: (_plot, splits) => splits.map((ms) => (ms === 0 ? "0" : format.span(ms))),
    },
    yMin: 10,
  };
}

/** The completed stand upon the failed: their bar is drawn to the sum, and the failed over its foot. */
function stacked(steps: readonly Step[], stepMs: number): uPlot.AlignedData {
  return [
    middles(steps, stepMs),
    steps.map(({ completed, failed }) => completed + failed),
    steps.map(({ failed }) => failed),
  ];
}

function linesOf(steps: readonly Step[], what: "wait" | "run", stepMs: number): uPlot.AlignedData {
  return [
    middles(steps, stepMs),
    steps.map((step) => step[what]?.p95 ?? null),
    steps.map((step) => step[what]?.p50 ?? null),
  ];
}

/** What is nearest to a place on the chart is then the step that it lies in. */
function middles(steps: readonly Step[], stepMs: number): number[] {
  return steps.map(({ at }) => at + stepMs / 2);
}
