/**
 * The SQL of the order by start from the list of all tasks. Most start soon after their creation: of those that are read in the order of their
 * ids each started at most `promptMs` after the place it has there. The others are in `tasks_waited`, of all lanes and statuses. So a page of many
 * lanes needs no look into each. Not more are looked at than looks into the lanes would take; where these were not enough, nothing is answered.
 */
import { ulidStart } from "../../../core/ids.ts";
import type { StoreSearch } from "../../../core/store.ts";
import { sortedBetween } from "../../shared/near-orders.ts";
import { earliest, isDownwards, latest } from "../../shared/search-bounds.ts";
import { columnsWithin } from "../rows.ts";
import { shape } from "../statement.ts";
import { type Reach, taskBehind } from "./near-statements.ts";
import {
  movingConditions,
  ordered,
  type Pair,
  type SearchStatement,
  split,
  Text,
} from "./search-statements.ts";
import { firstId, lastId, type WholeBounds } from "./whole-keys.ts";
import { isOfAll, likelyLooked, passedInLook, passes, sumOf } from "./whole-pages.ts";

/** A task that started later than this after its creation, or before it, is in an index of its own; see migration 31. */
export const promptMs = 2_000;

const wait = "tasks.started_at - tasks.created_at";
export const isPrompt = `${wait} BETWEEN 0 AND ${promptMs}`;
export const isWaited = `tasks.status <> 2 AND ${wait} NOT BETWEEN 0 AND ${promptMs}`;

/**
 * Rows of `NearRow`, of which the first says 0 if these are the first places, and else that they are not known. Undefined where looks into each lane
 * are likely to have them sooner.
 */
export function listedStatement(
  search: StoreSearch,
  pairs: readonly Pair[],
  { limit, all, tasks }: Pick<Reach, "limit" | "all" | "tasks">,
): SearchStatement | undefined {
  const { settled, moving } = split(pairs);
  const started = settled.filter(({ status }) => status > 0);
  const looks = looksOf(started);
  const bounds = listBounds(search);
  const most = isOfAll(search) ? sumOf(pairs) : all;
  const looked = likelyLooked(likelyStarted(started), looks, limit, most, bounds);
  if (looked === undefined) return undefined;
  return statementOf(search, {
    started,
    moving,
    bounds,
    looked,
    most: looked + looks * passedInLook,
    limit,
    tasks,
  });
}

interface Listed extends Pick<Reach, "limit" | "tasks"> {
  started: readonly Pair[];
  moving: readonly Pair[];
  bounds: WholeBounds;
  /** So many of the list are looked at to learn how far the page reaches, and so many for the page. */
  looked: number;
  most: number;
}

function statementOf(search: StoreSearch, listed: Listed): SearchStatement {
  const { started, moving, bounds, looked, limit, tasks } = listed;
  const text = new Text();
  const down = isDownwards(search);
  const most = text.add(listed.most);
  const wanted = text.add(limit);
  const [byId, byStart] = [["tasks.id"], ["tasks.started_at", "tasks.id"]].map((columns) =>
    ordered(search, columns),
  );
  const byValue = ordered(search, ["value", "id"]);
  const [nearer, farther] = down ? ["greatest", "min"] : ["least", "max"];
  const { within, beyond, last } = startBounds(text, search);
  const passing = passes(text, { ...search, statuses: [] }, started);
  const created = createdWithin(text, search);
  const ids = `tasks.id >= ${text.add(bounds.from)}::text AND tasks.id < ${text.add(bounds.to)}::text`;
  const edge = down
    ? `tasks.id >= ${idOf(`value - ${promptMs}`, firstId)}`
    : `tasks.id < ${idOf("value + 1", lastId)}`;
  const { after: _after, ...unplaced } = search;
  const runs = movingConditions(text, unplaced, moving).join(" AND ");
  return {
    statement: shape(
      "listedStarts",
      `WITH begun AS MATERIALIZED (
        SELECT CASE WHEN count(*) >= ${wanted}::integer THEN ${farther}(value) END AS value FROM (
          SELECT tasks.started_at AS value FROM (
            SELECT * FROM :schema.tasks WHERE ${ids} ORDER BY ${byId} LIMIT ${text.add(looked)}) AS tasks
          WHERE ${isPrompt} AND ${passing} AND ${within} ORDER BY ${byId} LIMIT ${wanted}) AS first),
      waited AS MATERIALIZED (
        SELECT tasks.started_at AS value, tasks.id, ${passing} AND ${created} AS fits FROM :schema.tasks
        WHERE ${isWaited} AND ${beyond} AND tasks.started_at ${down ? ">=" : "<="} ${nearer}((SELECT value FROM begun), ${last})
        ORDER BY ${byStart} LIMIT ${most}),
      foremost AS MATERIALIZED (SELECT value, id FROM waited WHERE fits ORDER BY ${byValue} LIMIT ${wanted}),
      edge AS MATERIALIZED (
        SELECT ${nearer}((SELECT value FROM begun), (SELECT value FROM foremost ORDER BY ${byValue} LIMIT 1 OFFSET ${wanted} - 1)) AS value),
      listed AS MATERIALIZED (
        SELECT tasks.started_at AS value, tasks.id, ${isPrompt} AND ${passing} AND ${within} AS fits FROM :schema.tasks
        WHERE ${ids} AND ${edge} ORDER BY ${byId} LIMIT ${most}),
      known AS MATERIALIZED (
        SELECT (SELECT count(*) FROM listed) < ${most}
          AND ((SELECT count(*) FROM foremost) >= ${wanted} OR (SELECT count(*) FROM waited) < ${most}) AS is_page),
      page AS MATERIALIZED (
        SELECT row_number() OVER () AS place, ordered.* FROM (
          SELECT value, id FROM (
            SELECT value, id FROM listed WHERE fits UNION ALL SELECT value, id FROM foremost
            UNION ALL SELECT tasks.started_at, tasks.id FROM :schema.tasks WHERE ${runs} AND ${within}) AS found
          WHERE (SELECT is_page FROM known) ORDER BY ${byValue} LIMIT ${wanted}) AS ordered)
      SELECT CASE WHEN is_page THEN 0 ELSE 1 END, NULL::bigint, NULL::text, page.value, page.id ${tasks ? `, ${columnsWithin(text.add(tasks.share))}` : ""}
      FROM known LEFT JOIN page ON true ${tasks ? `LEFT JOIN LATERAL (${taskBehind(text.add(tasks.from))}) AS tasks ON true` : ""}
      ORDER BY page.place`,
    ),
    values: text.values,
  };
}

