/**
 * What a disk may hold after the power failed. Every write of a process is recorded by strace; a crash at any moment
 * keeps what was synced by then and, of everything later, whatever it likes: whole writes, sectors of writes, nothing.
 */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

/** The flags of strace that write what `readTrace` reads, one file for each thread, all beginning with the prefix. */
export function straceFlags(prefix: string): string[] {
  const calls = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink";
  return ["-ff", "-y", "-ttt", "-T", "-xx", "-s", "4000000", "-e", calls, "-o", prefix];
}

/** One change of a file, in seconds since 1970 from its beginning to its end. */
interface Change {
  path: string;
  from: number;
  to: number;
  /** When a sync that began after its end was over; infinite when there was none. */
  durableAt: number;
  what: { write: Buffer; offset: number } | { size: number } | "unlink";
}

/** What was written to a log beside the database, to know when. */
export interface LogWrite {
  at: number;
  text: string;
}

export interface Trace {
  changes: Change[];
  log: LogWrite[];
}

/** Contents of files by name; a file that is not there is absent. */
export type Disk = Map<string, Buffer>;

const sectorBytes = 512;

/** @param database path of the database; files beside it whose names begin with its name count. @param log see LogWrite */
export function readTrace(prefix: string, database: string, log: string): Trace {
  const calls = globSync(`${prefix}.*`)
    .flatMap((file) => readFileSync(file, "latin1").split("\n"))
    .map(readCall)
    .filter((call) => call !== undefined)
    .sort((a, b) => a.from - b.from);
  const syncs = calls.filter(({ name }) => name === "fsync" || name === "fdatasync");
  const durableAt = (path: string, end: number) =>
    syncs.find((sync) => sync.path === path && sync.from >= end)?.to ?? Number.POSITIVE_INFINITY;
  const trace: Trace = { changes: [], log: [] };
  for (const call of calls) {
    const { path, from, to } = call;
    if (call.name === "write" && path === log) trace.log.push({ at: from, text: String(call.data) });
    const what = changeOf(call);
    if (what === undefined || !isFileOf(database, path)) continue;
    // A file's end lasts with its folder, a file's contents with the file.
    trace.changes.push({
      path,
      from,
      to,
      what,
      durableAt: durableAt(what === "unlink" ? dirname(path) : path, to),
    });
  }
  return trace;
}

function isFileOf(database: string, path: string): boolean {
  return dirname(path) === dirname(database) && basename(path).startsWith(basename(database));
}

interface Call {
  name: string;
  path: string;
  data: Buffer | undefined;
  /** The arguments after the data or the file. */
  numbers: number[];
  from: number;
  to: number;
}

const line =
  /^(\d+\.\d+) (\w+)\((?:\d+<([^>]*)>)?(?:(?:, )?"((?:\\x[0-9a-f]{2})*)")?([^)]*)\) = \d+ <(\d+\.\d+)>$/;

function readCall(text: string): Call | undefined {
  const match = line.exec(text);
  if (!match) return undefined;
  const [, start, name = "", file, quoted, rest = "", seconds] = match;
  const data = quoted === undefined ? undefined : fromHex(quoted);
  const path = file === undefined ? String(data) : String(fromHex(file));
  const from = Number(start);
  const numbers = rest
    .split(", ")
    .filter((part) => part !== "")
    .map(Number);
  return { name, path, data, numbers, from, to: from + Number(seconds) };
}

function fromHex(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

function changeOf({ name, data, numbers }: Call): Change["what"] | undefined {
  if (name === "pwrite64") return { write: data!, offset: numbers.at(-1)! };
  if (name === "ftruncate") return { size: numbers.at(-1)! };
  return name === "unlink" ? "unlink" : undefined;
}

/** A moment right after a change began. */
export function someMoment({ changes }: Trace, random: () => number): number {
  const { from, to } = changes[Math.floor(random() * changes.length)]!;
  return from + (to - from) * random();
}

/** The disk after a crash at that moment. @param before what was there, synced, when the record began */
export function crashedDisk({ changes }: Trace, before: Disk, at: number, random: () => number): Disk {
  const files = new Map([...before].map(([name, bytes]) => [name, new File(bytes)]));
  const kept = random();
  for (const { path, what, from, durableAt } of changes) {
    if (from > at) break;
    const isDurable = durableAt <= at;
    if (!isDurable && random() >= kept) continue;
    const name = basename(path);
    if (what === "unlink") files.delete(name);
    else {
      const file = files.get(name) ?? new File();
      files.set(name, file);
      if ("size" in what) file.resize(what.size);
      else if (isDurable || random() < 0.5) file.write(what.write, what.offset);
      else file.writeSome(what.write, what.offset, random);
    }
  }
  return new Map([...files].map(([name, file]) => [name, file.contents]));
}

class File {
  #bytes: Buffer;
  #size: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.#bytes = Buffer.from(bytes);
    this.#size = bytes.length;
  }

  get contents(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(2 * size);
      this.contents.copy(larger);
      this.#bytes = larger;
    }
    if (size < this.#size) this.#bytes.fill(0, size, this.#size);
    this.#size = size;
  }

  write(bytes: Buffer, offset: number): void {
    this.resize(Math.max(this.#size, offset + bytes.length));
    bytes.copy(this.#bytes, offset);
  }

  /** A write of which half of the sectors reached the disk. */
  writeSome(bytes: Buffer, offset: number, random: () => number): void {
    this.resize(Math.max(this.#size, offset + bytes.length));
    for (let from = 0; from < bytes.length; from += sectorBytes) {
      if (random() < 0.5) bytes.copy(this.#bytes, offset + from, from, from + sectorBytes);
    }
  }
}
