/** Sizes as they are typed. */
import { showValue } from "../tasks/core/values/show.ts";
import { CommandError } from "./exit-codes.ts";

const units: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes of `2GB`, `1.5 GiB`, `500 kB`; undefined for what is no size. A number alone has no unit, and is none. */
export function sizeOf(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]{1,3})$/i.exec(text.trim()) ?? [];
  const bytes = Number(number) * (units[unit?.toLowerCase() ?? ""] ?? Number.NaN);
  return Number.isFinite(bytes) && bytes <= Number.MAX_SAFE_INTEGER ? Math.round(bytes) : undefined;
}

/** @throws CommandError */
export function parseSize(text: string, option: string): number {
  const bytes = sizeOf(text);
  if (bytes !== undefined) return bytes;
  const [number] = /^\d+(?:\.\d+)?/.exec(text.trim()) ?? [];
  throw new CommandError(
    `${option} is ${showValue(text)}, which is no size. Write a number and a unit (B, kB, MB, GB, TB, or KiB, MiB, GiB, TiB)` +
      `${number === undefined ? "" : `, such as ${number}MB`}.`,
  );
}
