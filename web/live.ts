/** The live stream: `changed` hints refresh what is shown; a stream that breaks is opened again by the browser. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createContext, useEffect, useState } from "react";
import { api } from "./api.ts";
import { type Calmed, calmed } from "./calmed.ts";
import { liveKeys } from "./queries.ts";

/** `opening` before the first stream is there. */
export type LiveState = "opening" | "live" | "reconnecting" | "offline";

/** Counts the hints heard so far, for pages that look for themselves what is new. */
export const ChangesContext = createContext(0);

/** At most one refresh in this time, whatever is heard. */
const refreshEveryMs = 1000;
/** An estimate is renewed no more often. */
const estimateEveryMs = 15_000;
/** A browser gives a stream up when it was refused; then it is asked for anew. */
const reopenAfterMs = 5000;

export function useLiveStream(enabled: boolean): { state: LiveState; changes: number } {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>("opening");
  const [changes, setChanges] = useState(0);
  useEffect(() => {
    if (!enabled) return;
    return listen(
      setState,
      calmed(
        () => {
          setChanges((count) => count + 1);
          refresh(client);
        },
        () => refreshEveryMs,
      ),
    );
  }, [client, enabled]);
  return { state, changes };
}

function listen(onState: (state: LiveState) => void, onChange: Calmed): () => void {
  let source: EventSource | undefined;
  let reopening: ReturnType<typeof setTimeout> | undefined;
  let wasOpen = false;
  const open = () => {
    source = new EventSource(api.eventsUrl());
    source.onopen = () => {
      onState("live");
      // Changes between two streams were not heard.
      if (wasOpen) onChange.call();
      wasOpen = true;
    };
    source.onerror = () => {
      const refused = source?.readyState === EventSource.CLOSED;
      onState(refused ? "offline" : "reconnecting");
      if (refused) reopening = setTimeout(open, reopenAfterMs);
    };
    source.addEventListener("changed", onChange.call);
  };
  open();
  return () => {
    clearTimeout(reopening);
    onChange.stop();
    source?.close();
  };
}

function refresh(client: QueryClient): void {
  if (document.visibilityState === "hidden") return;
  for (const queryKey of liveKeys) {
    client.invalidateQueries({ queryKey: [...queryKey], predicate: ({ state }) => isWorthAsking(state) });
  }
}

/** What was too much to be counted is estimated, which takes a while; a second later it is no other. */
function isWorthAsking({ data, dataUpdatedAt }: { data: unknown; dataUpdatedAt: number }): boolean {
  const { sampled } = (data ?? {}) as { sampled?: number };
  return sampled === undefined || Date.now() - dataUpdatedAt > estimateEveryMs;
}
