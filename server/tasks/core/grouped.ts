/** How large numbers are written in messages. */

/**
 * 1234567 → `1,234,567`. As `toLocaleString("en-US")` has it, which would bring 13 MB of the languages of the world into
 * the process (docs/design/storage.md).
 */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
}
