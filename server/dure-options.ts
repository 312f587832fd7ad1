/** The options of createDure: what they are, their checks, their defaults. */
import type { Duration } from "./tasks/core/duration.ts";
import { parseDuration } from "./tasks/core/duration.ts";
import { DureError } from "./tasks/core/errors.ts";
import { checkApp, checkDefinitionId, checkQueue } from "./tasks/core/names.ts";
import type { OptionRule } from "./tasks/core/options.ts";
import {
  booleanRule,
  checkOptions,
  durationRule,
  functionRule,
  integerBetween,
  listOf,
  oneOf,
  problemOf,
  stringUpTo,
} from "./tasks/core/options.ts";
import type { OriginLimits } from "./tasks/core/origin.ts";
import type { TaskStore } from "./tasks/core/store.ts";
import { valueBytesMax } from "./tasks/core/values/value.ts";
import type { Logger } from "./tasks/runtime/logger.ts";
import { safeLogger, stderrLogger } from "./tasks/runtime/logger.ts";
import type { EndedStatus, KeptRule, KeptRules, Retention } from "./tasks/runtime/retention.ts";

/** Settings of the worker inside this process. */
export interface WorkerOptions {
  /** Tasks run at once: 1 to 10,000. Default 10. */
  concurrency?: number;
  /** Only these queues. Default: all. */
  queues?: readonly string[];
  /** How long `stop()` lets running tasks go on in all, the last part of it with their signals aborted. Default '30s'. */
  stopGrace?: Duration;
  /** How long a worker may be silent before its tasks are given to others, where the store cannot tell at once that it died. Default '15s'. */
  lease?: Duration;
  /** How many tasks one attempt's handler may enqueue: 1 to 10,000,000. Default 10,000. */
  childrenMax?: number;
  /**
   * How many tasks may follow each other when handlers enqueue the next one at once: 1 to 1,000,000. One that is due a minute
   * later or more begins anew. Default 100.
   */
  depthMax?: number;
  /** Shown in lists of workers. Default: host name and process id. */
  name?: string;
  /**
   * Ends the process by SIGKILL when its main thread has been blocked for so long: 1 s to 24 h. Only where something starts it
   * again, and not under a debugger. Default: never.
   */
  exitAfterBlock?: Duration;
  /** Called once when too many handlers go on after their attempts were ended; the worker claims no more. Restart it. */
  onUnhealthy?: (reason: string) => void;
}

/** How long tasks are kept after their end, or by age, count and size; `false` keeps them for ever. */
export type Kept = Duration | false | KeptByCount;

/** A task is deleted as soon as one of them says so. */
export interface KeptByCount {
  /** Default: for ever. */
  age?: Duration | false;
  /** How many of each type, those that ended last: 0 to 1,000,000,000. Default: all. */
  count?: number;
  /** About how many bytes those of each type may take with their attempts, those that ended last. Default: any. */
  sizeBytes?: number;
}

/** Which finished tasks are kept, per status. Default 30 days each. */
export interface RetentionOptions {
  completed?: Kept;
  failed?: Kept;
  cancelled?: Kept;
  /** The same for some types alone, by id, or by how it begins: 'report-*'. The id goes first, then the first that fits. At most 1,000. */
  types?: Readonly<Record<string, { completed?: Kept; failed?: Kept; cancelled?: Kept }>>;
  /** The days of the history (`readHistory`), which stays when tasks are deleted. Default 400 days. */
  history?: Duration | false;
  /** The audit log (`readAudit`), of which nothing younger can be deleted. Default 365 days. */
  audit?: Duration | false;
  /** A folder: what retention deletes is first written there, as compressed NDJSON. */
  archiveTo?: string;
}

