/**
 * The audit log: who asked for which change of a task, a search, a type or a queue, when, and from where. The store keeps
 * each record in the transaction of the change, so that neither is there without the other. What workers do by
 * themselves, and what a program enqueues, is no change that somebody asked for.
 */
import { openText, sealText } from "./cursor.ts";
import { DureError } from "./errors.ts";
import type { Instance } from "./instance.ts";
import {
  checkOptions,
  dateRule,
  integerBetween,
  listOf,
  type OptionRule,
  oneOf,
  problemOf,
  stringUpTo,
} from "./options.ts";
import {
  type AskedBy,
  type AuditAction,
  type AuditedChange,
  type AuditKind,
  type AuditPlace,
  type AuditRecord,
  auditActions,
  auditRecord,
  type By,
  type Via,
  vias,
} from "./port/store-audit.ts";
import { isPlainPrototype, showValue } from "./values/show.ts";
import { committed } from "./written.ts";

export interface AuditOptions {
  /** Only these actions. Default: all. */
  actions?: readonly AuditAction[];
  /** Only what this one asked for, by the whole name. */
  who?: string;
  /** Only from there. */
  via?: Via;
  /** Only what was done to this: the id of a task, the name of a type, queue or saved search. */
  target?: string;
  /** Not before this instant. */
  start?: Date;
  /** Before this instant. */
  end?: Date;
  /** 1 to 1,000. Default 50. */
  limit?: number;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** Newest first. */
export interface AuditPage {
  records: AuditRecord[];
  /** Absent on the last page. */
  nextCursor?: string;
  /**
   * False when so many records were looked at for the ones that fit that the page ended before it was full; `nextCursor`
   * goes on from there.
   */
  complete: boolean;
  /** When it is not complete: everything on this side of it was looked at. */
  searchedBackTo?: Date;
}

const textMax = 1_000;
const limitMax = 1_000;
const cursorMax = 400;
const stateDepthMax = 10;
/** What a page may look at of the log: some 20 ms. */
const looksMax = 20_000;

/** For options: a name, or an object of texts. */
export const byRule: OptionRule = (value, name) => {
  if (typeof value === "string") return undefined;
  const text = stringUpTo(10_000);
  const rules = {
    ...{ who: text, address: text, requestId: text },
    ...{ via: oneOf(...vias), action: oneOf(...auditActions), after: stateRule },
  };
  return problemOf(() => checkOptions(name, value, rules));
};

/** It goes to the store's thread, and is kept as JSON. */
const stateRule: OptionRule = (value, name) =>
  value !== null && typeof value === "object" && !Array.isArray(value)
    ? problemOfJson(value, name)
    : `${name} is ${showValue(value)}; it must be a plain object.`;

/** Says where the first thing stands that JSON would lose or change; undefined members are left out. */
function problemOfJson(value: unknown, name: string, depth = 0): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number" && Number.isFinite(value)) return undefined;
  if (depth > stateDepthMax) return `${name} is more than ${stateDepthMax} levels deep, or contains itself.`;
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const problem = problemOfJson(item, `${name}[${index}]`, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if (typeof value !== "object" || !isPlainPrototype(Object.getPrototypeOf(value))) {
    return `${name} is ${showValue(value)}; it must be a string, finite number, boolean, null, or a plain object or array of these.`;
  }
  for (const [key, item] of Object.entries(value)) {
    const problem = item === undefined ? undefined : problemOfJson(item, `${name}.${key}`, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A change that code makes without saying more is code's. */
export function callerOf(given: string | AskedBy | undefined): Omit<By, "id"> {
  return { via: "code", ...(typeof given === "string" ? { who: given } : given) };
}

/** The same with an id for its record. */
export function byOf(instance: Instance, given: string | AskedBy | undefined): By {
  return { ...callerOf(given), id: instance.ids.taskId() };
}

/** Keeps a record of what is no change of one row: the beginning and end of an action, a session. */
export async function recordIn(instance: Instance, by: By, change: AuditedChange): Promise<void> {
  const store = await instance.store();
  committed(await store.writeAudit([auditRecord(by, change, instance.clock.now())]), store);
}

/**
 * @param exceptKind what the caller is not told of
 * @throws DureError INVALID_OPTION, INVALID_CURSOR
 */
export async function readAuditIn(
  instance: Instance,
  options: AuditOptions = {},
  exceptKind?: AuditKind,
): Promise<AuditPage> {
  checkOptions("readAudit", options, rules);
  const { actions, who, via, target, start, end, cursor, limit = 50 } = options;
  const store = await instance.store();
  const { records, cameTo } = await store.readAudit({
    ...(actions && { actions }),
    ...(who !== undefined && { who }),
    ...(via && { via }),
    ...(target !== undefined && { target }),
    ...(exceptKind && { exceptKind }),
    ...(start && { start: start.getTime() }),
    ...(end && { end: end.getTime() }),
    ...(cursor !== undefined && { after: placeOf(cursor) }),
    ...{ limit: limit + 1, looksMax },
  });
  if (cameTo)
    return { records, nextCursor: cursorAt(cameTo), complete: false, searchedBackTo: new Date(cameTo.at) };
  if (records.length <= limit) return { records, complete: true };
  const page = records.slice(0, limit);
  const { at, id } = page.at(-1)!;
  return { records: page, nextCursor: cursorAt({ at: at.getTime(), id }), complete: true };
}

const rules: Record<string, OptionRule> = {
  actions: listOf(oneOf(...auditActions), auditActions.length),
  who: stringUpTo(textMax),
  via: oneOf(...vias),
  target: stringUpTo(textMax),
  start: dateRule,
  end: dateRule,
  limit: integerBetween(1, limitMax),
  cursor: stringUpTo(cursorMax),
};

function cursorAt({ at, id }: AuditPlace): string {
  return sealText(JSON.stringify(["audit", at, id]));
}

function placeOf(cursor: string): AuditPlace {
  const body = openText(cursor, cursorMax);
  const [what, at, id] = body === undefined ? [] : partsOf(body);
  if (what === "audit" && Number.isSafeInteger(at) && typeof id === "string") return { at: at as number, id };
  throw new DureError(
    "INVALID_CURSOR",
    `${showValue(cursor)} is no cursor of the audit log, or a damaged one. Pass it on exactly as readAudit returned it.`,
    { details: { cursor: showValue(cursor) } },
  );
}

function partsOf(body: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(body);
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}
