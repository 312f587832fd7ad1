/** Tasks: the search box, statuses, and the list. The whole search is in the address. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef } from "react";
import type { TaskSearch } from "../api.ts";
import { Button } from "../components/button.tsx";
import { ColumnsMenu } from "../components/columns-menu.tsx";
import { Empty, Failure, Snippet } from "../components/empty.tsx";
import { Facets } from "../components/facets.tsx";
import { Icon, StatusMark } from "../components/icon.tsx";
import { PageHeader } from "../components/page.tsx";
import { QueryBox } from "../components/query-box.tsx";
import { SavedSearches } from "../components/saved-searches.tsx";
import { SearchExamples } from "../components/search-examples.tsx";
import { SelectionBar } from "../components/selection-bar.tsx";
import { useTaskColumns } from "../components/task-columns.tsx";
import { TaskList } from "../components/task-list.tsx";
import { statuses } from "../contract.ts";
import { useFormat } from "../format.ts";
import type { Messages } from "../i18n/en.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { orderOf, termOf, withoutOrder } from "../order.ts";
import { queries } from "../queries.ts";
import { tasksRoute } from "../router.tsx";
import { firstTask } from "../snippets.ts";
import { type FoundTasks, useFoundTasks, useSelection } from "../tasks-found.ts";
import { useTelling } from "../telling.ts";
import styles from "./tasks.module.css";

export function Tasks() {
  const words = useWords();
  const search = tasksRoute.useSearch();
  const navigate = useNavigate();
  const found = useFoundTasks(search);
  const selection = useSelection(found.tasks);
  const columns = useTaskColumns(search);
  const change = (part: TaskSearch) => navigate({ to: "/tasks", search: { ...search, ...part } });
  return (
    <div className={styles.page}>
      <PageHeader title={words.tasks} readAtMs={found.readAtMs}>
        <Button kind="quiet" onClick={found.refresh} aria-label={words.refresh} title={words.refresh}>
          <Icon name="refresh" />
        </Button>
        <ColumnsMenu choice={columns} />
      </PageHeader>
      <div className={styles.tools}>
        <QueryBox query={search.q ?? ""} error={found.error} onSearch={(q) => change({ q })} />
        <SavedSearches search={search} onOpen={(q) => navigate({ to: "/tasks", search: { q } })} />
        <Facets search={search} />
        <TypeSelect value={search.type} onChange={(type) => change({ type })} />
        <SortSelect search={search} onChange={change} />
      </div>
      {selection.chosen.length > 0 ? (
        <SelectionBar
          tasks={selection.chosen}
          search={search}
          isAllLoaded={found.hasMore && selection.size === found.tasks.length}
          loaded={found.tasks.length}
          onSelectLoaded={selection.toggleAll}
          onClear={selection.clear}
          onDone={found.refresh}
        />
      ) : (
        <Statuses search={search} isListed={!found.loading} />
      )}
      <div className={styles.found}>
        {found.newCount > 0 && (
          <button type="button" className={styles.news} onClick={found.refresh}>
            {words.newTasks(found.newCount, found.newMore)}
          </button>
        )}
        <Found search={search} found={found} columns={columns.columns} selection={selection} />
      </div>
    </div>
  );
}

function Found({
  search,
  found,
  columns,
  selection,
}: {
  search: TaskSearch;
  found: FoundTasks;
  columns: ReturnType<typeof useTaskColumns>["columns"];
  selection: ReturnType<typeof useSelection>;
}) {
  const words = useWords();
  const invalid = found.error && "code" in found.error && found.error.code === "INVALID_QUERY";
  if (found.tasks.length === 0) {
    if (found.error && !found.unfinished)
      return invalid ? <Help /> : <Failure error={found.error} onRetry={found.refresh} />;
    if (found.loading) return <p className={styles.loading}>{words.loading}</p>;
    if (!found.unfinished) return <NoTasks search={search} hint={found.hint} />;
  }
  return (
    <>
      <HowFar found={found} />
      {found.tasks.length === 0 ? (
        <Empty title={found.searchingOn ? words.searchingOn : words.noneSoFar} />
      ) : (
        <TaskList
          key={found.name}
          name={found.name}
          tasks={found.tasks}
          columns={columns}
          selection={selection}
          ending={found.loadingMore ? words.loadingMore : found.hasMore ? "" : words.endOfList}
          onNearEnd={found.more}
        />
      )}
    </>
  );
}

/** Above a list that is not whole: how far it comes, why the next page did not, and the way on. */
function HowFar({ found }: { found: FoundTasks }) {
  const words = useWords();
  const format = useFormat();
  const tell = useTelling();
  const { unfinished, error, searchingOn } = found;
  if (!unfinished && !error) return null;
  const goesOnWhenAsked = (found.isCut || found.tasks.length === 0) && found.hasMore;
  return (
    <div className={styles.unfinished} role="status" aria-busy={searchingOn}>
      <span>
        {error && `${tell(error)} `}
        {unfinished?.searchedBackTo &&
          words.searchedBackTo(format.precise(new Date(unfinished.searchedBackTo)))}{" "}
        {unfinished?.hint && words.said(unfinished.hint)}
      </span>
      {goesOnWhenAsked ? (
        <Button small onClick={searchingOn ? found.stop : found.searchOn}>
          {searchingOn ? words.stop : words.searchOn}
        </Button>
      ) : (
        error && (
          <Button small onClick={found.tryAgain}>
            {words.tryAgain}
          </Button>
        )
      )}
    </div>
  );
}

