/** Whether the window is as narrow as a phone; the same bound as in the style sheets. */
import { useSyncExternalStore } from "react";

const query = matchMedia("(max-width: 760px)");

export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      query.addEventListener("change", listener);
      return () => query.removeEventListener("change", listener);
    },
    () => query.matches,
  );
}
