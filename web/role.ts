/** What the reader's role lets them do. The server decides; this only keeps buttons from promising what it refuses. */
import { useQuery } from "@tanstack/react-query";
import type { Role } from "./contract.ts";
import { useWords } from "./i18n/language.tsx";
import { queries } from "./queries.ts";

export type { Role } from "./contract.ts";

const ranks: Record<Role, number> = { viewer: 1, operator: 2, admin: 3 };

/** Whether payloads, results and errors are shown to the reader; true while that is not known. */
export function useSeesPayloads(): boolean {
  const { data } = useQuery(queries.session());
  return data?.seesPayloads !== false;
}

/** Why the reader may not do what needs this role; undefined when they may, and while that is not known. */
export function useMissingRole(needed: Role): string | undefined {
  const words = useWords();
  const { data } = useQuery(queries.session());
  return data && ranks[data.role] < ranks[needed]
    ? words.needsRole(words.roles[needed], words.roles[data.role])
    : undefined;
}
