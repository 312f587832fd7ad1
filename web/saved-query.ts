/** The search of a page as one query: what is chosen beside the box stands in it as well. */

/** As `TaskSearch` of api.ts has it. */
interface PageSearch {
  q?: string | undefined;
  status?: string | undefined;
  type?: string | undefined;
  sort?: string | undefined;
}

/** An order that the query says itself counts, as it does while one searches. */
export function queryOf({ q = "", status, type, sort }: PageSearch): string {
  const chosen = [
    ...(status ? [`status:${status.toLowerCase()}`] : []),
    ...(type ? [`type:${word(type)}`] : []),
  ];
  const text = q.trim();
  const whole = chosen.length > 0 && /\bOR\b/.test(text) ? `(${text})` : text;
  const order = sort && !/(?:^|[\s(])sort:/i.test(text) ? [orderOf(sort)] : [];
  return [whole, ...chosen, ...order].filter((part) => part !== "").join(" ");
}

/** `-updatedAt` → `sort:-updated`, `createdAt` → `sort:+created`. */
function orderOf(sort: string): string {
  const isDown = sort.startsWith("-");
  return `sort:${isDown ? "-" : "+"}${sort.replace(/^-/, "").replace(/At$/, "")}`;
}

function word(text: string): string {
  return /^[\p{L}\p{N}_-]+$/u.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
