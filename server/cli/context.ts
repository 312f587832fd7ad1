/** What every command is given: its output, and the database that --database names, opened when first asked for. */
import { existsSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { createDure, Dure } from "../dure.ts";
import { checkDatabase, type DureOptions } from "../dure-options.ts";
import { DureError } from "../tasks/core/errors.ts";
import { setDefaultInstance } from "../tasks/core/instance.ts";
import type { AskedBy } from "../tasks/core/port/store-audit.ts";
import { CommandError } from "./exit-codes.ts";
import { Output } from "./output.ts";

/** The options that every command takes. */
export interface GlobalOptions {
  database?: string;
  json?: boolean;
  /** False with --no-color. */
  color?: boolean;
}

export class Context {
  readonly output: Output;
  /** A path, or what else createDure takes. */
  readonly database: string;
  readonly #createDure: typeof createDure;
  #dure: Dure | undefined;

  /** Loads what works on databases, which help and the completion of words do without. */
  static async load(options: GlobalOptions): Promise<Context> {
    return new Context(options, (await import("../dure.ts")).createDure);
  }

  private constructor(options: GlobalOptions, create: typeof createDure) {
    this.#createDure = create;
    this.output = outputOf(options);
    this.database = options.database ?? (process.env.DURE_DATABASE || ".dure/tasks.db");
  }

  /** The database, which must be there. @throws DureError DATABASE_UNAVAILABLE */
  open(options: Omit<DureOptions, "database"> = {}): Dure {
    refuseMissing(this.database);
    return this.openOrCreate(options);
  }

  /** The database, made if need be. Also what `defineTask` and the other free functions of loaded modules work on. */
  openOrCreate(options: Omit<DureOptions, "database"> = {}): Dure {
    this.#dure = this.#createDure({ ...options, database: this.database });
    setDefaultInstance(this.#dure.instance);
    return this.#dure;
  }

  /** What can be asked of an archive needs no database. @throws CommandError when there is no such folder */
  openArchive(folder: string): Dure {
    if (!existsSync(folder)) throw new CommandError(`There is no folder ${resolve(folder)}.`);
    const isThere = !isFile(this.database) || existsSync(this.database);
    this.#dure = this.#createDure({
      database: isThere ? this.database : ":memory:",
      retention: { archiveTo: folder },
    });
    return this.#dure;
  }

  /** Whether the database is a file of this machine. */
  get isFile(): boolean {
    return isFile(this.database);
  }

  /** The database in messages, without what an address may hold of a password. */
  get shownDatabase(): string {
    return withoutPassword(this.database);
  }

  /** Who asks for what the command changes, for the audit log. */
  get by(): AskedBy {
    return { who: caller(), via: "cli" };
  }

  async close(): Promise<void> {
    await this.#dure?.close();
  }
}

/**
 * A typing error in a path must not become a new, empty database in which nothing is ever found.
 * @throws DureError DATABASE_UNAVAILABLE when the database is a file that is not there; INVALID_OPTION for what is no name of one
 */
export function refuseMissing(database: string): void {
  checkDatabase(database);
  if (!isFile(database) || existsSync(database)) return;
  throw new DureError(
    "DATABASE_UNAVAILABLE",
    `There is no database at ${resolve(database)}. Name another with --database <database> or DURE_DATABASE; ` +
      `"dure worker", "dure run <file>" and "dure migrate" make a new one.`,
    { details: { location: resolve(database) } },
  );
}

export function outputOf({ json = false, color = true }: GlobalOptions): Output {
  return new Output({ json, color });
}

/** What a command does: data goes to the output, the answer is the exit code, 0 when there is none. */
export type Action<Options> = (
  context: Context,
  options: Options,
  args: string[],
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands have nothing to answer
) => Promise<number | void>;

/** The action in the form that commander calls; the database is closed whatever happens. */
export function withContext<Options>(action: Action<Options>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals() as Options & GlobalOptions;
    const context = await Context.load(options);
    try {
      process.exitCode = (await action(context, options, command.args)) ?? 0;
    } finally {
      await context.close();
    }
  };
}

/** The database as it may be shown: what stands before an @ of an address may be a password. */
export function withoutPassword(database: string): string {
  return database.replace(/:\/\/[^@/]*@/, "://");
}

/** Whoever runs the command; in a container they may have no name. */
function caller(): string {
  let name = "somebody";
  try {
    name = userInfo().username;
  } catch {
    // The number of the user is in no list of users.
  }
  return `${name}@${hostname()}`;
}

function isFile(database: string): boolean {
  return database !== ":memory:" && !/^[a-z][a-z0-9+.-]+:\/\//i.test(database);
}
