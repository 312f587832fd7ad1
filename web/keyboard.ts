/** Single-key shortcuts: never while somebody types, never with a modifier, and off when the reader says so (WCAG 2.1.4). */
import { useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { recall, remember } from "./preferences.ts";

export type Shortcuts = { readonly [keys: string]: () => void };

/** How long after the first of two keys the second still counts. */
const sequenceMs = 1200;

const listeners = new Set<() => void>();
let enabled = recall("shortcuts") !== "off";

export function useShortcutsEnabled(): [boolean, (on: boolean) => void] {
  return [useSyncExternalStore(listen, () => enabled), enable];
}

/** `shortcuts` by key, like `j`, `/` or `g t`; the latest given are used, from when what they are for is seen. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useLayoutEffect(() => {
    latest.current = shortcuts;
  });
  useLayoutEffect(() => {
    let first: { key: string; at: number } | undefined;
    const onKey = (event: KeyboardEvent) => {
      if (!enabled || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.defaultPrevented || document.querySelector("dialog[open], [data-menu][open]")) return;
      const sequence = first && event.timeStamp - first.at < sequenceMs ? `${first.key} ${event.key}` : "";
      const action = latest.current[sequence] ?? latest.current[event.key];
      first = { key: event.key, at: event.timeStamp };
      if (!action) return;
      event.preventDefault();
      first = undefined;
      action();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

const typed = "input:not([type=checkbox]), textarea, select, [contenteditable]";

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest(typed) !== null;
}

function enable(on: boolean): void {
  enabled = on;
  remember("shortcuts", on ? "on" : "off");
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
