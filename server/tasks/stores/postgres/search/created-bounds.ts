/** The part of an index by (created_at, task_id) that a search looks at: one bound for each end, since a walk stops at one. */
import type { Place, StoreSearch } from "../../../core/store.ts";
import { isDownwards } from "../../shared/search-bounds.ts";

/**
 * Conditions on `created_at` and `task_id`.
 * @param add `$n` of a value
 * @param after only what lies beyond this place in the search's order
 * @param instant how the column is written: as an expression no index is walked for it
 */
export function createdBounds(
  add: (value: unknown) => string,
  search: StoreSearch,
  after?: Place,
  instant = "created_at",
): string[] {
  const { start, end } = createdRange(search);
  const isDown = isDownwards(search);
  const at = after?.value ?? 0;
  const isPlaceHigh = after !== undefined && isDown && (end === undefined || at < end);
  const isPlaceLow = after !== undefined && !isDown && (start === undefined || at >= start);
  const beyond = (operator: string) => {
    return `(${instant}, task_id) ${operator} (${add(at)}::bigint, ${add(after!.id)}::text)`;
  };
  const bounds: string[] = [];
  if (isPlaceLow) bounds.push(beyond(">"));
  else if (start !== undefined) bounds.push(`${instant} >= ${add(start)}::bigint`);
  if (isPlaceHigh) bounds.push(beyond("<"));
  else if (end !== undefined) bounds.push(`${instant} < ${add(end)}::bigint`);
  return bounds;
}

/** No task was changed before it was created. */
export function createdRange({ created, updated }: StoreSearch): { start?: number; end?: number } {
  const ends = [created?.end, updated?.end].filter((end) => end !== undefined);
  return {
    ...(created?.start !== undefined && { start: created.start }),
    ...(ends.length > 0 && { end: Math.min(...ends) }),
  };
}
