/** The statements of the change feed; see changes.ts. */
import { taskColumns } from "./rows.ts";
import { nowOf, statement } from "./statement.ts";

/** $1: the store's clock. */
export const present = statement(
  "changesPresent",
  `SELECT ${nowOf("$1")}, pg_current_snapshot()::text, (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint`,
);

/** When the oldest transaction that may have written began; null for one that this role is not told of. */
export const oldestWriter = statement(
  "changesOldestWriter",
  `SELECT bool_or(began IS NULL), (extract(epoch FROM min(began)) * 1000)::bigint FROM (
    SELECT xact_start AS began FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
    UNION ALL SELECT prepared FROM pg_prepared_xacts) AS writers`,
);

/** The number of a row's transaction in 64 bits, as a bigint: the one with its last 32 that is before the snapshot's end, $4. */
const number = "tasks.xmin::text::bigint";
const wide = `($4::bigint - $4::bigint % 4294967296 + ${number}
      - CASE WHEN ${number} >= $4::bigint % 4294967296 THEN 4294967296 ELSE 0 END)`;
/** Numbers below 3 are of rows that were there before all others; so is what wrapped around before there were 64 bits. */
const writer = `greatest(${wide}, 3)::text::xid8`;

/**
 * Not in what was read before ($5 the lowest number then under way, $6 the snapshot; null for all), and in the snapshot
 * that this reading began with ($7; null for the present one).
 */
const isUnread = `($6::text IS NULL OR (${wide} >= $5::bigint AND NOT pg_visible_in_snapshot(${writer}, $6::text::pg_snapshot))
        OR (tasks.stored_in IS NOT NULL AND NOT pg_visible_in_snapshot(tasks.stored_in, $6::text::pg_snapshot)))
      AND ($7::text IS NULL OR (pg_visible_in_snapshot(${writer}, $7::text::pg_snapshot)
        AND (tasks.stored_in IS NULL OR pg_visible_in_snapshot(tasks.stored_in, $7::text::pg_snapshot))))`;

/** Until a cancel request is obeyed, it is the latest change of a running task. */
const runningAt = "greatest(tasks.updated_at, tasks.cancel_requested_at)";
const next = "ORDER BY at, id LIMIT $3::integer";

/** Of every lane and status; in order, after the place ($1 an instant, $2 an id). */
const changed = (status: string, at: string, condition: string) => `SELECT found.* FROM :schema.lanes
      CROSS JOIN LATERAL (SELECT tasks.id, tasks.${at} AS at FROM :schema.tasks
        WHERE tasks.lane = lanes.lane AND tasks.status = ${status} AND tasks.status <> 2 AND ${condition}
          AND (tasks.${at}, tasks.id) > ($1::bigint, $2::text) AND ${isUnread}
        ORDER BY tasks.${at}, tasks.id LIMIT $3::integer) AS found`;

/** $8: from which transaction on late tasks are looked for. */
export const changes = statement(
  "readChanges",
  `SELECT found.at, ${taskColumns} FROM (
    SELECT id, at FROM (
      ${changed("0", "created_at", "true")}
      ${["1", "3", "4", "5"].map((status) => `UNION ALL ${changed(status, "updated_at", "tasks.status <> 0")}`).join("\n      ")}
      UNION ALL (SELECT tasks.id, ${runningAt} AS at FROM :schema.tasks WHERE tasks.status = 2
        AND (${runningAt}, tasks.id) > ($1::bigint, $2::text) AND ${isUnread})
    ) AS streams ${next}) AS found
    CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = found.id OFFSET 0) AS tasks
  ORDER BY found.at, found.id`,
);

/** Tasks that are new, and were created before the time that is looked through: by number of transaction. $2: an id. */
export const lateChanges = statement(
  "readLateChanges",
  `SELECT found.id, ${taskColumns} FROM (
    SELECT id FROM (
      SELECT tasks.id FROM :schema.tasks
      WHERE tasks.stored_in IS NOT NULL AND tasks.status = 0 AND tasks.stored_in >= $8::text::xid8
        AND tasks.created_at < $1::bigint AND tasks.id > $2::text AND ${isUnread} OFFSET 0
    ) AS late ORDER BY id LIMIT $3::integer) AS found
    CROSS JOIN LATERAL (SELECT * FROM :schema.tasks WHERE tasks.id = found.id OFFSET 0) AS tasks
  ORDER BY found.id`,
);
