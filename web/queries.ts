/** What each page asks the API, as TanStack Query options: one key per question, so that a change refreshes all who asked. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, type TaskSearch } from "./api.ts";

export const pageSize = 100;

/** What changes without a hint is read anew this often while it is in view: heartbeats, waits. */
const unheardEveryMs = 10_000;
/** Progress and logs of a running task are no hints either. */
const runningEveryMs = 2000;

export const queries = {
  stats: () =>
    queryOptions({
      queryKey: ["stats"],
      queryFn: ({ signal }) => api.stats(signal),
      refetchInterval: unheardEveryMs,
    }),
  hours: (from: string) =>
    queryOptions({
      queryKey: ["summary", "hour", from],
      queryFn: ({ signal }) => api.summary("hour,status", { from }, signal),
    }),
  statusCounts: (search: TaskSearch) =>
    queryOptions({
      queryKey: ["summary", "status", search.q ?? "", search.type ?? ""],
      queryFn: ({ signal }) => api.statusCounts(search, signal),
    }),
  workers: () =>
    queryOptions({
      queryKey: ["workers"],
      queryFn: ({ signal }) => api.workers(signal),
      refetchInterval: unheardEveryMs,
    }),
  definitions: () =>
    queryOptions({ queryKey: ["definitions"], queryFn: ({ signal }) => api.definitions(signal) }),
  errors: () => queryOptions({ queryKey: ["errors"], queryFn: ({ signal }) => api.errors(signal) }),
  task: (id: string) =>
    queryOptions({
      queryKey: ["task", id],
      queryFn: ({ signal }) => api.task(id, signal),
      refetchInterval: ({ state }) => state.data?.task.status === "RUNNING" && runningEveryMs,
    }),
  tasks: (search: TaskSearch) =>
    infiniteQueryOptions({
      queryKey: ["tasks", search.q ?? "", search.status ?? "", search.type ?? "", search.sort ?? ""],
      queryFn: ({ pageParam, signal }) => api.tasks(search, { cursor: pageParam, limit: pageSize }, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor,
    }),
};

/** The keys of what a change hint refreshes by itself. Lists of tasks are not among them: their rows must not jump. */
export const liveKeys = [["stats"], ["summary"], ["workers"], ["errors"], ["task"]] as const;
