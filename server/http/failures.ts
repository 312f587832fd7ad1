/** Wrong tokens: so many a minute from one address, and so many of all together; then none is looked at until the minute is over. */

const perAddressMax = 20;
const togetherMax = 300;
const addressesMax = 1_000;
const windowMs = 60_000;

export class Failures {
  readonly #now: () => number;
  readonly #byAddress = new Map<string, number>();
  #together = 0;
  #since = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param address undefined where it is not known: all of those are one */
  areTooMany(address: string | undefined): boolean {
    if (this.#now() - this.#since > windowMs) {
      this.#since = this.#now();
      this.#together = 0;
      this.#byAddress.clear();
    }
    return this.#together >= togetherMax || (this.#byAddress.get(networkOf(address)) ?? 0) >= perAddressMax;
  }

  add(address: string | undefined): void {
    this.#together += 1;
    const network = networkOf(address);
    const count = (this.#byAddress.get(network) ?? 0) + 1;
    if (count > 1 || this.#byAddress.size < addressesMax) this.#byAddress.set(network, count);
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
