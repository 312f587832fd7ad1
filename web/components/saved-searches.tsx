/** Saved searches: opens one, keeps the one that is looked at, deletes one. Others see them too: they are in the store. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, lazy, Suspense, useState } from "react";
import { type AlertRule, spanMs } from "../alert-rule.ts";
import { api, type TaskSearch } from "../api.ts";
import type { SavedSearchDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { queryOf } from "../saved-query.ts";
import { useTelling } from "../telling.ts";
import { Button, RoleButton } from "./button.tsx";
import { inputClass } from "./field.tsx";
import { Icon } from "./icon.tsx";
import { Menu } from "./menu.tsx";
import styles from "./saved-searches.module.css";
import { useToast } from "./toast.tsx";

const AlertDialog = lazy(async () => ({ default: (await import("./alert-dialog.tsx")).AlertDialog }));

export function SavedSearches({ search, onOpen }: { search: TaskSearch; onOpen: (query: string) => void }) {
  const words = useWords();
  const { data, refetch } = useQuery(queries.searches());
  const alerts = data?.filter(isAlerting).length ?? 0;
  const mark = alerts > 0 && (
    <span
      className={styles.alerts}
      role="img"
      aria-label={words.alertsNow(alerts)}
      title={words.alertsNow(alerts)}
    />
  );
  const [alertOf, setAlertOf] = useState<string>();
  const watched = data?.find(({ name }) => name === alertOf);
  return (
    <>
      <Menu
        icon="bookmark"
        label={words.savedSearches}
        mark={mark}
        className={styles.list}
        onOpen={() => void refetch()}
      >
        {(close) => (
          <>
            {data?.length === 0 && <p className={styles.none}>{words.noSavedSearches}</p>}
            <ul>
              {data?.map((saved) => (
                <Saved
                  key={saved.name}
                  saved={saved}
                  isHere={search.q === `@${saved.name}`}
                  onOpen={() => {
                    onOpen(`@${saved.name}`);
                    close();
                  }}
                  onAlert={() => {
                    close();
                    setAlertOf(saved.name);
                  }}
                />
              ))}
            </ul>
            <SaveThis search={search} />
          </>
        )}
      </Menu>
      {watched && (
        <Suspense>
          <AlertDialog saved={watched} onClose={() => setAlertOf(undefined)} />
        </Suspense>
      )}
    </>
  );
}

function isAlerting({ alertState }: SavedSearchDocument): boolean {
  return alertState?.enqueuedAt !== undefined;
}

function Saved({
  saved,
  isHere,
  onOpen,
  onAlert,
}: {
  saved: SavedSearchDocument;
  isHere: boolean;
  onOpen: () => void;
  onAlert: () => void;
}) {
  const words = useWords();
  const { name, query, description, alert } = saved;
  const alertLabel = alert ? words.alertOf(name) : words.alertAddTo(name);
  return (
    <li className={styles.saved}>
      <button
        type="button"
        className={styles.open}
        aria-current={isHere ? "true" : undefined}
        title={description ?? query}
        onClick={onOpen}
      >
        <span className={styles.name}>{name}</span>
        <code>{query || words.allStatuses}</code>
        <AlertNote saved={saved} />
      </button>
      <Button small kind="quiet" aria-label={alertLabel} title={alertLabel} onClick={onAlert}>
        <Icon name="bell" size={14} />
      </Button>
      <Delete name={name} />
    </li>
  );
}

function AlertNote({ saved }: { saved: SavedSearchDocument }) {
  const words = useWords();
  const format = useFormat();
  const { alert, alertState } = saved;
  if (!alert) return null;
  if (alertState?.problem) return <span className={styles.bad}>{words.alertFails(alertState.problem)}</span>;
  if (!isAlerting(saved) || !alertState?.since) return <AlertRuleText rule={alert} />;
  const since = format.dayTime(new Date(alertState.since));
  return <span className={styles.bad}>{words.alertSince(format.count(alertState.count ?? 0), since)}</span>;
}

function AlertRuleText({ rule: { over, under, for: span, enqueue } }: { rule: AlertRule }) {
  const words = useWords();
  const format = useFormat();
  const bounds = [
    ...(over === undefined ? [] : [words.alertSaysOver(over)]),
    ...(under === undefined ? [] : [words.alertSaysUnder(under)]),
  ];
  const ms = spanMs(span);
  return (
    <span className={styles.rule}>
      {words.alertSays(bounds, ms > 0 ? format.span(ms) : undefined, enqueue.type)}
    </span>
  );
}

/** The first press asks, the second does it. */
function Delete({ name }: { name: string }) {
  const words = useWords();
  const tell = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const [isAsked, setAsked] = useState(false);
  const deleting = useMutation({
    mutationFn: () => api.deleteSearch(name),
    onSuccess: () => say(words.searchDeleted(name)),
    onError: (error) => say(tell(error), true),
    onSettled: () => client.invalidateQueries({ queryKey: ["searches"] }),
  });
  return (
    <RoleButton
      needs="operator"
      small
      kind={isAsked ? "danger" : "quiet"}
      aria-label={isAsked ? words.deleteSearchSure(name) : words.deleteSearch(name)}
      title={words.deleteSearch(name)}
      pending={deleting.isPending}
      onBlur={() => setAsked(false)}
      onClick={() => (isAsked ? deleting.mutate() : setAsked(true))}
    >
      {isAsked ? words.delete : <Icon name="close" size={14} />}
    </RoleButton>
  );
}

function SaveThis({ search }: { search: TaskSearch }) {
  const words = useWords();
  const tell = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const saving = useMutation({
    mutationFn: () => api.saveSearch(name.trim(), { query: queryOf(search) }),
    onSuccess: ({ name: saved }) => {
      say(words.searchSaved(saved));
      setName("");
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["searches"] }),
  });
  const save = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() !== "") saving.mutate();
  };
  return (
    <form className={styles.save} onSubmit={save}>
      <input
        className={inputClass}
        aria-label={words.searchName}
        aria-invalid={saving.error !== null}
        placeholder={words.searchName}
        maxLength={64}
        autoComplete="off"
        spellCheck={false}
        value={name}
        onChange={(event) => {
          setName(event.target.value);
          saving.reset();
        }}
      />
      <RoleButton needs="operator" small type="submit" pending={saving.isPending}>
        {words.saveSearch}
      </RoleButton>
      {saving.error && (
        <p className={styles.bad} role="alert">
          {tell(saving.error)}
        </p>
      )}
    </form>
  );
}
