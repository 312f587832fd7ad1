/**
 * The protocol of claim, settlement, cancel and burial (reliability rules T1 to T13), as small as it can be and still be
 * wrong: one task, two workers that may die, answers and requests that are lost, late or repeated. `next` gives every
 * state that may follow; a broken rule is a Violation. Each rule of `rules` can be taken away.
 */

export type Outcome = "completed" | "failed" | "released";
type Status = "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "CANCELLED";

export const rules = [
  "a claim takes only PENDING tasks",
  "a claim is for alive workers",
  "a claim has a fence of its own",
  "a retry keeps the fence",
  "a settlement needs the latest fence",
  "a settlement needs a RUNNING task",
  "a stale settlement is answered by its attempt's record",
  "a failure after a cancel request is CANCELLED",
  "a lost attempt after a cancel request is CANCELLED",
  "a release is not charged",
  "a lost attempt is not charged",
  "a burial takes the tasks back",
  "crashes have a budget",
  "attempts have a budget",
  "a success is final",
  "dead workers are buried",
  "a beat gives back what the worker does not know",
] as const;
export type Rule = (typeof rules)[number];

export class Violation extends Error {}

/** Two are enough for each rule to be missed; three take a hundred times as long. */
const claimsMax = 2;
const attemptsMax = 2;
const crashBudget = 2;

interface Worker {
  /** In the store's eyes; its process may be gone all the same, and the other way round. */
  alive: boolean;
  up: boolean;
  /** The observer has looked, and no beat has come since. */
  quiet: boolean;
  /** The claim it works on, by its true number; 0 for none. */
  holds: number;
  fence: number;
}

/** A settlement under way: it may arrive never, late, or again and again. */
interface Message {
  worker: number;
  fence: number;
  outcome: Outcome;
  /** The true number of the claim, which no store knows; to judge by. */
  claim: number;
}

export interface State {
  status: Status;
  fence: number;
  attempts: number;
  crashes: number;
  owner: number;
  cancelRequested: boolean;
  /** The attempts' records, by fence. */
  records: Record<number, { worker: number; outcome: string }>;
  workers: Worker[];
  messages: Message[];
  /** What truly happened, to judge by: claims so far, how each ended, and whether a cancel was answered since the last retry. */
  claims: number;
  truth: string[];
  cancelled: boolean;
  retried: boolean;
}

export function initialState(): State {
  const worker: Worker = { alive: true, up: true, quiet: false, holds: 0, fence: 0 };
  return {
    status: "PENDING",
    fence: 0,
    attempts: 0,
    crashes: 0,
    owner: -1,
    cancelRequested: false,
    records: {},
    workers: [{ ...worker }, { ...worker }],
    messages: [],
    claims: 0,
    truth: [],
    cancelled: false,
    retried: false,
  };
}

export interface Step {
  name: string;
  state: State;
  /** Whether it happens sooner or later when nothing goes wrong any more. */
  certain: boolean;
}

/** Every step from a state. @throws Violation */
export function next(state: State, without?: Rule): Step[] {
  const steps: Step[] = [];
  const holds = (rule: Rule) => rule !== without;
  const add = (name: string, change: (copy: State) => unknown, certain = false) => {
    const copy = copyOf(state);
    try {
      if (change(copy) === false) return;
      check(state, copy, name);
    } catch (error) {
      throw error instanceof Violation ? new Violation(`${name}: ${error.message}`) : error;
    }
    steps.push({ name, state: copy, certain });
  };
  state.workers.forEach((worker, index) => {
    if (worker.up && worker.holds === 0) {
      add(`${index} claims`, (copy) => claim(copy, index, true, holds));
      add(`${index} claims, and the answer is lost`, (copy) => claim(copy, index, false, holds));
    }
    if (worker.up && worker.holds > 0) {
      for (const outcome of ["completed", "failed", "released"] as const) {
        if (!state.messages.some((sent) => sent.claim === worker.holds)) {
          add(
            `${index} sends ${outcome}`,
            (copy) => send(copy, index, worker.fence, outcome, worker.holds),
            true,
          );
        }
      }
    }
    if (worker.up) {
      add(`${index} beats`, (copy) => beat(copy, index, holds), true);
      // Either may be the one that dies: the two are alike.
      if (index === 0) add("0 dies", (copy) => Object.assign(copy.workers[0]!, { up: false, holds: 0 }));
    }
    if (worker.alive && !worker.quiet)
      add(`${index} is looked at`, (copy) => Object.assign(copy.workers[index]!, { quiet: true }), true);
    if (worker.alive && worker.quiet && holds("dead workers are buried")) {
      add(`${index} is buried`, (copy) => bury(copy, index, holds), !worker.up);
    }
  });
  for (const message of state.messages) {
    add(
      `${message.outcome} of ${message.worker} arrives`,
      (copy) => settle(copy, message, true, holds),
      true,
    );
    add(`${message.outcome} of ${message.worker} arrives, and the answer is lost`, (copy) =>
      settle(copy, message, false, holds),
    );
  }
  if (!state.cancelled) add("somebody cancels", cancel);
  if (!state.retried) add("somebody retries", (copy) => retry(copy, holds));
  return steps;
}

