/** Aligned columns that fit the terminal. Into a pipe or a file everything is written whole. */
import type { Output } from "./output.ts";
import { plainLine } from "./text.ts";
import { cut, padded, widthOf, wrapped } from "./width.ts";

export interface Column<Row> {
  head: string;
  /** Any text; made safe and put on one line here. */
  cell(row: Row): string | undefined;
  /** Colours the cell. */
  paint?(text: string, row: Row): string;
  right?: boolean;
  /** May be cut where the terminal is narrow. Ids may not: people copy them. */
  flexible?: boolean;
  /** Left out when no row has anything in it. */
  optional?: boolean;
  /** Goes to a line of its own below the row where it would get less than 24 columns. */
  below?: boolean;
}

const gap = 2;
const flexibleMin = 10;
const belowMin = 24;

/** The lines of a table, without a line break at the end. */
export function renderTable<Row>(
  output: Output,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): string {
  const filled = columns.filter((column) => !column.optional || rows.some((row) => text(column, row) !== ""));
  const below = filled.find((column) => column.below && !fits(output, filled, rows));
  const beside = filled.filter((column) => column !== below);
  const lines = grid(output, beside, rows);
  if (!below) return lines.join("\n");
  return lines
    .flatMap((line, index) => {
      const row = rows[index - 1];
      const extra = row === undefined ? "" : text(below, row);
      if (row === undefined || extra === "") return [line];
      const cutText = cut(extra, output.width - 4);
      return [line, `    ${below.paint?.(cutText, row) ?? cutText}`];
    })
    .join("\n");
}

/** Names and values below each other; a value of several lines keeps its lines. */
export function renderFields(
  output: Output,
  fields: readonly (readonly [string, string | undefined])[],
): string {
  const shown = fields.filter(
    (field): field is readonly [string, string] => field[1] !== undefined && field[1] !== "",
  );
  const nameWidth = Math.max(0, ...shown.map(([name]) => name.length)) + gap;
  return shown
    .map(([name, value]) => {
      const lines = value.split("\n").flatMap((line) => wrapped(line, output.width - nameWidth));
      const text = lines.join(`\n${" ".repeat(nameWidth)}`);
      return `${output.colors.dim(name)}${" ".repeat(nameWidth - name.length)}${text}`;
    })
    .join("\n");
}

function text<Row>(column: Column<Row>, row: Row): string {
  return plainLine(column.cell(row) ?? "");
}

/** Whether the `below` column has room beside the others. */
function fits<Row>(output: Output, columns: readonly Column<Row>[], rows: readonly Row[]): boolean {
  if (!Number.isFinite(output.width)) return true;
  const widths = columns.map((column) => (column.below ? belowMin : naturalWidth(column, rows)));
  return sum(widths) + gap * (columns.length - 1) <= output.width;
}

function naturalWidth<Row>(column: Column<Row>, rows: readonly Row[]): number {
  return Math.max(column.head.length, ...rows.map((row) => widthOf(text(column, row))));
}

function grid<Row>(output: Output, columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const widths = columnWidths(output, columns, rows);
  const head = columns.map((column, index) => {
    return padded(output.colors.dim(column.head), widths[index]!, column.right);
  });
  const body = rows.map((row) => columns.map((column, index) => cellText(column, row, widths[index]!)));
  return [head, ...body].map((cells) => cells.join(" ".repeat(gap)).trimEnd());
}

function cellText<Row>(column: Column<Row>, row: Row, width: number): string {
  const content = cut(text(column, row), width);
  const painted = content === "" ? "" : (column.paint?.(content, row) ?? content);
  return padded(painted, width, column.right);
}

/** Takes what is too wide from the flexible columns, the last one first. */
function columnWidths<Row>(output: Output, columns: readonly Column<Row>[], rows: readonly Row[]): number[] {
  const widths = columns.map((column) => naturalWidth(column, rows));
  let excess = sum(widths) + gap * (columns.length - 1) - output.width;
  for (let index = columns.length - 1; index >= 0 && excess > 0; index--) {
    if (!columns[index]!.flexible) continue;
    const cutBy = Math.min(excess, Math.max(0, widths[index]! - flexibleMin));
    widths[index]! -= cutBy;
    excess -= cutBy;
  }
  return widths;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
