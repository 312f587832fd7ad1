/** What a search of tasks has found so far, what came since, and which of it is selected. */
import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { use, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, type TaskSearch } from "./api.ts";
import { type Calmed, calmed } from "./calmed.ts";
import type { Selection } from "./components/task-list.tsx";
import type { TaskDocument, TaskPage } from "./contract.ts";
import { ChangesContext } from "./live.ts";
import { orderOf } from "./order.ts";
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
  const lastPage = result.data?.pages.at(-1);
  const unfinished = lastPage && !lastPage.complete ? lastPage : undefined;
  // A page that ran out of time goes on only when asked, or every scroll would cost a whole budget.
  const isCut =
    unfinished !== undefined &&
    ((!unfinished.unindexed && !unfinished.unfilled) || unfinished.searchedBackTo !== undefined);
  const name = options.queryKey.join("\n");
  const readAtMs = result.dataUpdatedAt;
  const news = useNews(search, tasks, { ready: result.isSuccess, isCut, readAtMs });
  const canSearchOn = isCut && hasNextPage && !isFetchNextPageError;
  const state = {
    canGoOn: canSearchOn,
    // Nothing goes on by itself then.
    hasFailed: isCut && hasNextPage && isFetchNextPageError,
    isReading: isFetchingNextPage,
  };
  const on = useSearchingOn(name, tasks.length, state, fetchNextPage);
  const mayGoOn = hasNextPage && !isFetchingNextPage && !isFetchNextPageError && !isCut;
  const more = useCallback(() => {
    if (mayGoOn) fetchNextPage();
  }, [mayGoOn, fetchNextPage]);
  return {
    name,
    tasks,
    loading: result.isPending,
    loadingMore: isFetchingNextPage,
    hasMore: hasNextPage,
    unfinished,
    hint: lastPage?.hint,
    isCut,
    error: result.error,
    readAtMs,
    newCount: news.count,
    newMore: news.more,
    more,
    searchOn: on.start,
    stop: on.stop,
    searchingOn: on.isOn,
    /** Of a page that did not come. */
    tryAgain: () => fetchNextPage(),
    refresh: () => {
      on.stop();
      news.forget();
      client.invalidateQueries({ queryKey: ["summary"] });
      return client.resetQueries({ queryKey: options.queryKey, exact: true });
    },
  };
}

/**
 * Once asked, page after page until one has tasks, however many run out of time before it; each says how far it came. Another
 * search, or leaving, ends it.
 */
function useSearchingOn(
  name: string,
  count: number,
  { canGoOn, hasFailed, isReading }: { canGoOn: boolean; hasFailed: boolean; isReading: boolean },
  readOn: () => unknown,
) {
  const [asked, setAsked] = useState<{ of: string; beyond: number }>();
  const isOn = canGoOn && asked?.of === name && asked.beyond === count;
  useEffect(() => {
    if (isOn && !isReading) readOn();
  }, [isOn, isReading, readOn]);
  return {
    isOn,
    start: () => {
      setAsked({ of: name, beyond: count });
      if (hasFailed && !isReading) readOn();
    },
    stop: () => setAsked(undefined),
  };
}

/** A task whose place changed between two pages is listed once. */
function withoutRepeats(pages: readonly TaskPage[]): TaskDocument[] {
  const seen = new Set<string>();
  return pages.flatMap(({ tasks }) => tasks.filter(({ id }) => !seen.has(id) && seen.add(id)));
}

/** What was read by then, and is shown, nothing was missed of. */
const justNowMs = 5_000;
/** As many times as long as a look took, none follows: one that takes a second is not asked for all the time. */
const restTimes = 9;

/**
 * After a hint of a change, reads the first page apart: counts what is new above the list, and renews in place
 * what is listed already. Only the order by creation has its news at the top.
 */
function useNews(
  search: TaskSearch,
  tasks: readonly TaskDocument[],
  { ready, isCut, readAtMs }: { ready: boolean; isCut: boolean; readAtMs: number },
) {
  const client = useQueryClient();
  const changes = use(ChangesContext);
  const [news, setNews] = useState({ count: 0, more: false, of: "" });
  const { queryKey } = queries.tasks(search);
  const name = queryKey.join("\n");
  const listed = useRef(tasks);
  listed.current = tasks;
  const looks = useRef<Calmed>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another search is another name
  useEffect(() => {
    if (!ready || orderOf(search)) return;
    const abort = new AbortController();
    const look = async () => {
      const page = await api.tasks(search, { limit: pageSize }, abort.signal);
      const shown = listed.current;
      if (shown.length === 0 && page.tasks.length > 0) return client.resetQueries({ queryKey, exact: true });
      client.setQueryData(queryKey, (data?: InfiniteData<TaskPage>) => renewed(data, page));
      const ids = new Set(shown.map(({ id }) => id));
      const first = page.tasks.findIndex(({ id }) => ids.has(id));
      const count = first < 0 ? page.tasks.length : first;
      setNews({ count, more: first < 0 && shown.length > 0, of: name });
    };
    // A refusal shows with the list itself; the next hint looks again.
    looks.current = calmed(
      () => look().catch(() => {}),
      (tookMs) => tookMs * restTimes,
    );
    // What came while it was read; of one that ran out of time it would take as long again.
    if (!isCut || Date.now() - readAtMs > justNowMs) looks.current.call();
    return () => {
      looks.current?.stop();
      abort.abort();
    };
  }, [ready, name]);
  const heard = useRef(changes);
  useEffect(() => {
    if (heard.current === changes) return;
    heard.current = changes;
    if (document.visibilityState !== "hidden") looks.current?.call();
  }, [changes]);
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
