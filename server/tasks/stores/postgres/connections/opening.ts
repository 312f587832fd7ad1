/**
 * The first statement of a transaction together with what begins it: sent in one go, answered in one go. A round trip less
 * for each statement that comes before, and every statement still has its values bound.
 */
import type pg from "pg";
import { within } from "./ask.ts";

/** What the driver's connection can do beside what its types tell. */
interface SendingConnection {
  readonly stream: { cork(): void; uncork(): void };
  readonly submittedNamedStatements?: Record<string, string>;
  parse(query: { text: string }): void;
  bind(portal: object): void;
  execute(portal: object): void;
}

/** The driver's query, as far as it is changed here. */
interface DriverQuery {
  name: string | undefined;
  submit(connection: unknown): Error | null;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: unknown): void;
  handleError(error: Error, connection: unknown): void;
}

export type QueryAfter = (
  client: pg.ClientBase,
  before: readonly string[],
  query: pg.QueryConfig,
  timeoutMs: number,
) => Promise<pg.QueryArrayResult>;

/** A query that is sent behind statements without values, whose rows are passed over. */
export function makeQueryAfter(driver: typeof pg): QueryAfter {
  const Query = driver.Query as unknown as new (config: object, callback: unknown) => DriverQuery;

  class Opening extends Query {
    readonly #before: readonly string[];
    #left: number;
    #name: string | undefined;

    constructor(before: readonly string[], config: pg.QueryConfig, callback: unknown) {
      // What is sent before would swallow a query of the simple protocol.
      super({ ...config, queryMode: "extended" }, callback);
      this.#before = before;
      this.#left = before.length;
    }

    override submit(connection: unknown): Error | null {
      const { stream } = connection as SendingConnection;
      stream.cork();
      try {
        for (const text of this.#before) send(connection as SendingConnection, text);
        const refused = super.submit(connection);
        // Whatever is parsed under a name the driver takes to be of this query.
        this.#name = this.name;
        this.name = undefined;
        return refused;
      } finally {
        stream.uncork();
      }
    }

    override handleDataRow(message: unknown): void {
      if (this.#left === 0) super.handleDataRow(message);
    }

    override handleCommandComplete(message: unknown, connection: unknown): void {
      if (this.#left === 0) {
        super.handleCommandComplete(message, connection);
        return;
      }
      this.#left -= 1;
      if (this.#left === 0) this.name = this.#name;
    }

    override handleError(error: Error, connection: unknown): void {
      // It did not come to be parsed.
      if (this.#left > 0 && this.#name !== undefined)
        delete (connection as SendingConnection | undefined)?.submittedNamedStatements?.[this.#name];
      super.handleError(error, connection);
    }
  }

  return (client, before, query, timeoutMs) =>
    within(timeoutMs, (answer) => {
      client.query(new Opening(before, query, answer) as unknown as pg.Submittable);
    });
}

function send(connection: SendingConnection, text: string): void {
  connection.parse({ text });
  connection.bind({});
  connection.execute({});
}
