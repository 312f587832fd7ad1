/** What searches are sorted by, as a list; by itself, so that a command line can name them without loading a search. */
import type { TaskSortField } from "./search.ts";

export const sortFields = [
  "createdAt",
  "updatedAt",
  "startedAt",
  "completedAt",
  "dueAt",
  "duration",
  "priority",
  "relevance",
  "id",
] as const satisfies readonly TaskSortField[];
