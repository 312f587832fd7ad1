/** Pause and resume: the tasks of a type or of a queue wait, whoever could run them, until somebody lets them go on. */
import { byOf, byRule } from "./audit.ts";
import { DureError } from "./errors.ts";
import type { Instance } from "./instance.ts";
import { checkDefinitionId, checkQueue, didYouMean } from "./names.ts";
import { checkOptions, type OptionRule, problemOf, stringUpTo } from "./options.ts";
import type { AskedBy } from "./port/store-audit.ts";
import { pausesMax } from "./port/store-pauses.ts";
import type { PauseName, StoredPause } from "./store.ts";
import type { Task } from "./task.ts";
import { committed } from "./written.ts";

/** What to pause or resume: a type, or a queue. */
export type PauseTarget = { type: string; queue?: undefined } | { type?: undefined; queue: string };

export interface PauseOptions {
  /** For people; at most 1,000 characters. Left out, a reason that was given before stays. */
  reason?: string;
  /** Who asks for it, for the audit log: a name, or more than that. */
  by?: string | AskedBy;
}

/** A type or a queue whose tasks wait. */
export type Pause = PauseTarget & { pausedAt: Date; reason?: string };

const reasonMax = 1_000;

/**
 * From its answer on no worker of any process starts a task of it; what runs goes on. A repeated call changes the reason
 * at most.
 * @throws DureError INVALID_OPTION, INVALID_ID, TASK_NOT_DEFINED for a type that no process has defined
 */
export async function pauseIn(
  instance: Instance,
  target: PauseTarget,
  options: PauseOptions = {},
): Promise<Pause> {
  const name = checkTarget("pause", target);
  checkOptions("pause(target, options)", options, { reason: reasonRule, by: byRule });
  const { reason } = options;
  const by = byOf(instance, options.by);
  if (name.kind === "type") await checkType(instance, name.name);
  const store = await instance.store();
  const answer = await store.pause({ ...name, ...(reason !== undefined && { reason }) }, by);
  if (answer.kind === "rejected") {
    throw new DureError(
      "INVALID_OPTION",
      `${pausesMax} types and queues are paused already, which is the most. Resume one first, or stop the workers.`,
    );
  }
  return toPause(committed(answer, store));
}

/**
 * Lets the tasks of a type or a queue start again, at once.
 * @returns whether it was paused
 * @throws DureError INVALID_OPTION, INVALID_ID
 */
export async function resumeIn(
  instance: Instance,
  target: PauseTarget,
  options: Pick<PauseOptions, "by"> = {},
): Promise<boolean> {
  const name = checkTarget("resume", target);
  checkOptions("resume(target, options)", options, { by: byRule });
  const by = byOf(instance, options.by);
  const store = await instance.store();
  return committed(await store.resume(name, by), store);
}

/** Types first, then queues, each by name. */
export async function listPausesIn(instance: Instance): Promise<Pause[]> {
  return (await (await instance.store()).listPauses()).map(toPause);
}

/** Of some pauses, those that a task waits for. */
export function pausesOf(pauses: readonly StoredPause[], { type, queue = "default" }: Task): StoredPause[] {
  return pauses.filter(({ kind, name }) => name === (kind === "type" ? type : queue));
}

/** `Type "send-receipt" is paused since 2026-11-08T09:30:00.000Z (the mail server is down).` */
export function describePause({ kind, name, pausedAt, reason }: StoredPause): string {
  const what = kind === "type" ? "Type" : "Queue";
  const why = reason === undefined ? "" : ` (${reason})`;
  return `${what} "${name}" is paused since ${pausedAt.toISOString()}${why}.`;
}

function toPause({ kind, name, ...pause }: StoredPause): Pause {
  return kind === "type" ? { type: name, ...pause } : { queue: name, ...pause };
}

function checkTarget(verb: "pause" | "resume", target: PauseTarget): PauseName {
  checkOptions(`${verb}(target)`, target, { type: typeRule, queue: queueRule });
  const { type, queue } = target ?? {};
  if ((type === undefined) === (queue === undefined)) {
    throw new DureError(
      "INVALID_OPTION",
      `${verb}(target) ${type === undefined ? "has neither a type nor a queue" : "has both a type and a queue"}; ` +
        `give one of them, as { type: "send-receipt" }.`,
    );
  }
  return type === undefined ? { kind: "queue", name: queue! } : { kind: "type", name: type };
}

const typeRule: OptionRule = (value) => problemOf(() => checkDefinitionId(value));
const queueRule: OptionRule = (value) => problemOf(() => checkQueue(value));

/** One line, since it is told within sentences. */
function reasonRule(value: unknown, name: string): string | undefined {
  const problem = stringUpTo(reasonMax)(value, name);
  if (problem !== undefined) return problem;
  const text = value as string;
  if (text === "") return `${name} is empty; leave it out, or say why.`;
  if (text.isWellFormed() && !/\p{Cc}/u.test(text)) return undefined;
  return `${name} holds a control character or half of a surrogate pair; give one line of text.`;
}

/** Who types a name wrong when everything burns would believe that it had stopped. */
async function checkType(instance: Instance, type: string): Promise<void> {
  const { registry } = instance;
  if (registry.ids().includes(type)) return;
  const stored = (await (await instance.store()).listDefinitions()).map(({ id }) => id);
  if (stored.includes(type)) return;
  throw new DureError(
    "TASK_NOT_DEFINED",
    `No task "${type}" is defined, so it cannot be paused.${didYouMean(type, [...registry.ids(), ...stored])} See what there is: dure definitions.`,
    { details: { id: type } },
  );
}
