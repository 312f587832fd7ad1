/** Wrong tokens: so many in any minute from one address, and so many of all together; then none is looked at until the first is a minute ago. */

const perAddressMax = 20;
const togetherMax = 300;
const windowMs = 60_000;

export class Failures {
  readonly #now: () => number;
  /** Of the last minute, the oldest first; never more than there may be of all together. */
  #lately: { at: number; network: string }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param address undefined where it is not known: all of those are one */
  areTooMany(address: string | undefined): boolean {
    const now = this.#now();
    // A clock that was set back locks nobody out for longer.
    this.#lately = this.#lately.filter(({ at }) => Math.abs(now - at) <= windowMs);
    const mine = networkOf(address);
    return (
      this.#lately.length >= togetherMax ||
      this.#lately.filter(({ network }) => network === mine).length >= perAddressMax
    );
  }

  add(address: string | undefined): void {
    this.#lately.push({ at: this.#now(), network: networkOf(address) });
  }
}

/** Whoever has one address of IPv6 has the 2^64 beside it. */
function networkOf(address = ""): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const [head = "", tail = ""] = address.split("::");
  const groups = head.split(":");
  const missing = 8 - groups.length - (tail === "" ? 0 : tail.split(":").length);
  const whole = address.includes("::")
    ? [...groups, ...Array<string>(missing).fill("0"), ...tail.split(":")]
    : groups;
  return whole
    .slice(0, 4)
    .map((group) => group || "0")
    .join(":");
}
