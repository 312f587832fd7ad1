/** `dure dev`: a worker in a child process, started again whenever a module changes. */
import type { Command } from "commander";
import { dashboardPort } from "../../http/dashboard-port.ts";
import type { Listening } from "../../http/listen.ts";
import { accessFolderOf } from "../access-folder.ts";
import { collectWhole, given, parsePort } from "../arguments.ts";
import type { Action, Context } from "../context.ts";
import { withContext } from "../context.ts";
import { DevLoop } from "../dev-loop.ts";
import { CommandError } from "../exit-codes.ts";
import { defaultFolder, modulesIn } from "../modules.ts";
import { outliveReader } from "../output.ts";
import { firstStop } from "../signals.ts";
import type { WorkingOptions } from "../working.ts";
import { concurrencyOption, queuesOption } from "../working.ts";

interface Options extends WorkingOptions {
  dir: string;
  stopGrace: string;
  watch?: string[];
  port: string;
  /** False with --no-dashboard. */
  dashboard: boolean;
  allowHost?: string[];
}

/** Adds the command. */
export function addDev(program: Command): void {
  program
    .command("dev")
    .summary(`run ${defaultFolder} and start again on every change`)
    .description(
      "Loads every module below the folder, runs a worker, and starts it again when a file changes; tasks that are " +
        "running are finished or given back first. A module that does not load is shown, and the next change waited " +
        "for. Serves the dashboard beside it.",
    )
    .option("--dir <folder>", "the folder of modules", defaultFolder)
    .option("--watch <folder>", "watch this folder too; may be given several times", collectWhole)
    .option(...concurrencyOption)
    .option(...queuesOption)
    .option("--stop-grace <duration>", "how long a restart lets tasks go on", "3s")
    .option("--port <n>", "of the dashboard; another is taken where it is in use", String(dashboardPort))
    .option("--allow-host <name...>", "of the dashboard: as of dure dashboard")
    .option("--no-dashboard", "without the dashboard")
    .addHelpText(
      "after",
      `
Examples:
  dure dev
  dure dev --dir src/tasks --watch src/lib
  dure dev --concurrency 1`,
    )
    .action(withContext(dev));
}

const dev: Action<Options> = async (context, options) => {
  const { dir, watch = [], concurrency, queues, stopGrace } = options;
  const port = parsePort(options.port);
  if (modulesIn(dir).length === 0) {
    context.output.warn(`There is no module in ${dir} yet; waiting for the first.`);
  }
  const missing = watch.find((folder) => modulesIn(folder).length === 0);
  if (missing !== undefined) throw new CommandError(`There is no module to watch in ${missing}.`);
  outliveReader();
  const loop = new DevLoop(
    context.output,
    [dir, ...watch],
    [
      "--dir",
      dir,
      "--database",
      context.database,
      "--stop-grace",
      stopGrace,
      ...(concurrency === undefined ? [] : ["--concurrency", concurrency]),
      ...(queues === undefined ? [] : ["--queues", queues.join(",")]),
    ],
  );
  const served = options.dashboard ? await serveDashboard(context, port, options.allowHost) : undefined;
  loop.start();
  await firstStop(() => loop.stop());
  context.output.note("Finishing what is running. A second signal ends at once.");
  await Promise.all([loop.stop(), served?.close()]);
};

async function serveDashboard(
  context: Context,
  port: number,
  allowHosts: readonly string[] | undefined,
): Promise<Listening> {
  const dure = context.openOrCreate();
  const { listen } = await import("../../http/listen.ts");
  const kept = {
    ...given(accessFolderOf(context), (accessFolder) => ({ accessFolder })),
    ...given(allowHosts, (names) => ({ allowHosts: names })),
  };
  const listening = await listen(dure, { port, ...kept }).catch((error) => {
    if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    return listen(dure, { port: 0, ...kept });
  });
  context.output.note(`Dashboard: ${listening.url}`);
  return listening;
}
