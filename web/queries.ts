/** What each page asks the API, as TanStack Query options: one key per question, so that a change refreshes all who asked. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { SearchAction } from "./acting.ts";
import { type AuditFilter, api, type TaskSearch } from "./api.ts";
import { type Period, periods, startOf } from "./history.ts";

export const pageSize = 100;

/** What changes without a hint is read anew this often while it is in view: heartbeats, waits. */
const unheardEveryMs = 10_000;
/** Progress and logs of a running task are no hints either. */
const runningEveryMs = 2000;

/** Workers look at alerts no more often. */
const searchesEveryMs = 30_000;

/** Of a task that does an action, while somebody looks on. */
const actionEveryMs: { [status: string]: number } = { PENDING: 500, RUNNING: 500 };

export const queries = {
  session: () =>
    queryOptions({
      queryKey: ["session"],
      queryFn: ({ signal }) => api.session(signal),
      staleTime: Number.POSITIVE_INFINITY,
      retry: false,
    }),
  stats: () =>
    queryOptions({
      queryKey: ["stats"],
      queryFn: ({ signal }) => api.stats(signal),
      refetchInterval: unheardEveryMs,
    }),
  history: (period: Period, type: string | undefined) =>
    queryOptions({
      queryKey: ["history", period, type ?? ""],
      queryFn: async ({ signal }) => {
        const from = startOf(period, Date.now());
        return { period, from, buckets: await api.history(from, periods[period].bucket, type, signal) };
      },
      refetchInterval: periods[period].refreshMs,
      placeholderData: keepPreviousData,
    }),
  statusCounts: (search: TaskSearch) =>
    queryOptions({
      queryKey: ["summary", "status", search.q ?? "", search.type ?? ""],
      queryFn: ({ signal }) => api.statusCounts(search, signal),
    }),
  /** How many tasks of a search there are by a field or an attribute, the most frequent values first. */
  facet: (search: TaskSearch, by: string) =>
    queryOptions({
      queryKey: ["summary", by, search.q ?? "", search.type ?? "", search.status ?? ""],
      queryFn: ({ signal }) => api.facet(search, by, signal),
      retry: false,
    }),
  workers: () =>
    queryOptions({
      queryKey: ["workers"],
      queryFn: ({ signal }) => api.workers(signal),
      refetchInterval: unheardEveryMs,
    }),
  definitions: () =>
    queryOptions({ queryKey: ["definitions"], queryFn: ({ signal }) => api.definitions(signal) }),
  pauses: () =>
    queryOptions({
      queryKey: ["pauses"],
      queryFn: ({ signal }) => api.pauses(signal),
      refetchInterval: unheardEveryMs,
    }),
  searches: () =>
    queryOptions({
      queryKey: ["searches"],
      queryFn: ({ signal }) => api.searches(signal),
      refetchInterval: searchesEveryMs,
    }),
  errors: () =>
    queryOptions({
      queryKey: ["errors"],
      queryFn: ({ signal }) => api.errors(signal),
      refetchInterval: unheardEveryMs,
    }),
  attention: () =>
    queryOptions({
      queryKey: ["attention"],
      queryFn: ({ signal }) => api.attention(signal),
      refetchInterval: unheardEveryMs,
    }),
  task: (id: string) =>
    queryOptions({
      queryKey: ["task", id],
      queryFn: ({ signal }) => api.task(id, signal),
      refetchInterval: ({ state }) => state.data?.task.status === "RUNNING" && runningEveryMs,
    }),
  reasons: (id: string) =>
    queryOptions({
      queryKey: ["task", id, "reasons"],
      queryFn: ({ signal }) => api.reasons(id, signal),
      refetchInterval: unheardEveryMs,
      retry: false,
    }),
  /** Asked anew whenever it is shown. */
  actionPreview: (action: SearchAction, search: TaskSearch) =>
    queryOptions({
      queryKey: ["action", "preview", action, search.q ?? "", search.status ?? "", search.type ?? ""],
      queryFn: ({ signal }) => api.previewAction(action, search, signal),
      staleTime: Number.POSITIVE_INFINITY,
      gcTime: 0,
      retry: false,
    }),
  action: (id: string) =>
    queryOptions({
      queryKey: ["action", id],
      queryFn: ({ signal }) => api.action(id, signal),
      refetchInterval: ({ state }) => actionEveryMs[state.data?.status ?? "PENDING"] ?? false,
    }),
  tasks: (search: TaskSearch) =>
    infiniteQueryOptions({
      queryKey: ["tasks", search.q ?? "", search.status ?? "", search.type ?? "", search.sort ?? ""],
      queryFn: ({ pageParam, signal }) => api.tasks(search, { cursor: pageParam, limit: pageSize }, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor,
    }),
  /** @param version of the task, which grows with each change */
  lastChange: (id: string, version: number | undefined) =>
    queryOptions({
      queryKey: ["lastChange", id, version ?? 0],
      queryFn: ({ signal }) => api.lastChange(id, signal),
      placeholderData: keepPreviousData,
    }),
  audit: (filter: AuditFilter) =>
    infiniteQueryOptions({
      queryKey: ["audit", filter.who ?? "", filter.action ?? "", filter.target ?? ""],
      queryFn: ({ pageParam, signal }) => api.audit(filter, pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor,
    }),
};

/** The keys of what a change hint refreshes by itself. Lists of tasks are not among them: their rows must not jump. */
export const liveKeys = [["stats"], ["summary"], ["workers"], ["errors"], ["attention"], ["task"]] as const;
