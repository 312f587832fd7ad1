/**
 * Many dashboards ask the same at about the same time: an answer that was begun a moment ago is given to all of them, so
 * that the store is read once, however many look. Only for what is counted and summed up; tasks are always read.
 */
import type { Dure } from "../dure.ts";

const answersMax = 100;

interface Kept {
  answer: Promise<unknown>;
  until: number;
}

const answers = new WeakMap<Dure, Map<string, Kept>>();

/** Asks unless an answer under `key` was begun less than `keptMs` ago. One that fails is not kept. */
export function sharedAnswer<Answer>(
  dure: Dure,
  key: string,
  keptMs: number,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const known = answers.get(dure) ?? new Map<string, Kept>();
  answers.set(dure, known);
  const found = known.get(key);
  const now = performance.now();
  if (found && now < found.until) return found.answer as Promise<Answer>;
  if (known.size >= answersMax) known.clear();
  const answer = ask();
  known.set(key, { answer, until: now + keptMs });
  answer.catch(() => known.delete(key));
  return answer;
}

/** After a change that came by this API: whoever asks next is told what it has become. */
export function forgetAnswers(dure: Dure): void {
  answers.delete(dure);
}
