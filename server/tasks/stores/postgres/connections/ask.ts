/**
 * A query of the driver's and its answer, within a time.
 *
 * By the driver's callback and a timer of our own. Where the driver makes the promise or keeps the time (`query_timeout`), V8's
 * collections of young objects take each query for alive until a full collection comes, with all its rows
 * (docs/design/storage-postgres.md has what that costs a drain).
 */
import type pg from "pg";

type Answer<Value> = (error: Error | null, value: Value) => void;

/** @param send gives the driver the query, and the callback for its answer; a connection that does not answer is of no more use */
export function within<Value>(timeoutMs: number, send: (answer: Answer<Value>) => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("Query read timeout")), timeoutMs);
    send((error, value) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(value);
    });
  });
}

export function ask(
  client: pg.ClientBase,
  query: pg.QueryConfig,
  timeoutMs: number,
): Promise<pg.QueryArrayResult> {
  return within(timeoutMs, (answer) => client.query(query, answer as never));
}
