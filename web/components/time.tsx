/** Instants and spans that keep themselves current. */
import { useFormat } from "../format.ts";
import { useNow } from "../now.ts";

/** `3 min. ago`, with the whole instant as its title. */
export function Ago({ at }: { at: string }) {
  const format = useFormat();
  const now = useNow();
  const date = new Date(at);
  return (
    <time dateTime={at} title={format.full(date)}>
      {format.ago(date, now)}
    </time>
  );
}

/** The time of day, with the date before it unless it is today. */
export function Instant({ at }: { at: string }) {
  const format = useFormat();
  const now = useNow();
  const date = new Date(at);
  return (
    <time dateTime={at} title={format.full(date)}>
      {format.short(date, now)}
    </time>
  );
}

/** From one instant to another, or to now. */
export function Span({ from, to }: { from: string; to?: string | undefined }) {
  return to ? <FixedSpan from={from} to={to} /> : <GrowingSpan from={from} />;
}

function FixedSpan({ from, to }: { from: string; to: string }) {
  return <>{useFormat().span(Date.parse(to) - Date.parse(from))}</>;
}

function GrowingSpan({ from }: { from: string }) {
  const now = useNow();
  return <>{useFormat().span(Math.floor(Math.max(0, now - Date.parse(from)) / 1000) * 1000)}</>;
}
