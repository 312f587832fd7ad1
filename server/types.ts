/**
 * `dure/types`: the types that what `dure` exports takes and answers, beside those that it exports itself. Types only,
 * nothing at run time. `index.ts` refers to it, so that declarations that a compiler writes can name what they need.
 */
export type { Kept, KeptByCount, RetentionOptions } from "./dure-options.ts";
export type { ActionSearch, ActOptions, ActReport, TaskAction } from "./tasks/core/act.ts";
export type { ActionPayload, ActionResult, StartActionOptions } from "./tasks/core/action.ts";
export type {
  AbortKind,
  AttemptOutcome,
  LogEntry,
  LogLevel,
  StoredError,
  TaskLog,
} from "./tasks/core/attempt.ts";
export type {
  AttributeSource,
  AttributeSources,
  AttributesOf,
  Extracted,
  ExtractedByName,
} from "./tasks/core/attributes.ts";
export type { AuditOptions, AuditPage } from "./tasks/core/audit.ts";
export type { BackoffFunction, BackoffOptions } from "./tasks/core/backoff.ts";
export type { Percentiles } from "./tasks/core/counts/duration-counts.ts";
export type { HistoryBucket, HistoryOptions } from "./tasks/core/counts/history.ts";
export type { SummaryKey, TaskGroup, TaskSummary, TaskSummaryOptions } from "./tasks/core/counts/summary.ts";
export type { EnqueueItem } from "./tasks/core/enqueue.ts";
export type { ExplanationCode, ExplanationReason, TaskExplanation } from "./tasks/core/explain.ts";
export type { SearchExplanation } from "./tasks/core/explain-search.ts";
export type { AttributeMatches, AttributeValue, Match, PathMatch } from "./tasks/core/filters/filter.ts";
export type { CancelReply, ChangeOptions, EditOptions } from "./tasks/core/manage.ts";
export type { Pause, PauseOptions, PauseTarget } from "./tasks/core/pauses.ts";
export type {
  AskedBy,
  AuditAction,
  AuditedChange,
  AuditKind,
  AuditRecord,
  AuditState,
  By,
  Via,
} from "./tasks/core/port/store-audit.ts";
export type { AlertRule, AlertTask } from "./tasks/core/port/store-saved.ts";
export type { Count, PlanSource, SearchPlan } from "./tasks/core/port/store-search.ts";
export type { WorkerRecord } from "./tasks/core/port/store-workers.ts";
export type { Completion } from "./tasks/core/query/query-complete.ts";
export type { QueryFilter } from "./tasks/core/query/query-options.ts";
export type { SavedSearch, SavedSearchAlert, SaveSearchOptions } from "./tasks/core/saved-searches.ts";
export type { DateRange, TaskSortField } from "./tasks/core/search.ts";
export type { ArchivedTask, HealthFinding, StoredDefinition, StoreStats } from "./tasks/core/store.ts";
export type { TaskEnvelope, TaskProgress, TaskStatusName } from "./tasks/core/task.ts";
export type { SqliteDatabase, Transaction, TransactionClient } from "./tasks/core/transaction.ts";
export type { WaitForTaskOptions } from "./tasks/core/wait.ts";
export type { TaskChange, WatchOptions } from "./tasks/core/watch/watch.ts";
export type { ArchiveCount, ArchiveSummary } from "./tasks/runtime/archive/archive-count.ts";
export type { ArchivePage } from "./tasks/runtime/archive/archive-search.ts";
export type { Pruned, PruneOptions } from "./tasks/runtime/pruner.ts";
export type { RebuildOptions, Rebuilt } from "./tasks/runtime/text-rebuild.ts";
