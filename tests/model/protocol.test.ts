/** Every interleaving of the protocol in protocol.ts, and that each of its rules is needed. */
import { expect, test } from "vitest";
import { initialState, next, type Rule, rules, type State, Violation } from "./protocol.ts";

interface Explored {
  states: number;
  /** What was broken, and the shortest way there. */
  broken?: { why: string; steps: string[] };
}

/** A state that was found: how, and from which other one. */
interface Found {
  name: string;
  from: number;
  isRunning: boolean;
  /** From where a step that is certain leads here. */
  certainFrom: number[];
}

/**
 * All states that can be reached, nearest first. Beside the rules it looks for states that are stuck: RUNNING, and no
 * steps that are certain to happen lead out of it, however many follow.
 */
function explore(without?: Rule): Explored {
  const numbers = new Map<string, number>();
  const found: Found[] = [];
  const queue: State[] = [];
  const numberOf = (state: State, name: string, from: number): number => {
    const key = keyOf(state);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, found.length);
    found.push({ name, from, isRunning: state.status === "RUNNING", certainFrom: [] });
    return queue.push(state) - 1;
  };
  numberOf(initialState(), "", -1);
  for (let number = 0; number < queue.length; number++) {
    try {
      for (const { name, state, certain } of next(queue[number]!, without)) {
        const to = numberOf(state, name, number);
        if (certain) found[to]!.certainFrom.push(number);
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      return { states: queue.length, broken: { why: error.message, steps: wayTo(number, found) } };
    }
  }
  const stuck = findStuck(found);
  return {
    states: queue.length,
    ...(stuck >= 0 && { broken: { why: "stuck", steps: wayTo(stuck, found) } }),
  };
}

function findStuck(found: Found[]): number {
  const free = found.map(({ isRunning }) => !isRunning);
  const waiting = found.flatMap(({ isRunning }, number) => (isRunning ? [] : [number]));
  for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
    for (const from of found[number]!.certainFrom) {
      if (free[from]) continue;
      free[from] = true;
      waiting.push(from);
    }
  }
  return free.indexOf(false);
}

/** States that differ only in the order of messages are one. */
function keyOf(state: State): string {
  const messages = state.messages.map((message) => Object.values(message).join()).sort();
  return JSON.stringify([{ ...state, messages }]);
}

function wayTo(number: number, found: Found[]): string[] {
  const { name, from } = found[number]!;
  return from < 0 ? [] : [...wayTo(from, found), name];
}

test("whatever is lost, late, repeated or dead, no rule is broken and no task stays RUNNING for ever", () => {
  const { states, broken } = explore();
  expect(broken).toBeUndefined();
  expect(states).toBeGreaterThan(10_000);
}, 60_000);

test.each(rules)(
  "the protocol breaks without: %s",
  (rule) => {
    const { broken } = explore(rule);
    expect(broken, "a broken rule").toBeDefined();
  },
  60_000,
);
