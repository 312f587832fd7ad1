/** Arrays as the server reads them. The driver would write them too, at three times the cost. */

export function arrayText(values: readonly unknown[]): string {
  let text = "";
  for (const value of values) {
    if (text !== "") text += ",";
    text += typeof value === "string" ? quotedText(value) : value === null ? "NULL" : String(value);
  }
  return `{${text}}`;
}

function quotedText(text: string): string {
  return `"${special.test(text) ? text.replace(specials, "\\$&") : text}"`;
}

const special = /["\\]/;
const specials = /["\\]/g;

/** An array that holds nothing but null is not needed where others say how many rows there are: what is missing is null. */
export function unlessEmpty<Value>(column: Value[]): Value[] | null {
  return column.every((value) => value === null) ? null : column;
}
