/** Saved searches, and how far their alert rules have come. */

import type { AlertStateWrite, SavedSearchContent, StoredSearch } from "../../core/port/store-saved.ts";
import { deleteSearchChange, savedSearchesMax, saveSearchChange } from "../../core/port/store-saved.ts";
import type { By, Written } from "../../core/store.ts";
import { record } from "./audit.ts";
import type { ResultRow } from "./connections/database.ts";
import type { Context } from "./context.ts";
import { nowOf, statement } from "./statement.ts";

export function saveSearch(
  context: Context,
  { name, query, description, alert }: SavedSearchContent,
  by?: By,
): Promise<Written<StoredSearch, "full">> {
  const { database, now } = context;
  const rule = alert === undefined ? null : JSON.stringify(alert);
  return database.written<StoredSearch, "full">(async () => {
    const values = [name, query, description ?? null, rule, now(), savedSearchesMax];
    const saved = await database.transaction(async (session) => {
      const [before] = by ? await session.query(find, [name]) : [];
      const [row] = await session.query(save, values);
      if (!row) return undefined;
      const search = toStoredSearch(row);
      await record(context, session, by, saveSearchChange(before && toStoredSearch(before), search));
      return search;
    });
    return saved ? { kind: "ok", value: saved } : { kind: "rejected", reason: "full" };
  });
}

export async function listSearches({ database }: Context): Promise<StoredSearch[]> {
  return (await database.read(list)).map(toStoredSearch);
}

export function deleteSearch(context: Context, name: string, by?: By): Promise<Written<boolean>> {
  const { database } = context;
  return database.written(async () => {
    const wasThere = await database.transaction(async (session) => {
      const [row] = await session.query(remove, [name]);
      if (row) await record(context, session, by, deleteSearchChange(toStoredSearch(row)));
      return row !== undefined;
    });
    return { kind: "ok", value: wasThere };
  });
}

export function writeAlertState(
  { database }: Context,
  { name, revision, state }: AlertStateWrite,
): Promise<Written<number, "changed">> {
  return database.written<number, "changed">(async () => {
    const rows = await database.query(writeState, [JSON.stringify(state), name, revision]);
    return rows.length > 0 ? { kind: "ok", value: revision + 1 } : { kind: "rejected", reason: "changed" };
  });
}

function toStoredSearch(row: ResultRow): StoredSearch {
  const [name, query, description, alert, createdAt, updatedAt, alertState, revision] = row;
  return {
    ...{ name, query },
    ...(description !== null && { description }),
    ...(alert !== null && { alert: JSON.parse(alert) }),
    ...{ createdAt: new Date(createdAt), updatedAt: new Date(updatedAt) },
    ...(alertState !== null && { alertState: JSON.parse(alertState) }),
    revision,
  };
}

const columns = "name, query, description, alert, created_at, updated_at, alert_state, revision";
const watchesTheSame = "kept.query = excluded.query AND kept.alert IS NOT DISTINCT FROM excluded.alert";

const save = statement(
  "saveSearch",
  `INSERT INTO :schema.saved_searches AS kept
      (name, query, description, alert, created_at, updated_at, revision)
    SELECT $1::text, $2::text, $3::text, $4::text, at, at, 1 FROM (SELECT ${nowOf("$5")} AS at) AS now
      WHERE (SELECT count(*) FROM :schema.saved_searches WHERE name <> $1::text) < $6::integer
    ON CONFLICT (name) DO UPDATE SET
      query = excluded.query, description = excluded.description, alert = excluded.alert,
      updated_at = CASE WHEN ${watchesTheSame} AND kept.description IS NOT DISTINCT FROM excluded.description
        THEN kept.updated_at ELSE excluded.updated_at END,
      alert_state = CASE WHEN ${watchesTheSame} THEN kept.alert_state END,
      revision = kept.revision + CASE WHEN ${watchesTheSame} THEN 0 ELSE 1 END
    RETURNING ${columns}`,
);

const list = statement("listSearches", `SELECT ${columns} FROM :schema.saved_searches ORDER BY name`);

// Locked, so that what is said to have been there before is what this replaces.
const find = statement(
  "findSearch",
  `SELECT ${columns} FROM :schema.saved_searches WHERE name = $1 FOR UPDATE`,
);

const remove = statement(
  "deleteSearch",
  `DELETE FROM :schema.saved_searches WHERE name = $1 RETURNING ${columns}`,
);

const writeState = statement(
  "writeAlertState",
  `UPDATE :schema.saved_searches SET alert_state = $1, revision = revision + 1
    WHERE name = $2 AND revision = $3 RETURNING 1`,
);