function copyOf(state: State): State {
  return {
    ...state,
    records: { ...state.records },
    workers: state.workers.map((worker) => ({ ...worker })),
    messages: [...state.messages],
    truth: [...state.truth],
  };
}

type Holds = (rule: Rule) => boolean;

function claim(state: State, index: number, answered: boolean, holds: Holds): boolean {
  const worker = state.workers[index]!;
  if (state.claims === claimsMax) return false;
  if (state.status !== "PENDING" && (state.status !== "RUNNING" || holds("a claim takes only PENDING tasks")))
    return false;
  if (!worker.alive && holds("a claim is for alive workers")) return false;
  if (state.cancelled) throw new Violation("A task starts after its cancel was answered.");
  state.status = "RUNNING";
  state.attempts += 1;
  state.fence = holds("a claim has a fence of its own") ? state.fence + 1 : state.attempts;
  state.owner = index;
  state.claims += 1;
  state.truth.push("");
  if (answered) Object.assign(worker, { holds: state.claims, fence: state.fence });
  return true;
}

function send(state: State, worker: number, fence: number, outcome: Outcome, claim: number): void {
  if (state.messages.some((sent) => sent.claim === claim && sent.outcome === outcome)) return;
  state.messages.push({ worker, fence, outcome, claim });
}

function beat(state: State, index: number, holds: Holds): void {
  const worker = state.workers[index]!;
  if (!worker.alive) {
    worker.holds = 0;
    return;
  }
  worker.quiet = false;
  const owns = state.status === "RUNNING" && state.owner === index;
  if (worker.holds > 0 && !(owns && state.fence === worker.fence)) worker.holds = 0;
  if (!owns || worker.holds > 0 || !holds("a beat gives back what the worker does not know")) return;
  send(state, index, state.fence, "released", state.claims);
}

/** What the store answers, and what is true. */
function settle(state: State, message: Message, answered: boolean, holds: Holds): void {
  const settled = acceptedOrKnown(state, message, holds);
  if (!answered) return;
  const truth = state.truth[message.claim - 1];
  const isTrue = truth === message.outcome || (truth === "cancelled" && message.outcome !== "completed");
  if (settled !== isTrue) {
    throw new Violation(
      `${message.outcome} of claim ${message.claim} is answered ${settled ? "settled" : "lost"}; it was ${truth}.`,
    );
  }
  const worker = state.workers[message.worker]!;
  if (worker.holds === message.claim) worker.holds = 0;
  state.messages = state.messages.filter(
    (sent) => sent.claim !== message.claim || sent.outcome !== message.outcome,
  );
}

function acceptedOrKnown(state: State, message: Message, holds: Holds): boolean {
  const isLatest = state.fence === message.fence || !holds("a settlement needs the latest fence");
  const isRunning = state.status === "RUNNING" || !holds("a settlement needs a RUNNING task");
  // No rule of its own here: a burial has already taken what the worker had.
  const isAlive = state.workers[message.worker]!.alive;
  if (isLatest && isRunning && isAlive && state.owner === message.worker) {
    if (message.claim !== state.claims)
      throw new Violation(`Claim ${message.claim} settles what claim ${state.claims} runs.`);
    accept(state, message.outcome, holds);
    return true;
  }
  if (!holds("a stale settlement is answered by its attempt's record")) {
    return (
      { completed: "COMPLETED", failed: "FAILED", released: "PENDING" }[message.outcome] === state.status
    );
  }
  const record = state.records[message.fence];
  if (!record || record.worker !== message.worker) return false;
  return (
    record.outcome === message.outcome || (record.outcome === "cancelled" && message.outcome !== "completed")
  );
}

