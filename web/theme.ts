/** Dark or light: as the system says, or as the reader chose; `data-theme` on the document decides the palette. */
import { useSyncExternalStore } from "react";
import { recall, remember } from "./preferences.ts";

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const listeners = new Set<() => void>();
let theme: Theme = themes.find((known) => known === recall("theme")) ?? "system";
apply();

export function useTheme(): [Theme, (theme: Theme) => void] {
  return [useSyncExternalStore(listen, () => theme), choose];
}

function choose(next: Theme): void {
  theme = next;
  remember("theme", next);
  apply();
  for (const listener of listeners) listener();
}

function apply(): void {
  document.documentElement.dataset.theme = theme;
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
