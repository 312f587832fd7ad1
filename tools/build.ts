/**
 * `npm run build`: compiles server/ and examples/ to dist/, with the files that tsc leaves out. The old dist/ stays
 * until the new one is whole.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, renameSync, rmSync } from "node:fs";

const sqlFolders = ["sqlite", "postgres"].map((store) => `server/tasks/stores/${store}/migrations`);
const next = `dist-next-${process.pid}`;

const compiled = spawnSync("tsc", ["-p", "tsconfig.build.json", "--outDir", next], { stdio: "inherit" });
if (compiled.status !== 0) {
  rmSync(next, { recursive: true, force: true });
  process.exit(compiled.status ?? 1);
}
for (const folder of sqlFolders) cpSync(folder, `${next}/${folder}`, { recursive: true });
chmodSync(`${next}/server/cli/main.js`, 0o755);
rmSync("dist", { recursive: true, force: true });
renameSync(next, "dist");
