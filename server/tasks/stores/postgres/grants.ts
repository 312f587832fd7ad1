/**
 * Least-privilege roles: the SQL that gives an existing role what one kind of program needs, and takes away the rest.
 * Run by whoever owns the schema; again after a migration that adds tables.
 */
import { DureError } from "../../core/errors.ts";
import { quoted } from "./statement.ts";

/**
 * `worker` runs tasks and all that a client does; `client` enqueues, cancels, retries, edits and searches; `reader`
 * only searches. Whoever migrates owns the schema and needs none of these.
 */
export const roleKinds = ["worker", "client", "reader"] as const;
export type RoleKind = (typeof roleKinds)[number];

const roleBytesMax = 63;

/** What each kind may do with each table, beside reading it. */
const rights: Record<RoleKind, Record<string, string>> = {
  worker: {
    lanes: "INSERT, UPDATE",
    tallies: "INSERT, UPDATE",
    tally_changes: "INSERT, DELETE",
    hour_tallies: "INSERT, UPDATE, DELETE",
    minute_changes: "INSERT, DELETE",
    minute_tallies: "INSERT, UPDATE, DELETE",
    ended_tallies: "INSERT, UPDATE, DELETE",
    minute_gaps: "INSERT, UPDATE, DELETE",
    packed_counts: "INSERT, DELETE",
    // To lock what is noted there takes the right to change it.
    unpacked_counts: "UPDATE, DELETE",
    definitions: "INSERT, UPDATE",
    workers: "INSERT, UPDATE",
    tasks: "INSERT, UPDATE, DELETE",
    attempts: "INSERT, UPDATE, DELETE",
    attribute_names: "INSERT, UPDATE",
    attributes: "INSERT, UPDATE, DELETE",
    attribute_fills: "INSERT, UPDATE, DELETE",
    attribute_work: "INSERT, UPDATE, DELETE",
    attribute_leavings: "INSERT, DELETE",
    // To make the index of texts anew.
    texts: "INSERT, UPDATE, DELETE, TRUNCATE",
    text_work: "INSERT, UPDATE, DELETE, TRUNCATE",
    history: "INSERT, UPDATE, DELETE",
    history_changes: "INSERT, DELETE",
    saved_searches: "INSERT, UPDATE, DELETE",
    pauses: "INSERT, UPDATE, DELETE",
    app: "INSERT, UPDATE",
    // No record is ever changed; workers delete those past their retention.
    audit: "INSERT, DELETE",
  },
  client: {
    lanes: "INSERT, UPDATE",
    tallies: "INSERT, UPDATE",
    tally_changes: "INSERT, DELETE",
    hour_tallies: "INSERT, UPDATE, DELETE",
    minute_changes: "INSERT, DELETE",
    minute_tallies: "INSERT, UPDATE, DELETE",
    ended_tallies: "INSERT, UPDATE, DELETE",
    minute_gaps: "INSERT, UPDATE, DELETE",
    definitions: "INSERT, UPDATE",
    // What a claim and a settlement need is missing: the owner of an attempt, its fence, its result.
    tasks: `INSERT, DELETE, UPDATE (status, due_at, updated_at, completed_at, attempts, crashes, snoozes,
    cancel_requested_at, progress, priority, version, action_record)`,
    attempts: "DELETE",
    attribute_names: "INSERT, UPDATE",
    attributes: "INSERT, UPDATE, DELETE",
    attribute_fills: "INSERT, UPDATE",
    attribute_work: "INSERT, UPDATE, DELETE",
    attribute_leavings: "INSERT, DELETE",
    texts: "DELETE",
    // Folding the counts notes there what is to be indexed.
    text_work: "INSERT, UPDATE",
    saved_searches: "INSERT, UPDATE, DELETE",
    pauses: "INSERT, UPDATE, DELETE",
    app: "INSERT, UPDATE",
    audit: "INSERT",
  },
  reader: {},
};

/**
 * One statement a line.
 * @throws DureError INVALID_OPTION when the role is no name
 */
export function grantStatements(schema: string, role: string, kind: RoleKind): string[] {
  if (role === "" || Buffer.byteLength(role) > roleBytesMax || role.includes("\0")) {
    throw new DureError("INVALID_OPTION", `The role must be a name of 1 to ${roleBytesMax} bytes.`);
  }
  const inSchema = quoted(schema);
  const to = quoted(role);
  return [
    `REVOKE ALL ON ALL TABLES IN SCHEMA ${inSchema} FROM ${to};`,
    `GRANT USAGE ON SCHEMA ${inSchema} TO ${to};`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA ${inSchema} TO ${to};`,
    ...Object.entries(rights[kind]).map(
      ([table, granted]) => `GRANT ${granted} ON ${inSchema}.${table} TO ${to};`,
    ),
  ];
}
