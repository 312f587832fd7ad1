/**
 * In `npm test`, which makes them, the stores' threads are started from one file each, here and in every process that a test
 * starts with the variables of this one; see tools/thread-bundles.ts.
 */
import { createRequire } from "node:module";
import { join } from "node:path";

const file = join(import.meta.dirname, "bundled-threads.cjs");
const option = `--require ${JSON.stringify(file)}`;
const { DURE_TEST_THREADS, NODE_OPTIONS = "" } = process.env;

if (DURE_TEST_THREADS && !NODE_OPTIONS.includes(option)) {
  createRequire(import.meta.url)(file);
  process.env.NODE_OPTIONS = `${NODE_OPTIONS} ${option}`.trim();
}
