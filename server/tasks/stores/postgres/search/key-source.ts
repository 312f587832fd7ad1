/**
 * The seam between a search with conditions and what finds its candidates sooner than walking all tasks would: an index of
 * attributes, or of texts. A source gives more tasks than fit, never fewer; each is tested on its row.
 */
import type { Place, PlanSource } from "../../../core/store.ts";
import type { StartsRead } from "../../shared/start-ranges.ts";
import type { Session } from "../connections/database.ts";
import type { Along, Candidate } from "./along.ts";

export interface KeySource {
  /** For explanations: what finds the candidates, and by which index. */
  readonly name: string;
  readonly index: PlanSource & ("id" | "attributes" | "texts" | "slow");
  /** About how many candidates there are; exact up to `estimateMax`, or as far as it was to be counted. */
  readonly estimate: number;
  /**
   * Whether keys come in the search's order, so that reading may stop when a page is full. Else `keys` gives all of
   * them, at most `gatheredMax`, in no order.
   */
  readonly isOrdered: boolean;
  /** Whether it gives only tasks of the types, queues and statuses that are asked for. */
  readonly isFiltered?: true;
  /** Whether no index finds the candidates: it walks over them, only nearer to where they are. */
  readonly isWalk?: true;
  /** What it reads for a range of the start. */
  readonly starts?: StartsRead;
  /** How many it gives, where that is told soon. */
  readonly total?: () => Promise<number>;
  /** About how many tasks it does not give, because their texts wait to be indexed. */
  readonly unindexed?: number;
  /**
   * The next candidates beyond a place, at most about `limit`. In the search's order, as (value sorted by, id), where
   * `isOrdered`; else `value` is null.
   */
  keys(session: Session, after: Place | undefined, limit: number): Promise<Candidates>;
}

/** What is asked of the sources beside candidates. */
export interface Asking {
  /** Reads the first candidates' tasks, too, where they come in order. */
  along?: Along | undefined;
  /** Candidates by attributes are counted up to so many, instead of `estimateMax`. */
  countedMost?: number;
}

export interface Candidates {
  places: Candidate[];
  /** Where there may be more, also when there were none up to there; undefined when these are all. */
  next?: Place | undefined;
}

/** Estimates are exact below this. */
export const estimateMax = 1_000;
/** More candidates than this are not gathered to be sorted. */
export const gatheredMax = 20_000;
