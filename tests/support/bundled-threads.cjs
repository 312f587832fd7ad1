/**
 * Starts the stores' threads from one file each, in the process that requires this first; see tools/thread-bundles.ts. Plain
 * JavaScript, because every process that a test starts requires it.
 */
const threads = require("node:worker_threads");

if (threads.isMainThread && process.env.DURE_TEST_THREADS) {
  const bundles = JSON.parse(process.env.DURE_TEST_THREADS);
  threads.Worker = class Worker extends threads.Worker {
    constructor(file, options) {
      const bundle = bundles[String(file)];
      super(bundle === undefined ? file : new URL(bundle), options);
    }
  };
  require("node:module").syncBuiltinESMExports();
}
