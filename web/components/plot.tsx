/** A uPlot chart that fills its place, and is drawn anew when the theme or the language changes. */
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { type Format, useFormat } from "../format.ts";
import { useTheme } from "../theme.ts";
import styles from "./plot.module.css";

/** Charts beside each other point at the same instant. */
const syncKey = "history";

/** What a chart is made of beside what all have in common. */
export interface PlotStyle {
  series: uPlot.Series[];
  y: uPlot.Axis;
  /** The largest value that the axis of values reaches to at least. */
  yMin: number;
}

export interface PlotProps {
  data: uPlot.AlignedData;
  /** In milliseconds since 1970; the end is not included. */
  from: number;
  to: number;
  /** How an instant of the axis of time is written. */
  formatTime: (format: Format, at: Date) => string;
  makeStyle: (color: (name: string) => string, format: Format) => PlotStyle;
  /** Which value is pointed at. */
  onPoint: (index: number | undefined) => void;
}

export function Plot(props: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const format = useFormat();
  const [theme] = useTheme();
  const dark = useSystemDark();
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const { data, from, to, makeStyle, formatTime } = props;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the palette follows the theme and the system
  useEffect(() => {
    const element = place.current!;
    plot.current = new uPlot(options(element, latest, format), latest.current.data, element);
    const observer = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [theme, dark, format, makeStyle, formatTime]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the range is read from the latest properties
  useEffect(() => plot.current?.setData(data), [data, from, to]);
  return <div ref={place} className={styles.plot} aria-hidden="true" />;
}

function options(element: HTMLElement, latest: { current: PlotProps }, format: Format): uPlot.Options {
  const color = (name: string) => resolved(element, name);
  const { makeStyle, formatTime } = latest.current;
  const { series, y, yMin } = makeStyle(color, format);
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
    cursor: { sync: { key: syncKey }, y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { range: () => [latest.current.from, latest.current.to] },
      y: { range: (_plot, _low, high) => [0, Math.max(yMin, (high ?? 0) * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        gap: 8,
        space: 64,
        values: (_plot, splits) => splits.map((at) => formatTime(format, new Date(at))),
      },
      { ...axis, size: 52, ...y },
    ],
    series: [{}, ...series],
    hooks: { setCursor: [({ cursor }) => latest.current.onPoint(cursor.idx ?? undefined)] },
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
