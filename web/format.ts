/** Times, spans, sizes and counts as people read them, in the language in use. */
import { useMemo } from "react";
import { useWords } from "./i18n/language.tsx";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

export type Format = ReturnType<typeof makeFormat>;

export function useFormat(): Format {
  const { locale } = useWords();
  return useMemo(() => makeFormat(locale), [locale]);
}

function makeFormat(locale: string) {
  const count = new Intl.NumberFormat(locale);
  const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const wholePercent = new Intl.NumberFormat(locale, { style: "percent", roundingMode: "floor" });
  const clock = new Intl.DateTimeFormat(locale, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const day = new Intl.DateTimeFormat(locale, {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  const date = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
  const full = new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23",
    timeZoneName: "short",
  });
  const precise = new Intl.DateTimeFormat(locale, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });

  return {
    count: (value: number) => count.format(value),
    compact: (value: number) => compact.format(value),
    /** A count, or about how many where that is an estimate. */
    about: (value: number, isEstimate: boolean) =>
      isEstimate ? `≈ ${compact.format(value)}` : count.format(value),
    percent: (value: number) => percent.format(value),
    /** Below a hundred until it is whole. */
    wholePercent: (value: number) => wholePercent.format(value),
    clock: (at: Date) => clock.format(at),
    date: (at: Date) => date.format(at),
    dayTime: (at: Date) => day.format(at),
    full: (at: Date) => full.format(at),
    /** To the second, without the time zone. */
    precise: (at: Date) => precise.format(at),
    /** The time of day for today, the date before it for other days. */
    short: (at: Date, now: number) => (sameDay(at, new Date(now)) ? clock.format(at) : day.format(at)),
    ago: (at: Date, now: number) => {
      const ms = at.getTime() - now;
      const size = Math.abs(ms);
      if (size < minuteMs) return relative.format(Math.round(ms / secondMs), "second");
      if (size < 1.5 * hourMs) return relative.format(Math.round(ms / minuteMs), "minute");
      if (size < 1.5 * dayMs) return relative.format(Math.round(ms / hourMs), "hour");
      return relative.format(Math.round(ms / dayMs), "day");
    },
    span: (ms: number) => span(ms, locale),
    bytes: (bytes: number) => {
      const step = Math.min(4, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
      const unit = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"][step]!;
      return new Intl.NumberFormat(locale, {
        style: "unit",
        unit,
        unitDisplay: step === 0 ? "long" : "short",
        maximumFractionDigits: bytes / 1024 ** step < 10 ? 1 : 0,
      }).format(bytes / 1024 ** step);
    },
  };
}

/** Two units at most: `840ms`, `4.2s`, `3m 20s`, `2h 5m`, `6d 4h`. */
function span(ms: number, locale: string): string {
  const unit = (value: number, name: string, digits = 0) =>
    new Intl.NumberFormat(locale, {
      style: "unit",
      unit: name,
      unitDisplay: "narrow",
      maximumFractionDigits: digits,
    }).format(value);
  if (ms < secondMs) return unit(Math.max(0, Math.round(ms)), "millisecond");
  if (ms < minuteMs) return unit(ms / secondMs, "second", 1);
  const two = (large: number, largeName: string, small: number, smallName: string) => {
    const whole = Math.floor(ms / large);
    const rest = Math.floor((ms - whole * large) / small);
    return rest === 0 ? unit(whole, largeName) : `${unit(whole, largeName)} ${unit(rest, smallName)}`;
  };
  if (ms < hourMs) return two(minuteMs, "minute", secondMs, "second");
  if (ms < dayMs) return two(hourMs, "hour", minuteMs, "minute");
  return two(dayMs, "day", hourMs, "hour");
}

function sameDay(one: Date, other: Date): boolean {
  return one.toDateString() === other.toDateString();
}
