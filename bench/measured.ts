/** The figures of all rounds, by question and subject; what is asked of them is always the median. */
import type { Figures } from "./support/figures.ts";
import { median } from "./support/numbers.ts";

export class Measured {
  readonly #rounds = new Map<string, Figures[]>();
  readonly #failures = new Map<string, string>();

  add(question: string, subject: string, figures: Figures): void {
    const key = `${question} ${subject}`;
    this.#rounds.set(key, [...(this.#rounds.get(key) ?? []), figures]);
  }

  fail(question: string, subject: string, reason: string): void {
    this.#failures.set(`${question} ${subject}`, reason);
  }

  failure(question: string, subject: string): string | undefined {
    return this.#failures.get(`${question} ${subject}`);
  }

  /** The median over the rounds; undefined when the subject was not asked or did not answer. */
  readonly figure = (question: string, subject: string, name: string): number | undefined => {
    const rounds = this.#rounds.get(`${question} ${subject}`) ?? [];
    const values = rounds.map((figures) => figures[name]).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  };

  /** Everything measured, by question and subject, round by round. */
  toJSON(): Record<string, unknown> {
    return { rounds: Object.fromEntries(this.#rounds), failures: Object.fromEntries(this.#failures) };
  }
}
