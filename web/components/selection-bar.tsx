/**
 * What stands in the place of the statuses while tasks are selected: how many, and what can be done to them. Once
 * all loaded tasks are selected, the whole search can be, too.
 */
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useRef, useState } from "react";
import {
  appliesTo,
  neededFor,
  type SearchAction,
  statusesFor,
  type Target,
  type TaskAction,
} from "../acting.ts";
import type { TaskSearch } from "../api.ts";
import type { TaskDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { useShortcuts } from "../keyboard.ts";
import { useNarrow } from "../narrow.ts";
import { queries } from "../queries.ts";
import { Button, RoleButton } from "./button.tsx";
import { SearchActionDialog } from "./search-action-dialog.tsx";
import styles from "./selection-bar.module.css";
import { ActionDialog } from "./task-actions.tsx";

const actions: readonly TaskAction[] = ["retry", "cancel", "runAgain", "delete"];

export function SelectionBar({
  tasks,
  search,
  isAllLoaded,
  loaded,
  onSelectLoaded,
  onClear,
  onDone,
}: {
  tasks: readonly TaskDocument[];
  /** The search they were found by. */
  search: TaskSearch;
  /** Whether they are all that is loaded, and more would follow. */
  isAllLoaded: boolean;
  /** How many tasks are. */
  loaded: number;
  onSelectLoaded: () => void;
  onClear: () => void;
  onDone: () => void;
}) {
  const words = useWords();
  const format = useFormat();
  const narrow = useNarrow();
  const bar = useRef<HTMLDivElement>(null);
  useShortcuts({ a: () => buttonsOf(bar.current)[0]?.focus() });
  const [whole, setWhole] = useState(false);
  const [asking, setAsking] = useState<{ action: TaskAction; target: Target }>();
  const counts = useQuery({ ...queries.statusCounts(search), enabled: isAllLoaded });
  const { groups, sampled } = counts.data ?? {};
  const isWhole = whole && isAllLoaded && groups !== undefined;
  const isEstimate = isWhole && sampled !== undefined;
  const targetOf = (action: TaskAction): Target => {
    if (isWhole) return { search, count: countFor(action, search, groups) };
    const suited = tasks.filter((task) => appliesTo(action, task));
    return { tasks: suited, count: suited.length };
  };
  const close = () => setAsking(undefined);
  const done = () => {
    close();
    onClear();
    onDone();
  };
  const found = groups ? countOf(search, groups) : 0;
  const selected = isWhole ? found : tasks.length;
  const selectedText = words.selected(format.about(selected, isEstimate));
  return (
    <div ref={bar} className={styles.bar} role="toolbar" aria-label={selectedText} onKeyDown={goAlong}>
      <span className={styles.count}>{selectedText}</span>
      {/* A phone's list has no head with a box for it. */}
      {narrow && tasks.length < loaded && (
        <Button small onClick={onSelectLoaded}>
          {words.selectLoaded(loaded)}
        </Button>
      )}
      {isAllLoaded && groups && !isWhole && (
        <Button small onClick={() => setWhole(true)}>
          {words.selectWhole(format.about(found, sampled !== undefined))}
        </Button>
      )}
      {actions.map((action) => {
        const target = targetOf(action);
        return (
          <RoleButton
            key={action}
            needs={neededFor[action]}
            small
            kind={action === "delete" ? "danger" : "plain"}
            disabled={target.count === 0 && !isEstimate}
            onClick={() => setAsking({ action, target })}
          >
            {words[action]}{" "}
            {target.count > 0 && target.count < selected && (
              <span>{format.about(target.count, isEstimate)}</span>
            )}
          </RoleButton>
        );
      })}
      <Button small kind="quiet" onClick={onClear}>
        {words.clearSelection}
      </Button>
      {asking && isSearchAction(asking.action) && "search" in asking.target ? (
        <SearchActionDialog
          action={asking.action}
          search={asking.target.search}
          count={asking.target.count}
          onClose={close}
          onDone={done}
        />
      ) : (
        asking && <ActionDialog {...asking} onClose={close} onDone={done} />
      )}
    </div>
  );
}

function buttonsOf(bar: HTMLElement | null): HTMLButtonElement[] {
  return [...(bar?.querySelectorAll<HTMLButtonElement>(":scope > button:enabled") ?? [])];
}

/** The arrows go from button to button, as in every toolbar. */
function goAlong({ key, currentTarget, target }: KeyboardEvent<HTMLElement>): void {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
  const buttons = buttonsOf(currentTarget);
  const at = buttons.indexOf(target as HTMLButtonElement);
  if (by && at >= 0) buttons.at((at + by) % buttons.length)?.focus();
}

function isSearchAction(action: TaskAction): action is SearchAction {
  return action !== "runAgain";
}

type Counts = readonly { status?: unknown; count: number }[];

function countOf(search: TaskSearch, counts: Counts): number {
  return sum(counts.filter(({ status }) => !search.status || search.status === status));
}

function countFor(action: TaskAction, search: TaskSearch, counts: Counts = []): number {
  const suited: readonly unknown[] = statusesFor[action];
  return sum(
    counts.filter(({ status }) => suited.includes(status) && (!search.status || search.status === status)),
  );
}

function sum(counts: Counts): number {
  return counts.reduce((total, { count }) => total + count, 0);
}
