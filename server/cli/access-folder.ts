/** Where the passes of a database's dashboard are kept: beside its file, or, for a server's, in the folder of the program. */
import { createHash } from "node:crypto";
import { closeSync, constants, existsSync, fchownSync, mkdirSync, openSync, statSync } from "node:fs";
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
  if (isFile) return ownedLike(`${resolve(database)}-access`, resolve(database));
  const digest = createHash("sha256").update(withoutPassword(database)).digest("hex");
  return resolve(join(".dure", `access-${digest.slice(0, digits)}`));
}

/**
 * Where root makes it before its owner's first start, it is the owner's of the database all the same: else they could not read it.
 */
function ownedLike(folder: string, database: string): string {
  if (process.getuid?.() !== 0 || existsSync(folder) || !existsSync(database)) return folder;
  const { uid, gid } = statSync(database);
  mkdirSync(folder, { mode: 0o700 });
  // Of what has been put there meanwhile, nothing but a folder is given away.
  const made = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    fchownSync(made, uid, gid);
  } finally {
    closeSync(made);
  }
  return folder;
}

export function passesOf(context: Context): Passes {
  const folder = accessFolderOf(context);
  if (folder === undefined) throw new CommandError("What is in memory has no dashboard that others know.");
  return new Passes(new PassFolder(folder));
}
