/** `dure dashboard`: the dashboard and its API on a port of this machine. */
import type { Command } from "commander";
import { dashboardPort } from "../../http/dashboard-port.ts";
import { linkTo } from "../../http/link.ts";
import { accessFolderOf, passesOf } from "../access-folder.ts";
import { given, parsePort } from "../arguments.ts";
import type { Action, Context } from "../context.ts";
import { refuseMissing, withContext } from "../context.ts";
import { CommandError } from "../exit-codes.ts";
import { firstStop } from "../signals.ts";

interface Options {
  host: string;
  port: string;
  socket?: string;
  allowHost?: string[];
  link?: boolean;
}

/** Adds the command. */
export function addDashboard(program: Command): void {
  program
    .command("dashboard")
    .summary("see and steer the tasks in a browser")
    .description(
      "Serves the dashboard and the HTTP API until SIGTERM or SIGINT, and prints an address that logs in once, within twelve hours. " +
        "Whoever is logged in stays so for twelve hours, also when it starts again. Programs use dure tokens, or DURE_TOKEN of 16 " +
        "characters or more. Only this machine reaches it unless --host names another address.",
    )
    .option("--host <address>", "listen here", "localhost")
    .option("--port <n>", "listen on this port; 0 for any", String(dashboardPort))
    .option(
      "--socket <path>",
      "listen on this socket instead, which only its owner may use; --host is what it is called by",
    )
    .option(
      "--allow-host <name...>",
      "answer to this name, too, such as localhost:8080 of a tunnel; without a port with any",
    )
    .option("--link", "only print another such address of the dashboard that runs at that host and port")
    .addHelpText(
      "after",
      `
Examples:
  dure dashboard
  dure dashboard --port 8080
  dure dashboard --link
  dure dashboard --allow-host localhost:8080
  dure dashboard --socket /run/app/dure.sock --host tasks.example.com
  dure dashboard --database postgres://localhost/app`,
    )
    .action(withContext(dashboard));
}

const dashboard: Action<Options> = async (context, options) => {
  // What listens on a socket has no port in its addresses.
  const port = options.socket === undefined ? parsePort(options.port) : 0;
  if (options.link) return printLink(context, options.host, port);
  const dure = context.open();
  const token = process.env.DURE_TOKEN;
  // Loaded here, because no other command should wait for a server's modules.
  const { listen } = await import("../../http/listen.ts");
  const listening = await listen(dure, {
    host: options.host,
    port,
    ...given(options.socket, (socket) => ({ socket })),
    ...given(options.allowHost, (allowHosts) => ({ allowHosts })),
    ...given(token, (one) => ({ token: one })),
    ...given(accessFolderOf(context), (accessFolder) => ({ accessFolder })),
  }).catch((error) => {
    if ((error as { code?: string }).code !== "EADDRINUSE") throw error;
    if (options.socket !== undefined)
      throw new CommandError(
        `${options.socket} is there already; remove it if nobody listens, or name another.`,
      );
    throw new CommandError(`Port ${port} is taken. Name another with --port, or 0 for any that is free.`);
  });
  await dure.instance.store();
  context.output.document({ url: listening.url });
  context.output.print(listening.url);
  context.output.note(`The dashboard of ${context.shownDatabase}. Ctrl-C stops it.`);
  await firstStop(() => listening.close());
  await listening.close();
};

function printLink(context: Context, host: string, port: number): void {
  refuseMissing(context.database);
  const url = linkTo(host, port, passesOf(context).newLink());
  context.output.document({ url });
  context.output.print(url);
}
