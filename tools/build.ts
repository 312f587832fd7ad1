/** `npm run build`: compiles server/ and examples/ to dist/, with the files that tsc leaves out. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";

const sqlFolder = "server/tasks/stores/sqlite/migrations";

rmSync("dist", { recursive: true, force: true });
const compiled = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (compiled.status !== 0) process.exit(compiled.status ?? 1);
cpSync(sqlFolder, `dist/${sqlFolder}`, { recursive: true });
chmodSync("dist/server/cli/main.js", 0o755);
