/** Whether there is somebody: until the first 401, or until they log out; then the shell says how to come in. */
import { useSyncExternalStore } from "react";
import { ApiError } from "./api.ts";

/** `out` for those who logged out, `asked` when the server asks for its token, `unknown` when another says who may come in. */
export type SessionState = "in" | "asked" | "out" | "unknown";

const listeners = new Set<() => void>();
let state: SessionState = "in";

export function useSessionState(): SessionState {
  return useSyncExternalStore(listen, () => state);
}

/** To be told every error of the API. */
export function noteError(error: unknown): void {
  if (error instanceof ApiError && error.status === 401) leave(error.details.authorize ? "unknown" : "asked");
}

/** To be told once the server has ended the session. */
export function noteLogout(): void {
  leave("out");
}

function leave(next: SessionState): void {
  if (state !== "in") return;
  state = next;
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
