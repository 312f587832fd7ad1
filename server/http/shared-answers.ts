/**
 * Many dashboards ask the same at about the same time: an answer that was begun a moment ago is given to all of them, so
 * that the store is read once, and the answer written once, however many look.
 *
 * Two kinds. What is counted over many tasks is kept for seconds, for everybody. What a page shows is shared, as the bytes
 * that are sent, among those who say that they take an answer of a moment ago (`cache-control: max-age=1`), and forgotten at
 * each hint of a change: whoever asks because of a hint is told what has become.
 */
import type { Dure } from "../dure.ts";

const answersMax = 100;
/** No answer is older, whatever a caller would take. */
const ageMsMax = 1_000;

interface KeptAnswer {
  answer: Promise<unknown>;
  until: number;
}

type Answers = Map<string, KeptAnswer>;

const counted = new WeakMap<Dure, Answers>();
const shown = new WeakMap<Dure, Answers>();

/** Asks unless an answer under `key` was begun less than `keptMs` ago. One that fails is not kept. */
export function sharedAnswer<Answer>(
  dure: Dure,
  key: string,
  keptMs: number,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  return answerIn(answersOf(counted, dure), key, keptMs, ask);
}

/** As they are sent. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The bytes of an answer that those share who may see the same; `key` names both, what is asked and what may be seen. */
export function sharedBytes(
  dure: Dure,
  key: string,
  ageMs: number,
  ask: () => Promise<Bytes>,
): Promise<Bytes> {
  return answerIn(answersOf(shown, dure), key, ageMs, ask);
}

/** How old an answer the caller takes, in milliseconds; 0 for those who do not say. */
export function ageTakenBy(request: Request): number {
  const seconds = /\bmax-age=(\d{1,9})\b/i.exec(request.headers.get("cache-control") ?? "")?.[1];
  return Math.min(ageMsMax, Number(seconds ?? 0) * 1_000);
}

/** After a change that came by this API: whoever asks next is told what it has become. */
export function forgetAnswers(dure: Dure): void {
  counted.delete(dure);
  shown.delete(dure);
}

/** Before a hint that something changed. */
export function forgetShown(dure: Dure): void {
  shown.delete(dure);
}

function answersOf(kind: WeakMap<Dure, Answers>, dure: Dure): Answers {
  const known = kind.get(dure) ?? new Map<string, KeptAnswer>();
  kind.set(dure, known);
  return known;
}

function answerIn<Answer>(
  known: Answers,
  key: string,
  keptMs: number,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const found = known.get(key);
  if (found && performance.now() < found.until) return found.answer as Promise<Answer>;
  if (known.size >= answersMax) known.clear();
  const kept: KeptAnswer = { answer: ask(), until: performance.now() + keptMs };
  known.set(key, kept);
  const forget = () => {
    if (known.get(key) === kept) known.delete(key);
  };
  kept.answer.catch(forget);
  setTimeout(forget, keptMs).unref();
  return kept.answer as Promise<Answer>;
}