export interface DureOptions {
  /** A file, ':memory:', or 'postgres://user:password@host:5432/database'. Default: DURE_DATABASE, else '.dure/tasks.db'. */
  database?: string;
  /**
   * The name of the program's app: 1 to 128 letters and digits of any script, and . _ : / -. The first that names one makes the
   * database its own; a program of another app is then refused. Default: DURE_APP, else none, which asks for nothing.
   */
  app?: string;
  /** 'full' (default): an acknowledged task survives a power cut. 'normal': it survives a crash of the process; a power cut may lose the last moments, never corrupt. Of SQLite; PostgreSQL has synchronous_commit. */
  durability?: "full" | "normal";
  worker?: WorkerOptions;
  retention?: RetentionOptions | false;
  /** Whether workers index the texts of tasks, so that words in payloads, results, errors and logs are found fast. Default true. */
  fullText?: boolean;
  /** Limits of one payload or result in bytes. Default 1 MiB. */
  valueSizeMax?: number;
  /**
   * How many tasks may be PENDING in each queue, or in some by name ('*' for all others): 1 to 1,000,000,000. An enqueue by this
   * instance beyond it is refused (QUEUE_FULL). Default: DURE_QUEUE_DEPTH_MAX, else any number.
   */
  queueDepthMax?: number | Readonly<Record<string, number>>;
  /** Where Dure says what went wrong outside any task. Default: stderr, one line each. */
  logger?: Logger;
  /** Advanced, for tests: another store. */
  store?: TaskStore;
}

/** The options with their defaults filled in and their durations in milliseconds. */
export interface DureSettings {
  database: string;
  app: string | undefined;
  durability: "full" | "normal";
  worker: {
    concurrency: number;
    queues: readonly string[] | undefined;
    stopGraceMs: number;
    leaseMs: number;
    limits: OriginLimits;
    /** Null for never. */
    exitAfterBlockMs: number | null;
    name: string | undefined;
    onUnhealthy: ((reason: string) => void) | undefined;
  };
  retention: Retention;
  /** How long the days of the history are kept; null for ever. */
  historyMs: number | null;
  /** How long records of the audit log are kept; null for ever. */
  auditMs: number | null;
  archiveTo: string | undefined;
  fullText: boolean;
  valueSizeMax: number;
  queueDepthMax: (queue: string) => number | undefined;
  logger: Logger;
  store: TaskStore | undefined;
}

const keptDefault = "30d";
const historyKeptDefault = "400d";
const auditKeptDefault = "365d";
const valueSizeLimit = 64 * 1024 * 1024;

const retained = durationRule();
const retentionRule: OptionRule = (value, name) => (value === false ? undefined : retained(value, name));
const countMax = 1_000_000_000;
const typesMax = 1_000;
const queuesMax = 1_000;
const depthRule = integerBetween(1, 1_000_000_000);
const keptRules: Record<string, OptionRule> = {
  age: retentionRule,
  count: integerBetween(0, countMax),
  sizeBytes: integerBetween(0, Number.MAX_SAFE_INTEGER),
};
const keptRule: OptionRule = (value, name) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? problemOf(() => checkOptions(name, value, keptRules))
    : retentionRule(value, name);

const workerRules: Record<string, OptionRule> = {
  concurrency: integerBetween(1, 10_000),
  queues: listOf((value) => problemOf(() => checkQueue(value)), 100),
  stopGrace: durationRule({ maxMs: 24 * 3_600_000 }),
  lease: durationRule({ minMs: 1_000, maxMs: 3_600_000 }),
  childrenMax: integerBetween(1, 10_000_000),
  depthMax: integerBetween(1, 1_000_000),
  name: stringUpTo(128),
  exitAfterBlock: durationRule({ minMs: 1_000, maxMs: 24 * 3_600_000 }),
  onUnhealthy: functionRule,
};

const statusRules: Record<string, OptionRule> = {
  completed: keptRule,
  failed: keptRule,
  cancelled: keptRule,
};

const retentionRules: Record<string, OptionRule> = {
  ...statusRules,
  types: typesRule,
  history: retentionRule,
  audit: retentionRule,
  archiveTo: pathRule,
};

