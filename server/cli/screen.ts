/** The terminal as a picture that is drawn again in place: the alternate screen, without a cursor, and its keys. */
import { emitKeypressEvents, type Key } from "node:readline";

const enter = "\u001b[?1049h\u001b[?25l";
const leave = "\u001b[?25h\u001b[?1049l";
const clearLine = "\u001b[K";

export interface ScreenEvents {
  /** Named as readline names them: `j`, `up`, `return`; `ctrl-c`. */
  onKey(name: string): void;
  onResize(): void;
}

/** Whatever ends the process, `close` runs first: it also listens to the process's exit. */
export class Screen {
  readonly #input = process.stdin;
  readonly #output = process.stdout;
  readonly #events: ScreenEvents;
  #drawn: readonly string[] = [];
  #open = true;

  constructor(events: ScreenEvents) {
    this.#events = events;
    this.#output.write(enter);
    this.#output.on("resize", this.#onResize);
    process.on("exit", this.close);
    if (!this.#input.isTTY) return;
    emitKeypressEvents(this.#input);
    this.#input.setRawMode(true);
    this.#input.on("keypress", this.#onKey).resume();
  }

  get columns(): number {
    return this.#output.columns || 80;
  }

  get rows(): number {
    return this.#output.rows || 24;
  }

  /** Writes the lines that differ from what is there, and nothing when none does. Each must fit the terminal. */
  draw(lines: readonly string[]): void {
    if (!this.#open) return;
    const shown = lines.slice(0, this.rows);
    const length = Math.max(shown.length, this.#drawn.length);
    const changes = Array.from({ length }, (_, index) => {
      const line = shown[index] ?? "";
      return line === (this.#drawn[index] ?? "") ? "" : `\u001b[${index + 1};1H${line}${clearLine}`;
    }).join("");
    this.#drawn = shown;
    if (changes !== "") this.#output.write(changes);
  }

  /** Gives the terminal back as it was. A repeated call does nothing. */
  readonly close = (): void => {
    if (!this.#open) return;
    this.#open = false;
    process.off("exit", this.close);
    this.#output.off("resize", this.#onResize);
    if (this.#input.isTTY) {
      this.#input.off("keypress", this.#onKey).pause();
      this.#input.setRawMode(false);
    }
    this.#output.write(leave);
  };

  readonly #onKey = (_text: string | undefined, key: Key): void => {
    this.#events.onKey(key.ctrl ? `ctrl-${key.name}` : (key.name ?? key.sequence ?? ""));
  };

  /** What a terminal keeps of the old picture is anybody's guess. */
  readonly #onResize = (): void => {
    this.#drawn = [];
    this.#output.write("\u001b[2J");
    this.#events.onResize();
  };
}
