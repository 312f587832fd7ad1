import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TaskStore } from "../../server/tasks/core/store.ts";

/** Where the rules of each verb of the port are. */
const files = {
  location: "store",
  open: "store",
  close: "store",
  onChange: "store",
  saveDefinitions: "definitions",
  listDefinitions: "definitions",
  enqueueTasks: "enqueue-tasks",
  getTask: "get-task",
  searchTasks: "search-tasks",
  explainSearch: "explain-search",
  countTasks: "count-tasks",
  readChanges: "read-changes",
  listAttempts: "get-task",
  findNearIds: "get-task",
  registerWorker: "workers",
  holdLease: "workers",
  stopWorker: "workers",
  listWorkers: "workers",
  claimTasks: "claim-tasks",
  endClaimWait: "end-claim-wait",
  beginTransaction: "begin-transaction",
  settleTasks: "settle-tasks",
  reportProgress: "report-progress",
  listCancelRequests: "workers",
  reapWorkers: "reap-workers",
  cancelTask: "cancel-task",
  retryTask: "retry-task",
  editTask: "edit-task",
  deleteTask: "delete-task",
  pruneTasks: "prune-tasks",
  readPrunable: "prune-tasks",
  stats: "store",
  checkHealth: "store",
  schemaVersion: "store",
  keepsMinutes: "summarize-tasks",
  pace: "store",
  measureSkew: "store",
  readRecords: "records",
  writeRecords: "records",
  seal: "records",
  readUnfilled: "attributes",
  writeAttributes: "attributes",
  readUnindexed: "texts",
  writeTexts: "texts",
  clearTexts: "texts",
  summarizeTasks: "summarize-tasks",
  countAttribute: "facets",
  readAttributes: "facets",
  writeHistory: "history",
  readHistory: "history",
  pruneHistory: "history",
  saveSearch: "saved-searches",
  listSearches: "saved-searches",
  deleteSearch: "saved-searches",
  writeAlertState: "saved-searches",
  readApp: "app",
  nameApp: "app",
  pause: "pauses",
  resume: "pauses",
  listPauses: "pauses",
  readAudit: "audit",
  writeAudit: "audit",
  pruneAudit: "audit",
} satisfies Record<keyof TaskStore, string>;

test.each(Object.entries(files))("%s has its rules in %s.test.ts", (verb, file) => {
  const text = readFileSync(join(import.meta.dirname, `${file}.test.ts`), "utf8");
  expect(text).toMatch(new RegExp(`(store|other)\\s*\\.${verb}\\b|World|world\\.(claim|settle|reopen)`));
});

test("no file of rules is left out", () => {
  const present = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"));
  const named = [
    ...new Set([
      ...Object.values(files),
      "alert-rules",
      "archive-attributes",
      "attributes-elsewhere",
      "bytes-max",
      "changed-ranges",
      "complete-query",
      "copy",
      "deep-pages",
      "due-ranges",
      "duration-order",
      "explain-task",
      "moving-pages",
      "near-orders",
      "priority-order",
      "query-answers",
      "retention",
      "search-conditions",
      "search-options",
      "slow-tasks",
      "start-action",
      "start-ranges",
      "every-verb",
    ]),
  ].map((name) => `${name}.test.ts`);
  expect(present.sort()).toEqual(named.sort());
});
