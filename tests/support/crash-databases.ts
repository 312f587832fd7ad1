/** The databases that tests of killed and paused processes run on. */
import type { KillsOptions } from "./crash-kills.ts";
import { createTestSchema } from "./postgres.ts";

/** Where one test's tasks are. */
export interface CrashDatabase {
  /** A URL; undefined for a file in the world's own folder. */
  readonly database: string | undefined;
  remove(): Promise<void>;
}

export interface CrashDatabaseKind {
  name: string;
  /** A lease that keeps the tests short. */
  lease: string;
  /** Within this time after a kill the tasks of the dead are started again, with that lease. */
  recoveryMs: number;
  /** How to kill at random there. */
  kills: KillsOptions;
  make(): Promise<CrashDatabase>;
}

export const crashDatabases: CrashDatabaseKind[] = [
  {
    name: "SQLite",
    lease: "15s",
    // The operating system tells of every death at once; the lease is for workers that hang.
    recoveryMs: 2_000,
    kills: { kills: 80, workers: 4, everyMs: 170 },
    make: async () => ({ database: undefined, remove: async () => undefined }),
  },
  {
    name: "PostgreSQL",
    lease: "3s",
    recoveryMs: 5_000,
    // A death is found by whoever has seen the dead worker's lease pass: some live for longer than that, and one always.
    kills: { kills: 20, workers: 4, spared: 1, everyMs: 600 },
    make: async () => {
      const { url, drop } = await createTestSchema();
      return { database: url, remove: drop };
    },
  },
];