/** Of those that wait few have started, and they are counted together. */
export function likelyStarted(pairs: readonly Pair[]): Pair[] {
  return pairs.map((pair) => (pair.status < 2 ? { ...pair, tasks: 0 } : pair));
}

/** How many looks into lanes and statuses the order by start would take. */
export function looksOf(pairs: readonly Pair[]): number {
  const started = pairs.filter(({ status }) => status > 0 && status !== 2);
  return started.length + started.filter(({ status }) => status === 3 || status === 4).length;
}

/** Between which ids tasks lie that started promptly where the search looks. */
function listBounds(search: StoreSearch): WholeBounds {
  const { created, updated } = search;
  const down = isDownwards(search);
  const sorted = sortedBetween(search);
  const from = latest(created?.start, sorted.from - promptMs)!;
  const to = earliest(earliest(created?.end, updated?.end), sorted.to + 1)!;
  const first = idAt(from);
  const changedFrom = updated?.start ?? -Infinity;
  return {
    from: first,
    to: idAt(to),
    beyond: down ? lastId : firstId,
    isFromFirst: !down && first === firstId,
    // Upwards before a range of the last change many are passed over.
    isAfterLate: down || from >= changedFrom - promptMs,
  };
}

const timeMax = 2 ** 48;

function idAt(instant: number): string {
  return instant <= 0 ? firstId : instant >= timeMax ? lastId : ulidStart(instant);
}

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** SQL of what every generated id of an instant begins with, and of `none` where there is no instant; `instant` is of `value` of `edge`. */
function idOf(instant: string, none: string): string {
  const letters = Array.from(
    { length: 10 },
    (_, place) => `substr('${digits}', (at >> ${45 - 5 * place} & 31)::integer + 1, 1)`,
  );
  return `(SELECT CASE WHEN value IS NULL THEN '${none}' ELSE ${letters.join(" || ")} END
          FROM (SELECT value, least(greatest(${instant}, 0), ${timeMax - 1}) AS at FROM edge) AS edge)`;
}

/** Conditions on the start: within its bounds and beyond the place; the same for a walk, which `last` ends. */
function startBounds(text: Text, search: StoreSearch): { within: string; beyond: string; last: string } {
  const { after } = search;
  const { from, to } = sortedBetween(search);
  const down = isDownwards(search);
  const [nearest, farthest] = down ? [to, from] : [from, to];
  const isAtBound = after !== undefined && after.value === nearest;
  const id = isAtBound ? after.id : down ? lastId : firstId;
  const [first, last] = [text.add(nearest), text.add(farthest)].map((bound) => `${bound}::bigint`) as [
    string,
    string,
  ];
  const beyond = `(tasks.started_at, tasks.id) ${down ? "<" : ">"} (${first}, ${text.add(id)}::text)`;
  return { within: `${beyond} AND tasks.started_at ${down ? ">=" : "<="} ${last}`, beyond, last };
}

export function createdWithin(text: Text, { created }: StoreSearch): string {
  const at = (instant: number) => `${text.add(instant)}::bigint`;
  return `tasks.created_at >= ${at(created?.start ?? Number.MIN_SAFE_INTEGER)} AND tasks.created_at < ${at(created?.end ?? Number.MAX_SAFE_INTEGER)}`;
}
