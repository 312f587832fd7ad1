/** Candidates by a range of the start, else of the due time. */
import type { StoreSearch } from "../../../core/store.ts";
import type { Snapshot } from "../connections/database.ts";
import type { Context } from "../context.ts";
import { dueRangeSource } from "./due-range-source.ts";
import type { KeySource } from "./key-source.ts";
import { startRangeSource } from "./start-range-source.ts";

/** @param isCounted whether it must be known how many it gives */
export async function rangeSource(
  context: Context,
  session: Snapshot,
  search: StoreSearch,
  isCounted: boolean,
): Promise<KeySource | undefined> {
  const byStart = await startRangeSource(context, session, search);
  return byStart ?? dueRangeSource(context, session, search, { isCounted });
}
