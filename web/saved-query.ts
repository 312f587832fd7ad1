/** The search of a page as one query: what is chosen beside the box stands in it as well. */
import { orderInQuery, termOf } from "./order.ts";

/** As `TaskSearch` of api.ts has it. */
interface PageSearch {
  q?: string | undefined;
  status?: string | undefined;
  type?: string | undefined;
  sort?: string | undefined;
}

/** An order that the query says itself goes before the chosen one, as it does in the list. */
export function queryOf({ q = "", status, type, sort }: PageSearch): string {
  const chosen = [
    ...(status ? [`status:${status.toLowerCase()}`] : []),
    ...(type ? [`type:${word(type)}`] : []),
  ];
  const text = q.trim();
  const whole = chosen.length > 0 && /\bOR\b/.test(text) ? `(${text})` : text;
  const order = sort && orderInQuery(text) === undefined ? [termOf(sort)] : [];
  return [whole, ...chosen, ...order].filter((part) => part !== "").join(" ");
}

function word(text: string): string {
  return /^[\p{L}\p{N}_-]+$/u.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
