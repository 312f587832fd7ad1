/** Saving what can still be read of a damaged file into a new one, as `dure recover` does. */
import { existsSync, renameSync, rmSync } from "node:fs";
import { DureError } from "./tasks/core/errors.ts";
import type { Recovered, RecoverProgress } from "./tasks/runtime/recoverer.ts";
import { recoverTasks } from "./tasks/runtime/recoverer.ts";
import { createSystemClock } from "./tasks/runtime/system-clock.ts";
import { Salvage } from "./tasks/stores/sqlite/salvage/salvage.ts";
import { createSqliteStore } from "./tasks/stores/sqlite/store.ts";

export interface RecoverOptions {
  /** The damaged file. Nothing is written to it. */
  from: string;
  /** The file to be made; it appears when all is in it. */
  to: string;
  signal?: AbortSignal;
  onProgress?: (progress: RecoverProgress) => void;
}

/** @throws DureError INVALID_OPTION when `to` is there already; WORKER_RUNNING while a worker is alive; DATABASE_… of either file */
export async function recoverDatabase({ from, to, ...options }: RecoverOptions): Promise<Recovered> {
  refuseExisting(to);
  const unfinished = `${to}.unfinished`;
  const source = new Salvage(from);
  try {
    remove(unfinished);
    const recovered = await recoverInto(source, unfinished, options);
    renameSync(unfinished, to);
    return recovered;
  } finally {
    source.close();
    remove(unfinished);
  }
}

async function recoverInto(
  source: Salvage,
  path: string,
  options: Pick<RecoverOptions, "signal" | "onProgress">,
): Promise<Recovered> {
  const clock = createSystemClock();
  // Nothing is lost with it that is not still in the damaged file.
  const target = createSqliteStore({ path, durability: "normal", clock });
  await target.open();
  try {
    return await recoverTasks(source, target, clock, options);
  } finally {
    await target.close();
  }
}

function refuseExisting(path: string): void {
  if (!existsSync(path) && !existsSync(`${path}-wal`)) return;
  throw new DureError("INVALID_OPTION", `${path} is there already; name a new file to recover into.`, {
    details: { location: path },
  });
}

function remove(path: string): void {
  for (const end of ["", "-wal", "-shm", "-workers"])
    rmSync(`${path}${end}`, { recursive: true, force: true });
}
