/** What a thread says of a main thread that is blocked for too long, and that cannot say anything itself. */
import { writeSync } from "node:fs";

const stderr = 2;

/** Past the program's logger, which runs on the blocked thread. */
export function sayBlocked(silentMs: number): void {
  const message =
    `dure error: the main thread has been blocked for ${Math.round(silentMs / 1_000)} seconds. Its worker is not renewed any more, ` +
    "and other workers take its tasks back.\n";
  try {
    writeSync(stderr, message);
  } catch {
    // Nobody listens.
  }
}
