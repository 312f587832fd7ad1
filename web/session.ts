/** Whether the server asks who is there: set by the first 401, and by it the shell shows the token prompt. */
import { useSyncExternalStore } from "react";
import { ApiError } from "./api.ts";

const listeners = new Set<() => void>();
let tokenAsked = false;

export function useTokenAsked(): boolean {
  return useSyncExternalStore(listen, () => tokenAsked);
}

/** To be told every error of the API. */
export function noteError(error: unknown): void {
  if (!(error instanceof ApiError) || error.status !== 401 || tokenAsked) return;
  tokenAsked = true;
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
