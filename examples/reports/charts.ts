/** Two charts as inline SVG, drawn in the page's own colours. */
import type { Airport } from "./flights.ts";
import { escapeHtml } from "./html.ts";

export interface Bar {
  label: string;
  value: number;
  /** Said on hover and to screen readers. */
  title: string;
}

const width = 720;
const height = 220;
/** Two ticks closer than this would lie over each other. */
const tickHeight = 16;
const margin = { top: 12, right: 8, bottom: 28, left: 36 };

/** Columns over labels; values below zero hang down. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const top = Math.max(0, ...bars.map((bar) => bar.value));
  const bottom = Math.min(0, ...bars.map((bar) => bar.value));
  const scale = (height - margin.top - margin.bottom) / (top - bottom || 1);
  const zero = margin.top + top * scale;
  const step = (width - margin.left - margin.right) / bars.length;
  const columns = bars.map((bar, index) => {
    const size = Math.abs(bar.value) * scale;
    const x = margin.left + index * step + step * 0.12;
    const y = bar.value >= 0 ? zero - size : zero;
    const shape = `<rect class="${bar.value >= 0 ? "bar" : "bar under"}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(step * 0.76).toFixed(1)}" height="${Math.max(size, 0.5).toFixed(1)}" rx="2"><title>${escapeHtml(bar.title)}</title></rect>`;
    const label = `<text class="tick" x="${(x + step * 0.38).toFixed(1)}" y="${height - 8}" text-anchor="middle">${escapeHtml(bar.label)}</text>`;
    return shape + label;
  });
  return figure(title, height, [
    axis(top, margin.top),
    axis(0, zero),
    -bottom * scale > tickHeight ? axis(bottom, zero - bottom * scale) : "",
    ...columns,
  ]);
}

/** Lines from an airport to where its flights go; the mainland alone, since lines to Guam would dwarf it. */
export function routeMap(
  title: string,
  from: Airport,
  routes: readonly { to: Airport; flights: number }[],
): string {
  const most = Math.max(...routes.map((route) => route.flights));
  const onMap = routes.filter(({ to }) => isMainland(to));
  const lines = onMap.map(({ to, flights }) => {
    const [x1, y1] = project(from);
    const [x2, y2] = project(to);
    const lift = Math.hypot(x2 - x1, y2 - y1) * 0.18;
    const weight = (0.6 + (flights / most) * 3).toFixed(1);
    const told = `<title>${escapeHtml(`${to.city}: ${flights} flights`)}</title>`;
    return `<path class="route" stroke-width="${weight}" d="M${x1} ${y1} Q${(x1 + x2) / 2} ${(y1 + y2) / 2 - lift} ${x2} ${y2}">${told}</path><circle class="place" cx="${x2}" cy="${y2}" r="3">${told}</circle>`;
  });
  const [x, y] = project(from);
  const home = isMainland(from)
    ? `<circle class="home" cx="${x}" cy="${y}" r="6"><title>${escapeHtml(from.city)}</title></circle>`
    : "";
  return figure(title, mapHeight, [...lines, home]);
}

const mapHeight = 380;

export function isMainland({ latitude, longitude }: Airport): boolean {
  return latitude > 24 && latitude < 50 && longitude > -126 && longitude < -66;
}

function project({ latitude, longitude }: Airport): [x: number, y: number] {
  const x = ((longitude + 126) / 60) * (width - 40) + 20;
  const y = ((50 - latitude) / 26) * (mapHeight - 40) + 20;
  return [Math.round(x), Math.round(y)];
}

function axis(value: number, y: number): string {
  return `<line class="axis" x1="${margin.left}" x2="${width - margin.right}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/><text class="tick" x="${margin.left - 6}" y="${(y + 4).toFixed(1)}" text-anchor="end">${Math.round(value)}</text>`;
}

function figure(title: string, figureHeight: number, shapes: readonly string[]): string {
  return `<figure><figcaption>${escapeHtml(title)}</figcaption><svg viewBox="0 0 ${width} ${figureHeight}" role="img" aria-label="${escapeHtml(title)}">${shapes.join("")}</svg></figure>`;
}