function accept(state: State, outcome: Outcome, holds: Holds): void {
  const isCancelled = state.cancelRequested && holds("a failure after a cancel request is CANCELLED");
  const again = state.attempts < attemptsMax || !holds("attempts have a budget");
  if (outcome === "completed") end(state, "COMPLETED", outcome);
  else if (isCancelled) end(state, "CANCELLED", "cancelled");
  else if (outcome === "failed") end(state, again ? "PENDING" : "FAILED", outcome);
  else {
    if (holds("a release is not charged")) state.attempts -= 1;
    end(state, "PENDING", outcome);
  }
}

function bury(state: State, index: number, holds: Holds): void {
  state.workers[index]!.alive = false;
  if (state.status !== "RUNNING" || state.owner !== index || !holds("a burial takes the tasks back")) return;
  const isCancelled = state.cancelRequested && holds("a lost attempt after a cancel request is CANCELLED");
  if (holds("a lost attempt is not charged")) state.attempts -= 1;
  state.crashes += 1;
  const again = state.crashes < crashBudget || !holds("crashes have a budget");
  end(state, isCancelled ? "CANCELLED" : again ? "PENDING" : "FAILED", "lost");
}

/** Ends the running attempt; the task's row keeps who had it last. */
function end(state: State, status: Status, outcome: string): void {
  state.records[state.fence] = { worker: state.owner, outcome };
  const truth = state.truth[state.claims - 1];
  if (truth !== "")
    throw new Violation(`Claim ${state.claims} ends a second time: ${outcome} after ${truth}.`);
  state.truth[state.claims - 1] = outcome;
  state.status = status;
  if (status !== "PENDING") state.cancelRequested = false;
}

function cancel(state: State): boolean {
  if (state.status === "RUNNING") state.cancelRequested = true;
  else if (state.status === "PENDING") state.status = "CANCELLED";
  else return false;
  state.cancelled = true;
  return true;
}

function retry(state: State, holds: Holds): boolean {
  const ended = ["FAILED", "CANCELLED", ...(holds("a success is final") ? [] : ["COMPLETED"])];
  if (!ended.includes(state.status)) return false;
  Object.assign(state, { status: "PENDING", attempts: 0, crashes: 0, retried: true, cancelled: false });
  if (!holds("a retry keeps the fence")) state.fence = 0;
  return true;
}

/** What must hold of every state, and between one and the next. */
function check(before: State, after: State, step: string): void {
  const refuse = (why: string): never => {
    throw new Violation(why);
  };
  if (before.status === "COMPLETED" && after.status !== "COMPLETED") refuse("A completed task goes on.");
  const restarted = after.status === "PENDING" && step === "somebody retries";
  if (["FAILED", "CANCELLED"].includes(before.status) && after.status !== before.status && !restarted)
    refuse("An ended task goes on.");
  if (after.claims > before.claims && before.status !== "PENDING") refuse("A task that runs is claimed.");
  if (after.claims > before.claims && after.fence <= before.fence)
    refuse("A claim's fence is not greater than the one before.");
  if (after.attempts < 0 || after.attempts > attemptsMax) refuse(`${after.attempts} attempts are charged.`);
  if (after.status === "PENDING" && after.attempts === attemptsMax)
    refuse("It waits though its attempts are used up.");
  if (after.status === "PENDING" && after.crashes === crashBudget)
    refuse("It waits though its crash budget is spent.");
  if (after.status === "RUNNING" && !after.workers[after.owner]!.alive)
    refuse("A task runs under a worker that is dead.");
  const [one, other] = after.workers;
  if (one!.holds > 0 && one!.holds === other!.holds) refuse("Two workers hold one claim.");
}
