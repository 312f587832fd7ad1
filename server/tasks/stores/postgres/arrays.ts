/** Arrays as the server reads them. The driver would write them too, at three times the cost. */

export function arrayText(values: readonly unknown[]): string {
  if (values.every(isNumber)) return `{${values.join(",")}}`;
  let text = "";
  for (const value of values) {
    if (text !== "") text += ",";
    text +=
      typeof value === "string"
        ? quotedText(value)
        : value === null || value === undefined
          ? "NULL"
          : String(value);
  }
  return `{${text}}`;
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}

/** JSON's own way where it writes what an array does, which is several times as fast: payloads and results are full of quotes. */
function quotedText(text: string): string {
  if (!special.test(text)) return `"${text}"`;
  return beyondJson.test(text) ? `"${text.replace(specials, "\\$&")}"` : JSON.stringify(text);
}

const special = /["\\]/;
const specials = /["\\]/g;
/** Control characters and halves of a surrogate pair, which JSON writes in a way that an array does not know. */
const beyondJson = /[^ -\ud7ff\ue000-\uffff]/;

/** An array that holds nothing but null is not needed where others say how many rows there are: what is missing is null. */
export function unlessEmpty<Value>(column: Value[]): Value[] | null {
  return column.every((value) => value === null) ? null : column;
}

export function arrayTextUnlessEmpty(column: (string | null)[]): string | null {
  return unlessEmpty(column) && arrayText(column);
}
