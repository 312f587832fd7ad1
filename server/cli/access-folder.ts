/** Where the passes of a database's dashboard are kept: beside its file, or, for a server's, in the folder of the program. */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { PassFolder } from "../http/pass-folder.ts";
import { Passes } from "../http/passes.ts";
import type { Context } from "./context.ts";
import { withoutPassword } from "./context.ts";
import { CommandError } from "./exit-codes.ts";

const digits = 12;

/** Undefined for what is in memory, which has no next start. */
export function accessFolderOf({
  database,
  isFile,
}: Pick<Context, "database" | "isFile">): string | undefined {
  if (database === ":memory:") return undefined;
  if (isFile) return `${resolve(database)}-access`;
  const digest = createHash("sha256").update(withoutPassword(database)).digest("hex");
  return resolve(join(".dure", `access-${digest.slice(0, digits)}`));
}

export function passesOf(context: Context): Passes {
  const folder = accessFolderOf(context);
  if (folder === undefined) throw new CommandError("What is in memory has no dashboard that others know.");
  return new Passes(new PassFolder(folder));
}
