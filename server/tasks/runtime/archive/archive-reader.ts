/**
 * Reads the archive as a stream, a line at a time. A file is a row of gzip members, each of which is read on its own, so
 * that one which is cut short or damaged takes nothing of the others with it.
 */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ArchivedTask } from "../../core/store.ts";
import { boundsOfDay, dayOfName, type FileBounds, readBounds } from "./archive-bounds.ts";
import { fromLine } from "./archive-record.ts";

/** How a member begins: gzip, deflate, no flags, no time. Text cannot hold it, nor what is compressed by chance. */
const memberStart = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0]);

export interface ArchiveFile {
  name: string;
  path: string;
  /** The start of the day its tasks ended, in UTC; milliseconds since 1970. */
  day: number;
  bounds: FileBounds;
}

/** The files of a folder, newest first; none when there is no such folder. */
export async function listFiles(folder: string): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  for (const name of (await namesIn(folder)).sort().reverse()) {
    const day = dayOfName(name);
    if (day === undefined) continue;
    const path = join(folder, name);
    const { size } = await stat(path);
    files.push({ name, path, day, bounds: (await readBounds(path, size)) ?? boundsOfDay(day) });
  }
  return files;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** All that can be read of a file, in the order it was written; `onDamage` is called when something cannot. */
export async function* readRecords(path: string, onDamage: () => void): AsyncGenerator<ArchivedTask> {
  const starts = await findMembers(path);
  for (const [place, start] of starts.entries()) {
    const next = starts[place + 1];
    for await (const line of readMember(path, start, next, onDamage)) {
      const record = fromLine(line);
      if (record) yield record;
      else onDamage();
    }
  }
}

/** Where the members begin. The first bytes are one whatever they are: others may have compressed the file anew. */
async function findMembers(path: string): Promise<number[]> {
  const starts = [0];
  let carried = Buffer.alloc(0);
  let offset = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    const bytes = Buffer.concat([carried, chunk as Buffer]);
    for (let at = bytes.indexOf(memberStart); at >= 0; at = bytes.indexOf(memberStart, at + 1)) {
      if (offset + at > 0) starts.push(offset + at);
    }
    const kept = Math.min(bytes.length, memberStart.length - 1);
    offset += bytes.length - kept;
    carried = Buffer.from(bytes.subarray(bytes.length - kept));
  }
  return offset + carried.length === 0 ? [] : starts;
}

/** A member that is cut short is read again up to its last byte, which the first reading would not give. */
async function* readMember(
  path: string,
  start: number,
  next: number | undefined,
  onDamage: () => void,
): AsyncGenerator<string> {
  const range = { start, ...(next !== undefined && { end: next - 1 }) };
  let given = 0;
  try {
    for await (const line of linesOf(path, range)) {
      given += 1;
      yield line;
    }
    return;
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) throw error;
    onDamage();
  }
  try {
    let passed = 0;
    for await (const line of linesOf(path, range, { isCut: true })) {
      passed += 1;
      if (passed > given) yield line;
    }
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.startsWith("Z_")) throw error;
  }
}

async function* linesOf(
  path: string,
  range: { start: number; end?: number },
  { isCut = false } = {},
): AsyncGenerator<string> {
  const file = createReadStream(path, range);
  const { constants, createGunzip } = await import("node:zlib");
  const plain = createGunzip({ finishFlush: isCut ? constants.Z_SYNC_FLUSH : constants.Z_FINISH });
  file.on("error", (error) => plain.destroy(error));
  try {
    let parts: Buffer[] = [];
    for await (const chunk of file.pipe(plain)) {
      let rest = chunk as Buffer;
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        parts.push(rest.subarray(0, end));
        yield Buffer.concat(parts).toString("utf8");
        parts = [];
        rest = rest.subarray(end + 1);
      }
      if (rest.length > 0) parts.push(rest);
    }
    if (parts.length > 0) yield Buffer.concat(parts).toString("utf8");
  } finally {
    file.destroy();
    plain.destroy();
  }
}
