/** How the index of texts is asked: for trigrams, in the columns of states, and of lanes. */
import type { StoreSearch } from "../../../core/store.ts";
import { stateOf } from "../attributes/attributes.ts";
import type { Connection } from "../connection.ts";
import { lanesOf } from "../search/key-source.ts";
import { sourceSql as sql } from "../statements.ts";
import { statusNumbers } from "../statuses.ts";
import { TrigramShares } from "./trigram-shares.ts";

/** So many of the newest tell how frequent a trigram is; at most so many trigrams are looked at, and so many asked for. */
const probeSize = 50;
const probedMax = 16;
const raresMax = 3;
/** Of more lanes the index is not asked. */
const lanesMax = 32;
const columns: ReadonlyMap<number, string> = new Map([
  [0, "waiting"],
  [3, "completed"],
  [4, "failed"],
  [5, "cancelled"],
]);

/** What the index is asked. */
export interface Match {
  /** For what nearly every text has that has the text, and few others have. */
  text: string;
  /** For its rarest trigram alone. */
  rarest: string;
  /** Whether all that it finds are of the lanes of the search, as far as the index knows. */
  isOfLanes: boolean;
}

/**
 * A text is looked for by its rarest trigrams: all of them would find little less, and those that nearly every text has make
 * it slow. Each task is tested anyway.
 * @param spread which share of the tasks has what these have, the newest that have it
 */
export function matchOf(
  connection: Connection,
  search: StoreSearch,
  text: string,
  spread: (newest: readonly [number][]) => number,
): Match {
  const characters = [...text];
  const trigrams = new Set(
    characters.slice(2).map((_, place) => characters.slice(place, place + 3).join("")),
  );
  const step = Math.ceil(trigrams.size / probedMax);
  const probed = [...trigrams].filter((_, place) => place % step === 0);
  const rares =
    probed.length === 1 ? probed : rarestOf(probed, (trigram) => shareOf(connection, trigram, spread));
  const states = columnsOf(search);
  const lanes = laneTerms(connection, search);
  const within = (term: string) =>
    [`${states}(${term})`, ...(lanes ? [`lane : (${lanes})`] : [])].join(" AND ");
  return {
    text: within(rares.map(quoted).join(" AND ")),
    rarest: within(quoted(rares[0]!)),
    isOfLanes: lanes !== undefined,
  };
}

function rarestOf(trigrams: readonly string[], share: (trigram: string) => number): string[] {
  const shares = new Map(trigrams.map((trigram) => [trigram, share(trigram)]));
  return [...trigrams].sort((a, b) => shares.get(a)! - shares.get(b)!).slice(0, raresMax);
}

function shareOf(
  connection: Connection,
  trigram: string,
  spread: (newest: readonly [number][]) => number,
): number {
  return sharesOf(connection).of(trigram, () => {
    const newest = connection.prepare(sql.someTexts).all(quoted(trigram), probeSize) as unknown as [number][];
    return newest.length < probeSize ? 0 : spread(newest);
  });
}

const shares = new WeakMap<Connection, TrigramShares>();

function sharesOf(connection: Connection): TrigramShares {
  const known = shares.get(connection) ?? new TrigramShares();
  shares.set(connection, known);
  return known;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function columnsOf({ statuses }: StoreSearch): string {
  if (!statuses) return "";
  const states = new Set(statuses.map((name) => stateOf(statusNumbers[name])));
  return `{${[...states].map((state) => columns.get(state)).join(" ")}} : `;
}

/** Undefined where they are all, or too many to be asked for. */
function laneTerms(connection: Connection, search: StoreSearch): string | undefined {
  const lanes = lanesOf(connection, search);
  if (!lanes || lanes.size === 0 || lanes.size > lanesMax) return undefined;
  return [...lanes].map((lane) => quoted(laneTerm(lane))).join(" OR ");
}

/** Three characters for private use; those of different lanes differ as long as there are not very many. */
export function laneTerm(lane: number): string {
  return String.fromCharCode(...[lane >> 12, lane >> 6, lane].map((digits) => 0xe000 + (digits & 63)));
}
