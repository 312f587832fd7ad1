/** What a process that asks many searches is likely to ask: it is planned ahead, see rehearsal.ts. */
import type { Rehearsed } from "./connections/rehearsal.ts";
import { usualSummaries } from "./counts/usual-summaries.ts";
import { usualPages } from "./search/usual-pages.ts";

/** Pages first. @param isBounded whether pages are bounded by bytes */
export function* usualQuestions(isBounded: boolean): Generator<Rehearsed> {
  yield* usualPages(isBounded);
  yield* usualSummaries();
}
