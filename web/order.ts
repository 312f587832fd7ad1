/** The order of a list: what is chosen above it, or what its query says, which goes before. */

/** Texts in quotes are passed over; `sort:` is a term of its own. */
const terms = /"(?:[^"\\]|\\.)*"|(?:^|\s+)sort:([+-]?)(\w+)(?!\S)/gi;
const fields: { [order: string]: string } = {
  created: "createdAt",
  updated: "updatedAt",
  started: "startedAt",
  completed: "completedAt",
  due: "dueAt",
};

interface Listed {
  q?: string | undefined;
  sort?: string | undefined;
}

/** As an address has it: the field, with `-` before it for the greatest first. Undefined is the newest first. */
export function orderOf({ q = "", sort }: Listed): string | undefined {
  return orderInQuery(q) ?? sort;
}

/** What the query says, as an address would. */
export function orderInQuery(q: string): string | undefined {
  for (const [, sign, order] of q.matchAll(terms)) {
    if (!order) continue;
    const name = order.toLowerCase().replace(/at$/, "");
    // Of ids the first come first, of all else the greatest.
    const isDown = sign ? sign === "-" : name !== "id";
    return `${isDown ? "-" : ""}${fields[name] ?? name}`;
  }
  return undefined;
}

/** The query without the order that it says. */
export function withoutOrder(q: string): string {
  return q.replace(terms, (term, _sign, order) => (order ? "" : term)).trim();
}

/** `-updatedAt` → `sort:-updated`, `createdAt` → `sort:+created`. */
export function termOf(sort: string): string {
  const isDown = sort.startsWith("-");
  return `sort:${isDown ? "-" : "+"}${sort.replace(/^-/, "").replace(/At$/, "")}`;
}
