/** A clock that all threads of the process share, which `performance.now()` is not; in milliseconds, and never set back. */
export function threadTimeMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
