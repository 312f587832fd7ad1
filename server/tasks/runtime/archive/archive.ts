/**
 * The archive: finished tasks as compressed NDJSON, one file per day they ended: `tasks-2026-11-23.ndjson.gz`. Each
 * batch is a gzip member of its own, and members that follow each other are one valid file. A batch is on the disk
 * before `append` resolves; if the process dies right after, the same tasks are appended again, so readers go by id.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ArchivedTask } from "../../core/store.ts";
import { boundsOf, extendBounds } from "./archive-bounds.ts";
import { toLine } from "./archive-record.ts";

export class Archive {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Writes the tasks and waits until the disk has them. */
  async append(tasks: readonly ArchivedTask[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const [day, ended] of Map.groupBy(tasks, dayOf)) {
      await this.#appendTo(`tasks-${day}.ndjson.gz`, ended);
    }
  }

  async #appendTo(name: string, tasks: readonly ArchivedTask[]): Promise<void> {
    const { gzip } = await import("node:zlib");
    const member = await promisify(gzip)(`${tasks.map(toLine).join("\n")}\n`);
    const path = join(this.#folder, name);
    const file = await open(path, "a", 0o600);
    try {
      const { size } = await file.stat();
      try {
        await file.appendFile(member);
        await file.sync();
        const { size: after } = await file.stat();
        await extendBounds(path, { before: size, after, added: member.length }, boundsOf(tasks));
      } catch (error) {
        // Half a member would make everything after it unreadable.
        await file.truncate(size);
        throw error;
      }
    } finally {
      await file.close();
    }
  }
}

function dayOf({ task }: ArchivedTask): string {
  return (task.completedAt ?? task.updatedAt).toISOString().slice(0, 10);
}
