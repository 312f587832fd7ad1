/** A SQL statement of the store: written beside the verb that runs it, with `:schema` where the schema's name goes. */

export interface Statement {
  /** Names the statement for the server's statistics, and for its prepared form. */
  readonly name: string;
  readonly text: string;
  /** Made for one call, so it is not prepared. */
  readonly once?: true;
  /** Made for one call, but others are likely to make the same text; it is prepared when it has come a few times. */
  readonly isShape?: true;
}

/** A statement that is sent right behind another, and may be right before it too; each commits by itself, and nobody asks of its fate. */
export interface Behind {
  statement: Statement;
  values: readonly unknown[];
  /** What is sent before the other one, which is given `number` then: see announcements.ts. */
  ahead?: { statement: Statement; values: readonly unknown[]; number: string; failed(): void };
  /** The other one commits without a wait for the disk, so that others see it at once; `onDisk` is sent last, and the answer waits for it. */
  isHasty?: boolean;
  /** Takes note that it was sent; answers what it was given. */
  sent<Ended extends Promise<unknown>>(ended: Ended): Ended;
  /** It is not sent any more, and may never have been. */
  done(): void;
}

export function statement(name: string, text: string): Statement {
  return { name, text: `/* dure:${name} */ ${text}` };
}

/** A statement whose text is made for one call. */
export function onceOnly(name: string, text: string): Statement {
  return { ...statement(name, text), once: true };
}

/** A text that is made for each call, and is the same for all calls of one kind. */
export function shape(name: string, text: string): Statement {
  return { ...onceOnly(name, text), isShape: true };
}

/** An identifier as SQL takes it, whatever is in it. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** The text for one schema. */
export function inSchema(text: string, schema: string): string {
  return text.replaceAll(":schema", () => quoted(schema));
}

/** The instant that a statement works with: the parameter, or the database's clock where it is null. */
export function nowOf(parameter: string): string {
  return `coalesce(${parameter}::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`;
}

/**
 * A condition that holds, and has the transaction commit without a wait for the disk: for what is derived from stored tasks
 * and is done again if the server crashes. The log keeps the order of commits, so nothing later outlives what it rests on.
 */
export const hasty = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'";

/** Ends when all that was committed before it is on the disk: the log keeps the order, and this is a write of nothing into it. */
export const onDisk = statement("onDisk", "SELECT pg_logical_emit_message(true, 'dure', ''::text)");

/** A text as SQL takes it, for the few places where no parameter may stand. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * A condition that always holds for a number that is not null, and that the planner takes to be rare. Where a statement
 * goes to rows by their place or key, it then plans for few of them and goes to each by itself, whatever the table's
 * size and statistics were at the time; a plan that was made on a small table and reads all of it would be kept for
 * long after the table has grown.
 */
export function few(number: string): string {
  return `${number} + 0 = ${number}`;
}
