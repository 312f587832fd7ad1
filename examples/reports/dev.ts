/**
 * The main job live: the dashboard on its tasks, and a worker that starts again whenever a file here changes. A new
 * report is asked for every now and then, so that there is always something to see.
 *
 *   npm run dev
 *   npm run dev -- 4000             the dashboard on port 4000
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { listen } from "dure/http";
import { dure } from "./tasks.ts";

const port = Number(process.argv[2] ?? 3340);
const worker = spawn(
  process.execPath,
  ["--watch", "--watch-preserve-output", new URL("live.ts", import.meta.url).pathname],
  { stdio: "inherit" },
);
const listening = await listen(dure, { port }).catch(() => listen(dure, { port: 0 }));
console.log(`Dashboard: ${listening.url}`);
console.log("The worker starts again when a file in examples/reports changes. Ctrl-C stops both.");

await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM"), once(worker, "exit")]);
worker.kill("SIGTERM");
if (worker.exitCode === null && worker.signalCode === null) await once(worker, "exit");
await listening.close();
await dure.close();
