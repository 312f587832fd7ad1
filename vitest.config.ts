import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Stores start threads of their own for nearly every test; with this they compile nothing twice.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/compile");

const crash = "tests/crash/**/*.test.ts";
// These hardly compute: they wait for leases to pass and connections to be given up, more than two at a time;
// `npm test` runs them beside the checks.
const waits = [
  "tests/crash/{death,disk,lease,handlers,pause,paused-types,skew}.test.ts",
  "tests/postgres/{ambiguous-commit,conflicts,connection-loss,database,failover,kills,lease-thread}.test.ts",
  "tests/postgres/{lost-answers,notifications,notify-hazards,poolers,server-limits,tx-crash}.test.ts",
  "tests/{browser/fresh-install,contract/start-action,live/watch}.test.ts",
];
// Nothing in these is timed.
const untimed = "tests/crash/{context,memory,races}.test.ts";
/** Rules of values, parts that leave nothing behind, and stores that are closed: they share processes, each of which loads the modules once. */
const units = ["server/**/*.test.ts", "tests/contract/**/*.test.ts"];
/** What listens to its process wants one of its own. */
const listening = "server/tasks/runtime/sudden-exit.test.ts";
const exclude = ["**/node_modules/**", "dist*/**", "bench/**"];

export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    globalSetup: "tests/support/postgres-setup.ts",
    setupFiles: ["tests/support/start-bundles.ts", "tests/support/clean-prototypes.ts"],
    // Only what hangs takes so long; what a test promises about time it looks at itself.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "checks",
          include: ["tests/**/!(crash)/*.test.ts", untimed, listening],
          exclude: [...exclude, ...waits, "tests/contract/**"],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "units",
          include: units,
          exclude: [...exclude, ...waits, listening],
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "waits", include: waits, exclude, maxWorkers: 3, sequence: { groupOrder: 1 } },
      },
      // Killed and stopped processes are timed: they want the machine for themselves.
      {
        extends: true,
        test: {
          name: "crash",
          include: [crash],
          exclude: [...exclude, ...waits, untimed],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
