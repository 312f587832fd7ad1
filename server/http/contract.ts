/**
 * The shapes that the API answers with, as schemas: the description of the API is made from them, the types of the client
 * and of the dashboard follow from them, and a test holds real answers to them. The one file of the server that the
 * dashboard knows, by its types. Instants are ISO strings, absent values are left out, unknown keys are to be ignored.
 */
import { z } from "zod";
import { auditActions, auditKinds, vias } from "../tasks/core/port/store-audit.ts";

/** An instant, as ISO text in UTC. */
const instant = z.string().meta({ format: "date-time" });
const count = z.int().min(0);
/** Of milliseconds, bytes and shares. */
const amount = z.number();

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** What is the user's own: payloads, results, fields of log lines. */
const json = z.custom<Json>();
const jsonObject = z.record(z.string(), z.custom<Json>());

export const status = z.enum(["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]);
export type Status = z.infer<typeof status>;

/** A viewer reads, an operator changes tasks, an admin deletes them too. */
export const role = z.enum(["viewer", "operator", "admin"]);
export type Role = "viewer" | "operator" | "admin";

export interface StoredError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  cause?: StoredError;
}
export const storedError: z.ZodType<StoredError> = z.object({
  name: z.string(),
  message: z.string(),
  stack: z.string().optional(),
  code: z.string().optional(),
  get cause() {
    return storedError.optional();
  },
});

export const task = z.object({
  id: z.string(),
  type: z.string(),
  status,
  createdAt: instant,
  updatedAt: instant,
  startedAt: instant.optional(),
  completedAt: instant.optional(),
  payload: json.optional(),
  result: json.optional(),
  error: z.string().optional(),
  maxAttempts: count,
  attempts: count,
  description: z.string().optional(),
  queue: z.string().optional(),
  priority: z.int().optional(),
  dueAt: instant.optional(),
  tags: z.array(z.string()).optional(),
  /** Of a task alone, and of lists that ask for them. */
  attributes: jsonObject.optional(),
  idempotencyKey: z.string().optional(),
  progress: z.object({ done: amount, total: amount.optional(), message: z.string().optional() }).optional(),
  workerId: z.string().optional(),
  cancelRequestedAt: instant.optional(),
  crashes: count.optional(),
  snoozes: count.optional(),
  version: count.optional(),
  isDefinition: z.boolean().optional(),
  unreadable: z.string().optional(),
});
export type TaskDocument = z.infer<typeof task>;

const logLine = z.object({
  at: instant,
  level: z.enum(["info", "warn", "error"]),
  message: z.string(),
  fields: jsonObject.optional(),
});
export type LogDocument = z.infer<typeof logLine>;

export const attempt = z.object({
  fence: count,
  number: count,
  workerId: z.string().optional(),
  startedAt: instant,
  endedAt: instant.optional(),
  outcome: z
    .enum(["completed", "failed", "timed-out", "cancelled", "snoozed", "released", "lost"])
    .optional(),
  error: storedError.optional(),
  lateOutcome: z.string().optional(),
  logs: z.array(logLine),
});
export type AttemptDocument = z.infer<typeof attempt>;

export const taskPage = z.object({
  tasks: z.array(task),
  nextCursor: z.string().optional(),
  previousCursor: z.string().optional(),
  /** With `updatedSince`: where the next page begins. */
  updatedCursor: z.string().optional(),
  /** False when the time for a search ran out before the page was full. */
  complete: z.boolean(),
  searchedBackTo: instant.optional(),
  /** So many tasks may be missing: their texts are not indexed yet. */
  unindexed: amount.optional(),
  /** So many tasks were judged without an attribute that waits to be filled in. */
  unfilled: amount.optional(),
  hint: z.string().optional(),
});
export type TaskPage = z.infer<typeof taskPage>;

export const taskDetail = z.object({ task, attempts: z.array(attempt) });
export type TaskDetail = z.infer<typeof taskDetail>;

/** Of a route that answers the task it changed or made. */
export const oneTask = z.object({ task });

/** Of `tasks/count`. */
export const taskCount = z.object({
  count: amount,
  /** False for an estimate. */
  exact: z.boolean(),
  /** The true count is within this of it. */
  errorMax: amount,
});

/** Of `tasks/explain`. */
export const searchExplanation = z.object({
  source: z.enum(["id", "order", "attributes", "texts", "slow", "walk"]),
  of: z.string().optional(),
  indexes: z.array(z.string()),
  candidates: amount,
  isAtLeast: z.literal(true).optional(),
  isSorted: z.boolean(),
  summary: z.string(),
  tested: z.array(z.string()),
  hints: z.array(z.string()),
});

/** Of `POST actions`: with `dryRun` how many it would be and the first of them, else the task that does it. */
export const actionAnswer = z.union([
  z.object({
    ...{ count: amount, sample: z.array(task), unfilled: amount.optional() },
    hint: z.string().optional(),
  }),
  oneTask,
]);
export type ActionAnswer = z.infer<typeof actionAnswer>;

export const definition = z.object({
  id: z.string(),
  description: z.string().optional(),
  maxAttempts: count,
  queue: z.string(),
  priority: z.int(),
  timeoutMs: amount.nullable(),
  tags: z.array(z.string()),
  rerunAfterCrash: z.boolean(),
  /** Names of the values that tasks are searched by. */
  attributes: z.array(z.string()).optional(),
  createdAt: instant,
  updatedAt: instant,
  /** JSON Schema of the payload, where the definition has one; the enqueue form is made from it. */
  payloadSchema: json.optional(),
});
export type DefinitionDocument = z.infer<typeof definition>;

export const worker = z.object({
  id: z.string(),
  state: z.enum(["alive", "dead", "stopped"]),
  host: z.string(),
  pid: z.int(),
  name: z.string().optional(),
  concurrency: count,
  types: z.array(z.string()),
  queues: z.array(z.string()).optional(),
  startedAt: instant,
  beatAt: instant,
  leaseMs: amount,
  /** How often it has renewed its leases. */
  renewals: count.optional(),
  running: count,
  /** How late its event loop was at most in the seconds before the last beat. */
  loopDelayMs: amount.optional(),
});
export type WorkerDocument = z.infer<typeof worker>;

/** Of `tasks/:id/explain`. */
export const taskExplanation = z.object({
  task,
  /** The most decisive first. */
  reasons: z.array(
    z.object({
      code: z.string(),
      message: z.string(),
      until: instant.optional(),
      ahead: amount.optional(),
      aheadErrorMax: amount.optional(),
    }),
  ),
  uncharged: z.array(attempt),
  attemptsLeft: count,
  nextAttemptAt: instant.optional(),
  workers: z.array(worker),
});

export const stats = z.object({
  byType: z.array(z.object({ type: z.string(), queue: z.string(), status, count })),
  workers: z.object({ alive: count, dead: count, stopped: count }),
  oldestDueMs: amount.optional(),
  textLag: amount.optional(),
  filling: z.array(z.object({ type: z.string(), tasks: amount })).optional(),
  sizeBytes: amount,
  writeAheadBytes: amount.optional(),
});
export type Stats = z.infer<typeof stats>;

/** One thing that `dure doctor` looked at. */
export const healthFinding = z.object({
  level: z.enum(["ok", "warning", "error"]),
  check: z.string(),
  message: z.string(),
  next: z.string().optional(),
});

/** In milliseconds; at most 6.25 % off, `max` exact. */
const percentiles = z.object({ p50: amount, p95: amount, p99: amount, max: amount });
export type Percentiles = z.infer<typeof percentiles>;

const groupKeys = {
  status: status.optional(),
  type: z.string().optional(),
  queue: z.string().optional(),
  minute: instant.optional(),
  hour: instant.optional(),
  day: instant.optional(),
  count: amount,
  waitMs: percentiles.optional(),
  runMs: percentiles.optional(),
};
/** One group of `GET summary`: the values of the keys asked for, and how many tasks have them. */
export type SummaryGroup = z.infer<z.ZodObject<typeof groupKeys>> & {
  [attribute: `attribute.${string}`]: string | number | boolean;
};
/** Beside its own keys it has those of attributes, `attribute.userId`. */
const summaryGroup = z
  .object(groupKeys)
  .catchall(z.union([z.string(), z.number(), z.boolean()])) as unknown as z.ZodType<SummaryGroup>;

export const summary = z.object({
  groups: z.array(summaryGroup),
  total: z.object({ count: amount, errorMax: amount }),
  complete: z.boolean(),
  /** Of so many of the newest tasks the groups are, where the budget did not allow to count all. */
  sampled: count.optional(),
  /** So many more values has the attribute that is asked for. */
  valuesLeftOut: count.optional(),
  /** About so many tasks were counted without an attribute that waits to be filled in. */
  unfilled: amount.optional(),
  /** Where there is no group: why there can be none. */
  hint: z.string().optional(),
});

/** What ended in one stretch of time. */
export const historyBucket = z.object({
  start: instant,
  type: z.string().optional(),
  completed: count,
  failed: count,
  cancelled: count,
  /** Attempts that failed and are followed by another. */
  retried: count,
  /** Tasks that ended per second. */
  throughput: amount,
  failureRate: amount,
  waitMs: percentiles.optional(),
  runMs: percentiles.optional(),
});
export type HistoryBucket = z.infer<typeof historyBucket>;

/** Failed tasks whose errors say the same once what varies is taken out. */
export const errorGroup = z.object({
  /** The search that finds them, by the longest part of the message that they share. */
  query: z.string(),
  fingerprint: z.string(),
  /** What the latest of them says. */
  message: z.string(),
  count,
  types: z.array(z.string()),
  firstAt: instant,
  lastAt: instant,
  exampleId: z.string(),
  /** How many of them failed in each step of the stretch of time that the answer names. */
  trend: z.array(count),
});
export type ErrorGroup = z.infer<typeof errorGroup>;

/** Of `GET errors`. */
export const errorsAnswer = z.object({
  errors: z.array(errorGroup),
  /** The stretch of time that the trends are of: equal steps, the last of which ends now. */
  trend: z.object({ from: instant, to: instant, steps: count }),
  /** Failures before it were not looked at, as there are too many; absent when all were. */
  lookedBackTo: instant.optional(),
});
export type ErrorsAnswer = z.infer<typeof errorsAnswer>;

const query = z.string();
/** What needs attention, with the search behind it. */
export const attention = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("no-workers"), count, query }),
  z.object({ kind: z.literal("no-worker"), type: z.string(), count, query }),
  /** `count` of the last day; `share` of what ended in it. */
  z.object({ kind: z.literal("failing"), type: z.string(), count, share: amount, query }),
  /** Tasks that have been running for more than a quarter of an hour. */
  z.object({ kind: z.literal("stuck"), count: amount, query }),
  /** So many more came than ended in the last hour, and they wait. */
  z.object({ kind: z.literal("backlog"), type: z.string(), count, query }),
  z.object({ kind: z.literal("oldest-due"), ms: amount, query }),
  z.object({ kind: z.literal("dead-workers"), count }),
  /** The count of a saved search is out of the bounds of its alert, which has gone off. */
  z.object({ kind: z.literal("alert"), name: z.string(), count, query }),
  /** The alert of a saved search cannot be looked at, or cannot enqueue its task. */
  z.object({ kind: z.literal("alert-fails"), name: z.string(), query }),
]);
export type Attention = z.infer<typeof attention>;

