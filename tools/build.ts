/**
 * `npm run build`: compiles server/ and examples/ to dist/, with the files that tsc leaves out, each store's thread in
 * one file, and bundles web/ into dist/web. The old dist/ stays until the new one is whole.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, renameSync, rmSync } from "node:fs";
import { bundleBuiltThreads } from "./thread-bundles.ts";

const sqlFolders = ["sqlite", "postgres"].map((store) => `server/tasks/stores/${store}/migrations`);
const next = `dist-next-${process.pid}`;

function run(command: string, ...args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: "inherit" });
  if (status === 0) return;
  rmSync(next, { recursive: true, force: true });
  process.exit(status ?? 1);
}

run("tsc", "-p", "tsconfig.build.json", "--outDir", next);
run("vite", "build", "web", "--outDir", `../${next}/web`, "--logLevel", "warn");
await bundleBuiltThreads(next);
for (const folder of sqlFolders) cpSync(folder, `${next}/${folder}`, { recursive: true });
chmodSync(`${next}/server/cli/main.js`, 0o755);
rmSync("dist", { recursive: true, force: true });
renameSync(next, "dist");
