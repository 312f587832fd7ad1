/** The least text that is greater than all that begin so, as databases compare them; undefined when there is none. */
export function beyondPrefix(prefix: string): string | undefined {
  const characters = [...prefix];
  for (;;) {
    const last = characters.pop()?.codePointAt(0);
    if (last === undefined) return undefined;
    if (last >= 0x10_ffff) continue;
    const next = last + 1 >= 0xd800 && last + 1 <= 0xdfff ? 0xe000 : last + 1;
    return characters.join("") + String.fromCodePoint(next);
  }
}