const rules: Record<string, OptionRule> = {
  database: pathRule,
  app: (value) => problemOf(() => checkApp(value)),
  durability: oneOf("full", "normal"),
  worker: (value, name) => problemOf(() => checkOptions(name, value, workerRules)),
  retention: (value, name) =>
    value === false ? undefined : problemOf(() => checkOptions(name, value, retentionRules)),
  fullText: booleanRule,
  valueSizeMax: integerBetween(1_024, valueSizeLimit),
  queueDepthMax: depthsRule,
  logger: loggerRule,
  store: (value, name) =>
    typeof value === "object" && value !== null ? undefined : `${name} must be a TaskStore.`,
};

/**
 * Checks everything at once and fills in the defaults.
 * @throws DureError INVALID_OPTION with every problem; DATABASE_UNAVAILABLE for a kind of database that Dure does not know
 */
export function resolveDureOptions(options: DureOptions = {}): DureSettings {
  if (typeof options === "string") {
    throw new DureError(
      "INVALID_OPTION",
      `createDure takes its options as an object: createDure({ database: ${JSON.stringify(options)} }).`,
    );
  }
  checkOptions("createDure", options, rules);
  const app = options.app ?? (process.env.DURE_APP || undefined);
  if (app !== undefined) checkApp(app);
  const worker = options.worker ?? {};
  const retention = options.retention ?? {};
  return {
    database: checkDatabase(options.database ?? (process.env.DURE_DATABASE || ".dure/tasks.db")),
    app,
    durability: options.durability ?? "full",
    worker: {
      concurrency: worker.concurrency ?? 10,
      queues: worker.queues,
      stopGraceMs: parseDuration(worker.stopGrace ?? "30s", "worker.stopGrace"),
      leaseMs: parseDuration(worker.lease ?? "15s", "worker.lease"),
      limits: { childrenMax: worker.childrenMax ?? 10_000, depthMax: worker.depthMax ?? 100 },
      exitAfterBlockMs:
        worker.exitAfterBlock === undefined
          ? null
          : parseDuration(worker.exitAfterBlock, "worker.exitAfterBlock"),
      name: worker.name,
      onUnhealthy: worker.onUnhealthy,
    },
    retention: {
      COMPLETED: keptOf(retention, "completed"),
      FAILED: keptOf(retention, "failed"),
      CANCELLED: keptOf(retention, "cancelled"),
      types: keptOfTypes(retention),
    },
    historyMs: keptFor(retention, "history", historyKeptDefault),
    auditMs: keptFor(retention, "audit", auditKeptDefault),
    archiveTo: retention === false ? undefined : retention.archiveTo,
    fullText: options.fullText ?? true,
    valueSizeMax: options.valueSizeMax ?? valueBytesMax,
    queueDepthMax: depthOf(options.queueDepthMax ?? depthFromEnvironment()),
    logger: safeLogger(options.logger ?? stderrLogger),
    store: options.store,
  };
}

function depthFromEnvironment(): number | undefined {
  const text = process.env.DURE_QUEUE_DEPTH_MAX;
  if (!text) return undefined;
  const max = Number(text.replaceAll("_", ""));
  if (depthRule(max, "") === undefined) return max;
  throw new DureError(
    "INVALID_OPTION",
    `DURE_QUEUE_DEPTH_MAX is ${JSON.stringify(text)}; it must be a whole number from 1 to 1000000000.`,
    { details: { queueDepthMax: text } },
  );
}

function depthOf(depths: DureOptions["queueDepthMax"]): DureSettings["queueDepthMax"] {
  if (typeof depths !== "object") return () => depths;
  const byQueue = new Map(Object.entries(depths));
  return (queue) => byQueue.get(queue) ?? byQueue.get("*");
}

type StatusName = "completed" | "failed" | "cancelled";

const statusOptions: readonly [StatusName, EndedStatus][] = [
  ["completed", "COMPLETED"],
  ["failed", "FAILED"],
  ["cancelled", "CANCELLED"],
];

function keptOf(retention: RetentionOptions | false, status: StatusName): KeptRule {
  const kept = retention === false ? false : (retention[status] ?? keptDefault);
  return toRule(kept, `retention.${status}`);
}

