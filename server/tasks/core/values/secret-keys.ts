/**
 * Names of values that mostly hold secrets. What stands under them is shown to nobody over the network, and is in no text that is
 * searched: whoever may search must not be able to spell it.
 */

const secretKeys =
  /passw(or)?d|secret|token|authori[sz]ation|cookie|api[-_]?key|private[-_]?key|credential|^ssn$|card[-_]?number|^cvc$|^cvv$|^pin$/i;

/** Payloads say the same names again and again. */
const known = new Map<string, boolean>();
const knownMax = 10_000;
const knownSizeMax = 64;

/** Whether the value under this key is taken for a secret. */
export function isSecretKey(key: string): boolean {
  const before = known.get(key);
  if (before !== undefined) return before;
  const isSecret = secretKeys.test(key);
  if (key.length > knownSizeMax) return isSecret;
  if (known.size >= knownMax) known.clear();
  known.set(key, isSecret);
  return isSecret;
}

/**
 * Entries of a Map, and headers as they are often kept: a list of pairs of a key and its value. Of a secret the key is left; any
 * other list is given back as it is.
 */
export function withoutSecretEntries(list: readonly unknown[]): readonly unknown[] {
  if (!list.every(isEntry)) return list;
  const isSecret = ([key]: readonly [string, unknown]) => isSecretKey(key);
  return list.some(isSecret) ? list.map((entry) => (isSecret(entry) ? [entry[0]] : entry)) : list;
}

function isEntry(item: unknown): item is readonly [string, unknown] {
  return Array.isArray(item) && item.length === 2 && typeof item[0] === "string";
}
