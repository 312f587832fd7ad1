/** How many columns of a terminal a text takes, and how it is made to fit: Hangul and emoji take two, colours none. */
import measure from "fast-string-truncated-width";

const ellipsis = "…";
const wrapMin = 20;

/** Columns a line takes. Hangul stored in its parts (file names of macOS) is shown and counted whole. */
export function widthOf(line: string): number {
  return measure(line.normalize()).width;
}

/** At most `width` columns of a line, with an ellipsis where something is missing. */
export function cut(line: string, width: number): string {
  if (widthOf(line) <= width) return line;
  const whole = line.normalize();
  return `${whole.slice(0, measure(whole, { limit: width, ellipsis }).index)}${ellipsis}`;
}

/** Filled up with spaces to `width` columns; left as it is when it is wider. */
export function padded(line: string, width: number, right = false): string {
  const spaces = " ".repeat(Math.max(0, width - widthOf(line)));
  return right ? `${spaces}${line}` : `${line}${spaces}`;
}

/** A line in lines of at most `width` columns (20 at least), broken between words, or within those that are longer. */
export function wrapped(line: string, width: number): string[] {
  const limit = Math.max(wrapMin, width);
  const lines: string[] = [];
  let rest = line;
  while (widthOf(rest) > limit) {
    rest = rest.normalize();
    const end = breakBefore(rest, measure(rest, { limit }).index);
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/** The last space at or before the index; the index itself where a word fills the line. */
function breakBefore(line: string, index: number): number {
  const space = line.lastIndexOf(" ", index);
  return line.slice(0, Math.max(0, space)).trim() === "" ? index : space;
}
