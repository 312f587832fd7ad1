/** Writes rows of a PostgreSQL table by the thousand, and brings its statistics up to date. */
import { createHash } from "node:crypto";
import pg from "pg";

export async function openRows(url, table, columns) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const names = columns.join(", ");
  return {
    write: (rows) =>
      client.query(
        `INSERT INTO ${table} (${names}) SELECT ${names} FROM json_populate_recordset(NULL::${table}, $1::json)`,
        [JSON.stringify(rows)],
      ),
    query: (sql, values) => client.query(sql, values),
    settleDown: () => client.query("VACUUM (ANALYZE)"),
    close: () => client.end(),
  };
}

/** The random id that a job would have got; always the same one for the same place. */
export function uuidOf(place) {
  const hex = createHash("md5").update(String(place)).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

export function iso(ms) {
  return ms === undefined ? null : new Date(ms).toISOString();
}
