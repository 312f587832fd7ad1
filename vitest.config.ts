import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Stores start threads of their own for nearly every test; with this they compile nothing twice.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/compile");

const crash = "tests/crash/**/*.test.ts";
const exclude = ["**/node_modules/**", "dist*/**", "bench/**"];

export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    globalSetup: "tests/support/postgres-setup.ts",
    testTimeout: 30_000,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: "checks",
          include: ["server/**/*.test.ts", "tests/**/*.test.ts"],
          exclude: [...exclude, crash],
          sequence: { groupOrder: 0 },
        },
      },
      // Killed and stopped processes are timed: they want the machine for themselves.
      {
        extends: true,
        test: { name: "crash", include: [crash], exclude, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
