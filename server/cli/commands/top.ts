/** `dure top`: what happens now, drawn again every second. */
import type { Command } from "commander";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { Screen } from "../screen.ts";
import { firstStop } from "../signals.ts";
import { taskDocument } from "../task-view.ts";
import { plainLine } from "../text.ts";
import { TopReader, type TopReading } from "../top-reading.ts";
import { renderTop } from "../top-view.ts";

const everyMs = 1_000;
/** Of each list, where no terminal says how many fit. */
const listMax = 10;
const keysHelp = "q quits  ↑↓ or jk select  enter tells how to see the task";

/** Adds the command. */
export function addTop(program: Command): void {
  program
    .command("top")
    .summary("what happens now, drawn again every second")
    .description(
      "Shows counts, how many tasks end and fail per second over the last minute, workers, what runs, the newest " +
        "failures, the oldest tasks that are due, and the backlog by type. q ends it. Into a pipe it prints this once.",
    )
    .addHelpText(
      "after",
      `
Examples:
  dure top
  dure top --json | jq .perSecond`,
    )
    .action(withContext(top));
}

const top: Action<object> = async (context) => {
  const reader = new TopReader(context.open());
  const { output } = context;
  if (process.stdout.isTTY && !output.json) return new Top(context, reader).run();
  const reading = await reader.read(listMax);
  output.document(documentOf(reading));
  const picture = { output, reading, database: context.shownDatabase, rows: Number.POSITIVE_INFINITY };
  output.print(renderTop(picture).lines.join("\n"));
};

function documentOf({ running, failures, due, ...rest }: TopReading): Record<string, unknown> {
  return {
    ...rest,
    running: running.map(taskDocument),
    failures: failures.map(taskDocument),
    due: due.map(taskDocument),
  };
}

/** The live view, from the first picture to the last. */
class Top {
  readonly #context: Context;
  readonly #reader: TopReader;
  readonly #ended = Promise.withResolvers<void>();
  #screen: Screen | undefined;
  #reading: TopReading | undefined;
  /** The tasks on the screen. */
  #shown: readonly string[] = [];
  #selected: string | undefined;
  #footer = keysHelp;
  #problem: string | undefined;

  constructor(context: Context, reader: TopReader) {
    this.#context = context;
    this.#reader = reader;
  }

  /** The first reading comes before the screen, so that a database that is not there is told as everywhere. */
  async run(): Promise<void> {
    this.#reading = await this.#reader.read(Math.max(listMax, process.stdout.rows || 0));
    this.#screen = new Screen({ onKey: (name) => this.#onKey(name), onResize: () => this.#draw() });
    try {
      void firstStop(async () => this.#screen?.close()).then(() => this.#ended.resolve());
      this.#draw();
      await Promise.race([this.#ended.promise, this.#repeat()]);
    } finally {
      this.#screen.close();
    }
  }

  async #repeat(): Promise<void> {
    let over = false;
    void this.#ended.promise.then(() => {
      over = true;
    });
    while (!over) {
      await Promise.race([this.#ended.promise, new Promise((done) => setTimeout(done, everyMs))]);
      if (!over) await this.#read();
    }
  }

  /** A database that is away for a while is waited for; the last picture stays. */
  async #read(): Promise<void> {
    try {
      this.#reading = await this.#reader.read(Math.max(listMax, this.#screen!.rows));
      this.#problem = undefined;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    this.#draw();
  }

  #draw(): void {
    const { output, shownDatabase } = this.#context;
    const { colors } = output;
    const footer =
      this.#problem === undefined ? colors.dim(this.#footer) : colors.red(plainLine(this.#problem));
    const { lines, ids } = renderTop({
      output,
      reading: this.#reading!,
      database: shownDatabase,
      rows: this.#screen!.rows,
      footer,
      ...(this.#selected !== undefined && { selected: this.#selected }),
    });
    this.#shown = ids;
    this.#screen!.draw(lines);
  }

  #onKey(name: string): void {
    if (name === "q" || name === "ctrl-c") this.#ended.resolve();
    else if (name === "j" || name === "down") this.#move(1);
    else if (name === "k" || name === "up") this.#move(-1);
    else if (name === "return") this.#tell();
    else return;
    this.#draw();
  }

  #move(by: number): void {
    const from = this.#selected === undefined ? -1 : this.#shown.indexOf(this.#selected);
    const to = from < 0 ? 0 : Math.min(this.#shown.length - 1, Math.max(0, from + by));
    this.#selected = this.#shown[to];
    this.#footer = keysHelp;
  }

  #tell(): void {
    if (this.#selected !== undefined) this.#footer = `dure show ${plainLine(this.#selected)}`;
  }
}
