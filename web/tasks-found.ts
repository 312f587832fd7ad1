/** What a search of tasks has found so far, what came since, and which of it is selected. */
import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { use, useCallback, useEffect, useMemo, useState } from "react";
import { api, type TaskSearch } from "./api.ts";
import type { Selection } from "./components/task-list.tsx";
import type { TaskDocument, TaskPage } from "./contract.ts";
import { ChangesContext } from "./live.ts";
import { pageSize, queries } from "./queries.ts";

export type FoundTasks = ReturnType<typeof useFoundTasks>;

export function useFoundTasks(search: TaskSearch) {
  const options = queries.tasks(search);
  const client = useQueryClient();
  const result = useInfiniteQuery({
    ...options,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  const { fetchNextPage, hasNextPage, isFetchingNextPage, isFetchNextPageError } = result;
  const tasks = useMemo(() => withoutRepeats(result.data?.pages ?? []), [result.data]);
  const news = useNews(search, tasks, result.isSuccess);
  const lastPage = result.data?.pages.at(-1);
  const unfinished = lastPage && !lastPage.complete ? lastPage : undefined;
  // A page that ran out of time goes on only when asked, or every scroll would cost a whole budget.
  const isCut =
    unfinished !== undefined &&
    ((!unfinished.unindexed && !unfinished.unfilled) || unfinished.searchedBackTo !== undefined);
  const searchOn = useCallback(() => {
    fetchNextPage();
  }, [fetchNextPage]);
  const mayGoOn = hasNextPage && !isFetchingNextPage && !isFetchNextPageError && !isCut;
  const more = useCallback(() => {
    if (mayGoOn) fetchNextPage();
  }, [mayGoOn, fetchNextPage]);
  return {
    name: options.queryKey.join("\n"),
    tasks,
    loading: result.isPending,
    loadingMore: isFetchingNextPage,
    hasMore: hasNextPage,
    unfinished,
    hint: lastPage?.hint,
    isCut,
    error: result.error,
    readAtMs: result.dataUpdatedAt,
    newCount: news.count,
    newMore: news.more,
    more,
    searchOn,
    refresh: () => {
      news.forget();
      client.invalidateQueries({ queryKey: ["summary"] });
      return client.resetQueries({ queryKey: options.queryKey, exact: true });
    },
  };
}

/** A task whose place changed between two pages is listed once. */
function withoutRepeats(pages: readonly TaskPage[]): TaskDocument[] {
  const seen = new Set<string>();
  return pages.flatMap(({ tasks }) => tasks.filter(({ id }) => !seen.has(id) && seen.add(id)));
}

/**
 * After each hint of a change, reads the first page apart: counts what is new above the list, and renews in place
 * what is listed already. Only the order by creation has its news at the top.
 */
function useNews(search: TaskSearch, tasks: readonly TaskDocument[], ready: boolean) {
  const client = useQueryClient();
  const changes = use(ChangesContext);
  const [news, setNews] = useState({ count: 0, more: false, of: "" });
  const { queryKey } = queries.tasks(search);
  const name = queryKey.join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change is the reason to look, not what is shown
  useEffect(() => {
    if (!ready || search.sort || document.visibilityState === "hidden") return;
    const abort = new AbortController();
    const look = async () => {
      const page = await api.tasks(search, { limit: pageSize }, abort.signal);
      if (tasks.length === 0 && page.tasks.length > 0) return client.resetQueries({ queryKey, exact: true });
      client.setQueryData(queryKey, (data?: InfiniteData<TaskPage>) => renewed(data, page));
      const listed = new Set(tasks.map(({ id }) => id));
      const first = page.tasks.findIndex(({ id }) => listed.has(id));
      setNews({
        count: first < 0 ? page.tasks.length : first,
        more: first < 0 && tasks.length > 0,
        of: name,
      });
    };
    // A refusal shows with the list itself; the next hint looks again.
    look().catch(() => {});
    return () => abort.abort();
  }, [changes, ready, name]);
  const current = news.of === name ? news : { count: 0, more: false };
  return { ...current, forget: () => setNews({ count: 0, more: false, of: "" }) };
}

function renewed(
  data: InfiniteData<TaskPage> | undefined,
  latest: TaskPage,
): InfiniteData<TaskPage> | undefined {
  if (!data) return data;
  const byId = new Map(latest.tasks.map((task) => [task.id, task]));
  const pages = data.pages.map((page) =>
    page.tasks.some((task) => changed(task, byId.get(task.id)))
      ? { ...page, tasks: page.tasks.map((task) => byId.get(task.id) ?? task) }
      : page,
  );
  return { ...data, pages };
}

function changed(old: TaskDocument, latest: TaskDocument | undefined): boolean {
  return latest !== undefined && JSON.stringify(latest) !== JSON.stringify(old);
}

/** The tasks selected among those listed; what leaves the list leaves the selection. */
export function useSelection(tasks: readonly TaskDocument[]): Selection & { chosen: TaskDocument[] } {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const chosen = useMemo(() => tasks.filter(({ id }) => ids.has(id)), [tasks, ids]);
  return {
    chosen,
    size: chosen.length,
    has: (id) => ids.has(id),
    toggle: (id) =>
      setIds((before) => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    add: (ids) => setIds((before) => new Set([...before, ...ids])),
    toggleAll: () => setIds(chosen.length === tasks.length ? new Set() : new Set(tasks.map(({ id }) => id))),
    clear: () => setIds(new Set()),
  };
}