function NoTasks({ search, hint }: { search: TaskSearch; hint: string | undefined }) {
  const words = useWords();
  const searched = search.q || search.status || search.type;
  if (!searched) {
    return (
      <Empty title={words.noTasksYetTitle} text={words.noTasksYetText}>
        <Snippet>{firstTask}</Snippet>
      </Empty>
    );
  }
  return (
    <Empty title={words.noTasksTitle} text={hint === undefined ? words.noTasksText : words.said(hint)}>
      <Link to="/tasks">{words.showAllTasks}</Link>
      {search.q && <SearchExamples />}
    </Empty>
  );
}

/** Below a search that could not be read; the objection itself hangs from the box. */
function Help() {
  return (
    <div className={styles.help}>
      <SearchExamples />
    </div>
  );
}

/** How many tasks of each status the rest of the search finds; each a link to them. Counted once the list is there. */
function Statuses({ search, isListed }: { search: TaskSearch; isListed: boolean }) {
  const words = useWords();
  const format = useFormat();
  // Until it is counted, the places that the search before needed are kept, without what it said.
  const { data, isPlaceholderData } = useQuery({
    ...queries.statusCounts(search),
    retry: false,
    enabled: isListed,
    placeholderData: keepPreviousData,
  });
  const counts = useMemo(() => new Map(data?.groups.map((group) => [group.status, group.count])), [data]);
  const all = data?.groups.reduce((sum, group) => sum + group.count, 0);
  const isEstimate = data?.sampled !== undefined;
  const counted = (status: (typeof statuses)[number]) =>
    isEstimate && !counts.has(status) ? "" : format.about(counts.get(status) ?? 0, isEstimate);
  return (
    <nav className={styles.statuses} aria-label={words.status}>
      <StatusLink
        search={search}
        label={words.allStatuses}
        count={all === undefined ? "" : format.about(all, isEstimate)}
        isCounted={!isPlaceholderData}
      />
      {statuses.map((status) => (
        <StatusLink
          key={status}
          search={search}
          status={status}
          label={words[status]}
          count={data ? counted(status) : ""}
          isCounted={!isPlaceholderData}
        />
      ))}
    </nav>
  );
}

function StatusLink({
  search,
  status,
  label,
  count,
  isCounted,
}: {
  search: TaskSearch;
  status?: (typeof statuses)[number];
  label: string;
  count: string;
  isCounted: boolean;
}) {
  const here = search.status === status;
  const link = useRef<HTMLAnchorElement>(null);
  // On a phone not all of them are in view. Without its count it is not as wide as it will be.
  const isChosen = here && count !== "";
  useEffect(() => {
    if (isChosen) link.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [isChosen]);
  return (
    <Link
      ref={link}
      to="/tasks"
      search={{ ...search, status }}
      className={`${styles.status} ${here ? styles.here : ""}`}
      aria-current={here ? "true" : undefined}
    >
      {status && <StatusMark status={status} />}
      {label}
      <span className={isCounted ? styles.count : `${styles.count} ${styles.uncounted}`}>{count}</span>
    </Link>
  );
}

function TypeSelect({
  value,
  onChange,
}: {
  value: string | undefined;
  onChange: (type: string | undefined) => void;
}) {
  const words = useWords();
  const { data } = useQuery(queries.stats());
  const types = useMemo(() => [...new Set(data?.byType.map(({ type }) => type))].sort(naturally), [data]);
  return (
    <select
      className={styles.select}
      aria-label={words.type}
      value={value ?? ""}
      onChange={(event) => onChange(event.target.value || undefined)}
    >
      <option value="">
        {words.type}: {words.allStatuses}
      </option>
      {(value && !types.includes(value) ? [value, ...types] : types).map((type) => (
        <option key={type}>{type}</option>
      ))}
    </select>
  );
}

const newest = "-createdAt";
const relevance = "-relevance";
const orders: readonly [sort: string, word: keyof Messages][] = [
  ["", "sortNewest"],
  ["createdAt", "sortOldest"],
  ["-updatedAt", "sortUpdated"],
  ["-duration", "sortDuration"],
  ["-priority", "sortPriority"],
  ["dueAt", "sortDue"],
  [relevance, "sortRelevance"],
];

/** Shows the order of the list, also where the query says it; another choice takes the place of what it says. */
function SortSelect({
  search,
  onChange,
}: {
  search: TaskSearch;
  onChange: (part: Pick<TaskSearch, "q" | "sort">) => void;
}) {
  const words = useWords();
  const { q = "" } = search;
  const order = orderOf(search) ?? "";
  const value = order === newest ? "" : order;
  const isKnown = orders.some(([sort]) => sort === value);
  return (
    <select
      className={styles.select}
      aria-label={words.sortBy}
      value={value}
      onChange={(event) =>
        onChange({ q: withoutOrder(q) || undefined, sort: event.target.value || undefined })
      }
    >
      {!isKnown && <option value={value}>{termOf(value)}</option>}
      {orders
        .filter(([sort]) => q || sort === value || sort !== relevance)
        .map(([sort, word]) => (
          <option key={sort} value={sort}>
            {words[word] as string}
          </option>
        ))}
    </select>
  );
}
