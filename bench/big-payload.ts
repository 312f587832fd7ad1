/**
 * Where should a long payload lie? Every change of a task's status writes its row anew, payload included, unless the
 * payload is in a table of its own. Measures claiming and settling with both, by the payload's size.
 *
 *   node bench/big-payload.ts
 */
import { join } from "node:path";
import Table from "cli-table3";
import { openBare } from "./support/connection.ts";
import { temporaryFolder } from "./support/data.ts";

const sizes = [500, 1_000, 2_000, 4_000, 20_000, 100_000];
const bytesPerRun = 200_000_000;
const batch = 100;
const folder = temporaryFolder("big-payload");
let files = 0;

/** Whole claims and settlements per second. */
function measure(sizeBytes: number, apart: boolean): number {
  const database = openBare(join(folder, `${++files}.db`));
  const tasks = Math.min(20_000, Math.floor(bytesPerRun / sizeBytes));
  database.exec(`CREATE TABLE tasks (seq INTEGER PRIMARY KEY, status INT, worker INT, started INT, done INT, payload TEXT, result TEXT);
    CREATE TABLE payloads (seq INTEGER PRIMARY KEY, payload TEXT)`);
  const insert = database.prepare("INSERT INTO tasks (seq, status, payload) VALUES (?, 1, ?)");
  const insertPayload = database.prepare("INSERT INTO payloads VALUES (?, ?)");
  const payload = "x".repeat(sizeBytes);
  database.exec("BEGIN IMMEDIATE");
  for (let seq = 1; seq <= tasks; seq++) {
    insert.run(seq, apart ? null : payload);
    if (apart) insertPayload.run(seq, payload);
  }
  database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  const claim = database.prepare(`UPDATE tasks SET status = 2, worker = 7, started = ?1 WHERE seq = ?2
    RETURNING coalesce(payload, (SELECT p.payload FROM payloads AS p WHERE p.seq = tasks.seq))`);
  const settle = database.prepare(
    "UPDATE tasks SET status = 3, done = ?, result = '{\"ok\":true}' WHERE seq = ?",
  );
  const start = performance.now();
  for (let first = 1; first <= tasks; first += batch) {
    const last = Math.min(tasks, first + batch - 1);
    database.exec("BEGIN IMMEDIATE");
    for (let seq = first; seq <= last; seq++) claim.get(Date.now(), seq);
    database.exec("COMMIT; BEGIN IMMEDIATE");
    for (let seq = first; seq <= last; seq++) settle.run(Date.now(), seq);
    database.exec("COMMIT");
  }
  const perSecond = tasks / ((performance.now() - start) / 1_000);
  database.close();
  return Math.round(perSecond);
}

const table = new Table({
  head: ["payload", "in the row", "apart", "ratio"],
  style: { head: [], border: [] },
});
for (const size of sizes) {
  const [inRow, apart] = [measure(size, false), measure(size, true)];
  table.push([`${size} B`, `${inRow}/s`, `${apart}/s`, (apart / inRow).toFixed(1)]);
}
console.log(table.toString());
