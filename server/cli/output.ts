/** Where a command writes: data to stdout, prose to stderr. With --json, one JSON document and no prose. */
import pc from "picocolors";
import { indent, jsonText, plainLines } from "./text.ts";
import { widthOf, wrapped } from "./width.ts";

type Colors = ReturnType<typeof pc.createColors>;

export interface OutputOptions {
  json: boolean;
  /** False with --no-color. */
  color: boolean;
}

export class Output {
  readonly json: boolean;
  /** For what goes to stdout. */
  readonly colors: Colors;
  /** For what goes to stderr. */
  readonly noteColors: Colors;

  constructor({ json, color }: OutputOptions) {
    this.json = json;
    this.colors = pc.createColors(color && wantsColor(process.stdout) && !json);
    this.noteColors = pc.createColors(color && wantsColor(process.stderr) && !json);
  }

  /** Columns of the terminal; no limit when stdout is a file or a pipe. */
  get width(): number {
    return process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY;
  }

  /** Whether a person watches stderr, so that progress may be drawn on it. */
  get drawsProgress(): boolean {
    return Boolean(process.stderr.isTTY) && !this.json;
  }

  /** Data for people: text that is already safe for a terminal. Nothing with --json, where `document` has it. */
  print(text: string): void {
    if (!this.json) process.stdout.write(`${text}\n`);
  }

  /** The command's data, as the one JSON document of --json. Nothing without it. */
  document(value: unknown): void {
    if (this.json) process.stdout.write(`${jsonText(value)}\n`);
  }

  /** One of many documents of --json, on a line of its own, as it comes. Nothing without it. */
  record(value: unknown): void {
    if (this.json) process.stdout.write(`${jsonText(value, 0)}\n`);
  }

  /** Prose: what happened, what to do next. */
  note(text: string): void {
    if (!this.json) process.stderr.write(`${fitted(plainLines(text))}\n`);
  }

  /** Prose that should not be overlooked. */
  warn(text: string): void {
    if (!this.json)
      process.stderr.write(
        `${this.noteColors.yellow("warning:")} ${fitted(plainLines(text), "warning: ")}\n`,
      );
  }

  /** The end of a command that could not do what it was told; as JSON with --json. */
  error(text: string, document: Record<string, unknown>): void {
    if (this.json) process.stderr.write(`${jsonText({ error: document })}\n`);
    else
      process.stderr.write(`${this.noteColors.red("error:")} ${fitted(plainLines(text), "error: ", "  ")}\n`);
  }
}

/**
 * Prose behind a label of so many columns. Broken between words where a terminal would break it within one; where a word is longer
 * than a line, an address for instance, its line is left as it is.
 */
function fitted(text: string, label = "", margin = ""): string {
  const width = process.stderr.isTTY ? process.stderr.columns || 80 : Number.POSITIVE_INFINITY;
  const room = width - Math.max(label.length, margin.length);
  const isTooLong = (line: string) => line.split(" ").some((word) => widthOf(word) > room);
  const lines = text.split("\n").flatMap((line) => (isTooLong(line) ? line : wrapped(line, room)));
  return indent(lines.join("\n"), margin).slice(lines[0] === "" ? 0 : margin.length);
}

/** NO_COLOR and FORCE_COLOR as everywhere; else only on a terminal that can. */
function wantsColor(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return Boolean(stream.isTTY) && TERM !== "dumb";
}

let outlivesReader = false;

/** A worker goes on when nobody reads what it says. */
export function outliveReader(): void {
  outlivesReader = true;
}

/** Takes a closed stdout or stderr (`dure search | head`) for the wish to end, quietly. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (outlivesReader) return;
      process.exit(error.code === "EPIPE" ? 0 : 1);
    });
  }
}

/** Resolves when all that was written has left the process. */
export async function flushOutput(): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map(flush));
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write("", () => resolve());
  });
}
