/** The search box: completion of fields and values while typing, Enter to search, the server's objections in place. */
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { ApiError, api } from "../api.ts";
import type { Completion } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { Icon } from "./icon.tsx";
import styles from "./query-box.module.css";

const completeAfterMs = 120;
const itemsMax = 12;

export function QueryBox({
  query,
  error,
  onSearch,
}: {
  query: string;
  error: Error | null;
  onSearch: (query: string) => void;
}) {
  const words = useWords();
  const listId = useId();
  const errorId = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(query);
  const completion = useCompletion();
  useEffect(() => setText(query), [query]);

  const search = (next: string) => {
    completion.close();
    onSearch(next.trim());
  };
  const accept = (index: number) => {
    const next = completion.accept(index);
    if (!next) return;
    setText(next.text);
    requestAnimationFrame(() => input.current?.setSelectionRange(next.caret, next.caret));
    if (next.text.endsWith(":")) completion.ask(next.text, next.caret);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const { items, active } = completion;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (items.length === 0) completion.ask(text, input.current?.selectionStart ?? text.length);
      else completion.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (active >= 0) accept(active);
      else search(text);
    } else if (event.key === "Tab" && active >= 0) {
      event.preventDefault();
      accept(active);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (items.length > 0) completion.close();
      else input.current?.blur();
    }
  };
  const objection = error instanceof ApiError && error.code === "INVALID_QUERY" ? error : undefined;
  const open = completion.items.length > 0;
  return (
    <search className={styles.box}>
      <span className={styles.icon}>
        <Icon name="search" />
      </span>
      <input
        ref={input}
        data-search
        className={styles.input}
        type="text"
        role="combobox"
        spellCheck={false}
        autoComplete="off"
        autoCapitalize="off"
        enterKeyHint="search"
        aria-label={words.searchTasks}
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={open ? listId : undefined}
        aria-activedescendant={completion.active >= 0 ? `${listId}-${completion.active}` : undefined}
        aria-invalid={objection !== undefined}
        aria-describedby={objection ? errorId : undefined}
        placeholder={words.searchHint}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          completion.ask(event.target.value, event.target.selectionStart ?? event.target.value.length);
        }}
        onKeyDown={onKeyDown}
        onBlur={completion.close}
      />
      {text !== "" && (
        <button
          type="button"
          className={styles.clear}
          aria-label={words.clearSelection}
          onClick={() => {
            setText("");
            search("");
            input.current?.focus();
          }}
        >
          <Icon name="close" size={14} />
        </button>
      )}
      {open && (
        <div className={styles.list} role="listbox" id={listId} aria-label={words.searchSyntax}>
          {completion.items.map((item, index) => (
            <div
              key={item.text}
              id={`${listId}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === completion.active}
              className={styles.item}
              // The box keeps the focus: a press must not take it.
              onPointerDown={(event) => {
                event.preventDefault();
                accept(index);
              }}
            >
              <code>{item.text}</code>
              <span>{item.detail && words.said(item.detail)}</span>
            </div>
          ))}
        </div>
      )}
      {objection && <Objection id={errorId} query={query} error={objection} />}
    </search>
  );
}

/** What the server could not read, with the place marked. Columns count from 1. */
function Objection({ id, query, error }: { id: string; query: string; error: ApiError }) {
  const words = useWords();
  const column = Number(error.details.column);
  const marked = Number.isInteger(column) && column >= 1;
  const met = /^(?:[^\s:]+|.)?/u.exec(query.slice(column - 1))![0];
  return (
    <div id={id} className={styles.objection} role="alert">
      {marked && (
        <code className={styles.place}>
          {query.slice(0, column - 1)}
          <mark>{met || "\u00a0"}</mark>
          {query.slice(column - 1 + met.length)}
        </code>
      )}
      <span>
        {marked ? words.queryUnreadable(column, problemOf(error)) : words.refusal(error.code, error.message)}
      </span>
    </div>
  );
}

/** Without what it says of the place. Below its first line the message draws the query and its mark, for terminals. */
function problemOf({ details: { problem }, message }: ApiError): string {
  return typeof problem === "string" ? problem : message.split("\n", 1)[0]!;
}

interface Asked {
  text: string;
  position: number;
}

function useCompletion() {
  const [typed, setTyped] = useState<Asked>();
  const [asked, setAsked] = useState<Asked>();
  const [active, setActive] = useState(-1);
  useEffect(() => {
    if (!typed) return setAsked(undefined);
    const timer = setTimeout(() => setAsked(typed), completeAfterMs);
    return () => clearTimeout(timer);
  }, [typed]);
  const { data } = useQuery({
    queryKey: ["complete", asked?.text, asked?.position],
    queryFn: async ({ signal }) => ({
      ...(await api.complete(asked!.text, asked!.position, signal)),
      asked: asked!,
    }),
    enabled: asked !== undefined,
    placeholderData: (before) => before,
    retry: false,
    gcTime: 60_000,
  });
  const grown = typed && asked && data && grownBy(data, typed);
  const items = grown === undefined ? [] : data!.items.slice(0, itemsMax);
  return {
    items,
    active: active < items.length ? active : -1,
    ask: (text: string, position: number) => {
      setActive(-1);
      setTyped({ text, position });
    },
    move: (by: number) =>
      setActive((at) => (at + by + items.length + (at < 0 && by < 0 ? 1 : 0)) % items.length),
    close: () => {
      setActive(-1);
      setTyped(undefined);
    },
    accept: (index: number) => {
      const item = items[index];
      if (!typed || !data || !item) return undefined;
      setActive(-1);
      setTyped(undefined);
      const before = typed.text.slice(0, data.from) + item.text + (item.text.endsWith(":") ? "" : " ");
      return { text: before + typed.text.slice(data.to + grown!).trimStart(), caret: before.length };
    },
  };
}

/** By how much what is to be replaced has grown, or shrunk, since it was asked about; undefined when another place is typed at. */
function grownBy({ asked, from }: Completion & { asked: Asked }, typed: Asked): number | undefined {
  const grown = typed.text.length - asked.text.length;
  const place = Math.min(asked.position, typed.position);
  const isSame =
    typed.position === asked.position + grown &&
    place >= from &&
    typed.text.slice(0, place) === asked.text.slice(0, place) &&
    typed.text.slice(typed.position) === asked.text.slice(asked.position);
  return isSame ? grown : undefined;
}
