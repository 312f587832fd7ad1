/**
 * What changed between two texts, line by line: the longest common subsequence, as `diff` shows it. For the errors of two
 * attempts, in the dashboard and on a terminal.
 */

/** As much of a stored error as is compared. */
export interface ComparedError {
  name: string;
  message: string;
  stack?: string | undefined;
  code?: string | undefined;
  cause?: ComparedError | undefined;
}

export interface DiffLine {
  /** A line of both, of the earlier text alone, or of the later one alone; or how many lines of both are left out. */
  kind: "same" | "removed" | "added" | "omitted";
  text: string;
  /** Of `omitted`. */
  count?: number;
}

/** Longer texts are not compared: the table of common lines grows with the product of both. */
const linesMax = 400;
/** Causes of causes. */
const causesMax = 8;
/** Lines of both that are shown around a change. */
const context = 1;

/** Undefined when either text is too long to be compared. Equal texts give one `omitted` line, or none. */
export function diffLines(earlier: string, later: string): DiffLine[] | undefined {
  const before = linesOf(earlier);
  const after = linesOf(later);
  if (before.length > linesMax || after.length > linesMax) return undefined;
  return omitSame(compare(before, after));
}

/** A whole error as lines: what it said, where it came from, and what caused it. */
export function errorLines(error: ComparedError | undefined, depth = 0): string {
  if (!error) return "";
  const head = [error.name, error.code && `[${error.code}]`].filter(Boolean).join(" ");
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const lines = [`${head}: ${error.message}`, ...frames.map((line) => line.trim())];
  const cause = depth < causesMax ? errorLines(error.cause, depth + 1) : "";
  return [...lines, ...(cause ? [cause] : [])].join("\n");
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.split("\n");
}

function compare(before: readonly string[], after: readonly string[]): DiffLine[] {
  const common = commonLengths(before, after);
  const lines: DiffLine[] = [];
  let [a, b] = [0, 0];
  while (a < before.length || b < after.length) {
    if (a < before.length && b < after.length && before[a] === after[b]) {
      lines.push({ kind: "same", text: before[a]! });
      a += 1;
      b += 1;
    } else if (b >= after.length || (a < before.length && common[a + 1]![b]! >= common[a]![b + 1]!)) {
      lines.push({ kind: "removed", text: before[a]! });
      a += 1;
    } else {
      lines.push({ kind: "added", text: after[b]! });
      b += 1;
    }
  }
  return lines;
}

/** How many lines the rest of both texts has in common, by the first line of each rest. */
function commonLengths(before: readonly string[], after: readonly string[]): Uint16Array[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let a = before.length - 1; a >= 0; a -= 1) {
    for (let b = after.length - 1; b >= 0; b -= 1) {
      lengths[a]![b] =
        before[a] === after[b]
          ? lengths[a + 1]![b + 1]! + 1
          : Math.max(lengths[a + 1]![b]!, lengths[a]![b + 1]!);
    }
  }
  return lengths;
}

/** Lines of both, but for those next to a change, become one that says how many they were. */
function omitSame(lines: readonly DiffLine[]): DiffLine[] {
  const isNear = (place: number) =>
    lines.slice(Math.max(0, place - context), place + context + 1).some(({ kind }) => kind !== "same");
  const shown: DiffLine[] = [];
  lines.forEach((line, place) => {
    if (line.kind !== "same" || isNear(place)) {
      shown.push(line);
      return;
    }
    const last = shown.at(-1);
    if (last?.kind === "omitted") last.count = last.count! + 1;
    else shown.push({ kind: "omitted", text: "", count: 1 });
  });
  return shown;
}
