/** In `npm test`, which makes them, the stores' threads are started from one file each; see tools/thread-bundles.ts. */
import { createRequire, syncBuiltinESMExports } from "node:module";

type Threads = {
  -readonly [Name in keyof typeof import("node:worker_threads")]: typeof import("node:worker_threads")[Name];
};

const bundles: Record<string, string> = JSON.parse(process.env.DURE_TEST_THREADS ?? "{}");

if (Object.keys(bundles).length > 0) {
  const threads: Threads = createRequire(import.meta.url)("node:worker_threads");
  threads.Worker = class extends threads.Worker {
    constructor(...[file, options]: ConstructorParameters<typeof threads.Worker>) {
      const bundle = bundles[String(file)];
      super(bundle === undefined ? file : new URL(bundle), options);
    }
  };
  syncBuiltinESMExports();
}
