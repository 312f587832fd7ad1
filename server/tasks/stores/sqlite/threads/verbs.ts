/** The verbs that a thread answers, by name; each is one function of its own file. */

import { nameApp, readApp } from "../app.ts";
import { readUnfilled, writeAttributes } from "../attributes/attribute-fills.ts";
import { pruneAudit, readAudit, writeAudit } from "../audit.ts";
import { readChanges } from "../changes.ts";
import { claimTasks } from "../claim.ts";
import type { Connection } from "../connection.ts";
import { countAttribute, readAttributes } from "../counts/facets.ts";
import { pruneHistory, readHistory, writeHistory } from "../counts/history.ts";
import { summarizeTasks } from "../counts/summary.ts";
import { enqueueBy, enqueueTasks } from "../enqueue.ts";
import { checkHealth } from "../health.ts";
import { cancelTask, deleteTask, editTask, pruneTasks, retryTask, saveDefinitions } from "../manage.ts";
import { listPauses, pause, resume } from "../pauses.ts";
import * as read from "../read.ts";
import { readRecords, seal, writeRecords } from "../records.ts";
import { deleteSearch, listSearches, saveSearch, writeAlertState } from "../saved-searches.ts";
import { byCreation } from "../search/id-prefix.ts";
import { countTasks, explainSearch, searchTasks } from "../search/search-walk.ts";
import { reportProgress, settleTasks } from "../settle.ts";
import { clearTexts, findUnindexed, readUnindexed, writeTexts } from "../texts/texts.ts";
import { beat, reapWorkers, registerWorker, stopWorker } from "../workers.ts";
import type { WriteContext } from "./write-context.ts";

/** Run inside a write transaction. */
export const writeVerbs = {
  saveDefinitions,
  enqueueTasks,
  enqueueBy,
  claimTasks,
  settleTasks,
  reportProgress,
  registerWorker,
  stopWorker,
  beat,
  reapWorkers,
  cancelTask,
  retryTask,
  editTask,
  deleteTask,
  pruneTasks,
  writeRecords,
  writeAttributes,
  writeTexts,
  clearTexts: (context: WriteContext, _argument: undefined) => clearTexts(context),
  writeHistory,
  pruneHistory,
  saveSearch,
  deleteSearch,
  writeAlertState,
  pause,
  resume,
  writeAudit,
  pruneAudit,
  seal,
  nameApp,
} satisfies Record<string, (context: WriteContext, argument: any, now: number) => unknown>;

/** Run in a snapshot. */
export const readVerbs = {
  getTask: read.getTask,
  listAttempts: read.listAttempts,
  readPrunable: read.readPrunable,
  readRecords,
  readUnfilled,
  findUnindexed,
  readUnindexed,
  listDefinitions: (connection: Connection, _argument: undefined) => read.listDefinitions(connection),
  listWorkers: (connection: Connection, _argument: undefined) => read.listWorkers(connection),
  listCancelRequests: read.listCancelRequests,
  idsLike: read.idsLike,
  stats: (connection: Connection, _argument: undefined, now: number) => read.stats(connection, now),
  checkHealth,
  readChanges,
  searchTasks: byCreation(searchTasks),
  explainSearch: byCreation(explainSearch),
  summarizeTasks,
  readHistory,
  countAttribute,
  readAttributes,
  listSearches,
  listPauses,
  readAudit,
  countTasks: byCreation(countTasks),
  readApp,
  schemaVersion: (connection: Connection, _argument: undefined) => connection.schemaVersion(),
} satisfies Record<string, (connection: Connection, argument: any, now: number) => unknown>;

type Verbs = typeof writeVerbs & typeof readVerbs;
export type VerbName = keyof Verbs;
export type VerbArgument<Name extends VerbName> = Parameters<Verbs[Name]>[1];
export type VerbAnswer<Name extends VerbName> = ReturnType<Verbs[Name]>;

/** Verbs that need no undo of their own: one row, or rows that are each guarded. */
export const undoable: ReadonlySet<string> = new Set([
  "enqueueTasks",
  "enqueueBy",
  "saveDefinitions",
  "writeRecords",
]);
