/**
 * Where the databases of `npm test` lie: in memory, where Linux has room there. Each of thousands waits for its disk dozens of
 * times, and no test can tell: what a disk may lose is tested by the calls that reach it; see tests/crash/disk.test.ts.
 */
import { chmodSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";

const memory = "/dev/shm";
/** Several times what the tests hold at once. */
const freeBytesMin = 8 * 2 ** 30;

/** Makes temporary folders of all processes from now on be there, until this process ends. */
export function useMemoryFolder(): void {
  if (process.env.TMPDIR || !hasRoom()) return;
  const folder = mkdtempSync(join(memory, "dure-test-"));
  // As any temporary folder: tests have servers of other users.
  chmodSync(folder, 0o1777);
  process.env.TMPDIR = folder;
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(memory);
    return Math.min(bavail * bsize, process.availableMemory()) >= freeBytesMin;
  } catch {
    return false;
  }
}
