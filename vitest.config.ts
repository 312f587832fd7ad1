import { join } from "node:path";
import { defineConfig } from "vitest/config";

// Stores start threads of their own for nearly every test; with this they compile nothing twice.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/compile");

export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    testTimeout: 30_000,
    include: ["server/**/*.test.ts", "tests/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist*/**", "bench/**"],
  },
});
