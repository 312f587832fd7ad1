/** The poolers that stand between the tests and a PostgreSQL: our stand-in, and the real one where it is installed. */
import { pgbouncerVersion, startPgbouncer } from "./pgbouncer.ts";
import { Pooler } from "./pooler.ts";

/** Something that shares few connections among many clients, transaction by transaction. */
export interface RunningPooler {
  /** The URL that leads through the pooler. */
  url(url: string): string;
  close(): Promise<void>;
}

interface PoolerKind {
  name: string;
  /** Why there is none. */
  missing: string | undefined;
  start(url: string, options?: { size?: number }): Promise<RunningPooler>;
}

export const poolers: PoolerKind[] = [
  {
    name: "a pooler in transaction mode",
    missing: undefined,
    start: (url, options) => Pooler.start(url, options),
  },
  {
    name: "PgBouncer",
    missing: pgbouncerVersion() === undefined ? "PgBouncer is not installed" : undefined,
    start: startPgbouncer,
  },
];
