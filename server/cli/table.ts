/** Aligned columns that fit the terminal. Into a pipe or a file everything is written whole. */
import Table from "cli-table3";
import type { Output } from "./output.ts";
import { plainLine } from "./text.ts";

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

const frameless = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};

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
  const table = new Table({
    chars: frameless,
    style: { "padding-left": 0, "padding-right": gap, head: [], border: [] },
    colWidths: columnWidths(output, columns, rows).map((width) => width + gap),
    colAligns: columns.map((column) => (column.right ? "right" : "left")),
    head: columns.map((column) => output.colors.dim(column.head)),
  });
  for (const row of rows) {
    table.push(
      columns.map((column) => {
        const content = text(column, row);
        return column.paint && content !== "" ? column.paint(content, row) : content;
      }),
    );
  }
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
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

const bare = { "padding-left": 0, "padding-right": 0, head: [], border: [] };

/** Columns a text takes: wide for Hangul and the like. An empty cell below it is padded to just that. */
function widthOf(line: string): number {
  if (/^[\u0020-\u007e]*$/.test(line)) return line.length;
  const table = new Table({ chars: frameless, style: bare });
  table.push([line], [""]);
  return table.toString().split("\n")[1]?.length ?? line.length;
}

/** At most `width` columns of a line, with an ellipsis where something is missing. */
function cut(line: string, width: number): string {
  if (widthOf(line) <= width) return line;
  const table = new Table({ chars: frameless, style: bare, colWidths: [width] });
  table.push([line]);
  return table.toString().trimEnd();
}

/** A line in lines of at most `width` columns, broken between words; not at all when there is no limit. */
export function wrapped(line: string, width: number): string[] {
  if (!Number.isFinite(width) || widthOf(line) <= width) return [line];
  const table = new Table({
    chars: frameless,
    style: bare,
    colWidths: [Math.max(20, width)],
    wordWrap: true,
  });
  table.push([line]);
  return table
    .toString()
    .split("\n")
    .map((part) => part.trimEnd());
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
