/** Statements of a bearable size: one takes no more text than a string of JavaScript, or a value of the server's, may hold. */

/** In characters of the values; the statement is longer, by what quoting adds. */
const sizeMax = 32 * 1024 * 1024;

/** The items in order, in portions of at most 32 Mi characters, or of a single item that is larger. */
export function portions<Item>(items: readonly Item[], sizeOf: (item: Item) => number): Item[][] {
  const all: Item[][] = [];
  let portion: Item[] = [];
  let left = 0;
  for (const item of items) {
    const size = sizeOf(item);
    if (portion.length === 0 || size > left) {
      portion = [];
      all.push(portion);
      left = sizeMax;
    }
    portion.push(item);
    left -= size;
  }
  return all;
}

/** In characters. */
export function sizeOfTexts(...texts: readonly (string | undefined)[]): number {
  return texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
}