/** A task that an alert enqueues; the alert is added to its payload. */
const alertTask = z.object({ type: z.string(), payload: jsonObject.optional() });
export type AlertTask = z.infer<typeof alertTask>;

/** A query under a name; `@name` stands for it in every other. */
export const savedSearch = z.object({
  name: z.string(),
  query,
  description: z.string().optional(),
  alert: z
    .object({
      over: amount.optional(),
      under: amount.optional(),
      for: z.union([z.string(), z.number()]).optional(),
      enqueue: alertTask,
      recovered: alertTask.optional(),
    })
    .optional(),
  createdAt: instant,
  updatedAt: instant,
  /** What the latest look at the alert found. */
  alertState: z
    .object({
      checkedAt: instant,
      /** May be an estimate. */
      count: amount.optional(),
      /** Since when the count is out of bounds. */
      since: instant.optional(),
      /** When the alert's task was enqueued, while the count is out of bounds. */
      enqueuedAt: instant.optional(),
      /** When it last was, also where the count is back since. */
      lastEnqueuedAt: instant.optional(),
      /** Why the look came to nothing. */
      problem: z.string().optional(),
    })
    .optional(),
});
export type SavedSearchDocument = z.infer<typeof savedSearch>;

/** A type or a queue, one of them, whose tasks wait. */
export const pause = z.object({
  type: z.string().optional(),
  queue: z.string().optional(),
  pausedAt: instant,
  reason: z.string().optional(),
});
export type PauseDocument = z.infer<typeof pause>;