function toRule(kept: Kept, name: string): KeptRule {
  if (typeof kept !== "object") return { ageMs: ageMs(kept, name), count: null, sizeBytes: null };
  const { age = false, count = null, sizeBytes = null } = kept;
  return { ageMs: ageMs(age, `${name}.age`), count, sizeBytes };
}

function ageMs(age: Duration | false, name: string): number | null {
  return age === false ? null : parseDuration(age, name);
}

function keptOfTypes(retention: RetentionOptions | false): Retention["types"] {
  if (retention === false) return [];
  return Object.entries(retention.types ?? {}).map(([pattern, own]) => {
    const rules: Partial<KeptRules> = {};
    for (const [option, status] of statusOptions) {
      const kept = own[option];
      if (kept !== undefined) rules[status] = toRule(kept, `retention.types.${pattern}.${option}`);
    }
    return { pattern, rules };
  });
}

function keptFor(
  retention: RetentionOptions | false,
  what: "history" | "audit",
  usual: Duration,
): number | null {
  const kept = retention === false ? false : (retention[what] ?? usual);
  return kept === false ? null : parseDuration(kept, `retention.${what}`);
}

/** Whether a database is named by a PostgreSQL connection string. */
export function isPostgresUrl(database: string): boolean {
  return /^postgres(ql)?:\/\//i.test(database);
}

/**
 * The database's name, when it can be one. What looks like PostgreSQL's is never taken for a file, nor shown: a password may be in it.
 * @throws DureError INVALID_OPTION, DATABASE_UNAVAILABLE
 */
export function checkDatabase(database: string): string {
  if (/^postgres(ql)?:(?!\/\/)|^\s*(host|hostaddr|dbname|user)\s*=/i.test(database)) {
    throw new DureError(
      "INVALID_OPTION",
      "The database looks like one of PostgreSQL's, but not like its address. Write postgres://user:password@host:5432/database.",
    );
  }
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(database)?.[1];
  if (scheme === undefined || isPostgresUrl(database)) return database;
  throw new DureError(
    "DATABASE_UNAVAILABLE",
    `Dure knows no database "${scheme}://". Give the path of a file, ':memory:', or postgres://….`,
    { details: { scheme } },
  );
}

function pathRule(value: unknown, name: string): string | undefined {
  if (typeof value === "string" && value !== "" && !value.includes("\u0000")) return undefined;
  return `${name} must be a path, as a string that is not empty.`;
}

function depthsRule(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return depthRule(value, name);
  const entries = Object.entries(value);
  if (entries.length > queuesMax)
    return `${name} has ${entries.length} queues; at most ${queuesMax} are taken.`;
  const problems = entries.map(
    ([queue, max]) =>
      (queue === "*" ? undefined : problemOf(() => checkQueue(queue))) ??
      depthRule(max, `${name}['${queue}']`),
  );
  return problems.filter((problem) => problem !== undefined).join(" ") || undefined;
}

function typesRule(value: unknown, name: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${name} must be an object of rules by type, such as { 'report-*': { completed: '7d' } }.`;
  }
  const entries = Object.entries(value);
  if (entries.length > typesMax) return `${name} has ${entries.length} types; at most ${typesMax} are taken.`;
  const problems = entries.map(
    ([type, rules]) =>
      patternProblem(type, name) ?? problemOf(() => checkOptions(`${name}['${type}']`, rules, statusRules)),
  );
  return problems.filter((problem) => problem !== undefined).join(" ") || undefined;
}

/** A rule of what no type can be called would keep nothing. */
function patternProblem(pattern: string, name: string): string | undefined {
  const start = pattern.endsWith("*") ? pattern.slice(0, -1) : pattern;
  if (pattern === "*" || problemOf(() => checkDefinitionId(start)) === undefined) return undefined;
  return `${name} has a rule for ${JSON.stringify(pattern)}, which is no id, and no beginning of one: * stands at the end alone.`;
}

function loggerRule(value: unknown, name: string): string | undefined {
  const logger = value as Partial<Logger> | null;
  const complete = [logger?.info, logger?.warn, logger?.error].every(
    (method) => typeof method === "function",
  );
  return complete ? undefined : `${name} must have the methods info, warn and error.`;
}