export const auditAction = z.enum(auditActions);
export type AuditAction = z.infer<typeof auditAction>;

/** A record of the audit log. */
export const auditRecord = z.object({
  id: z.string(),
  at: instant,
  action: auditAction,
  kind: z.enum(auditKinds),
  /** The id of a task, the name of a type, queue or saved search, a query. */
  target: z.string(),
  /** Of a task. */
  type: z.string().optional(),
  who: z.string().optional(),
  via: z.enum(vias),
  address: z.string().optional(),
  requestId: z.string().optional(),
  before: jsonObject.optional(),
  after: jsonObject.optional(),
});
export type AuditDocument = z.infer<typeof auditRecord>;

export const auditPage = z.object({
  records: z.array(auditRecord),
  nextCursor: z.string().optional(),
  /** False when the page ended before it was full; the cursor goes on. */
  complete: z.boolean(),
  searchedBackTo: instant.optional(),
});
export type AuditPage = z.infer<typeof auditPage>;

/** What to put in the place of `from` to `to`, counted in UTF-16 units from 0. */
export const completion = z.object({
  from: count,
  to: count,
  items: z.array(z.object({ text: z.string(), detail: z.string().optional() })),
});
export type Completion = z.infer<typeof completion>;

/** Of `GET session`: who is asking. */
export const session = z.object({
  role,
  /** Whether payloads, results, attributes, errors and logs are shown to them. */
  seesPayloads: z.boolean(),
  /** Whether they came by a session, which they can end. */
  canLogOut: z.boolean(),
});
export type Session = z.infer<typeof session>;

/** What an event of `tasks/watch` carries. */
export const taskChange = z.object({
  change: z.enum(["entered", "changed", "left"]),
  task,
  isDeleted: z.literal(true).optional(),
});
