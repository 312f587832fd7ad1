/** Pairs of a statement that looks into each as deep as its share makes likely. */
import { depthsOf, weightOf } from "./foremost.ts";
import type { Pair, Text } from "./search-statements.ts";

/** Pairs with how many are looked at of each, as `pair`. @param beside SQL of arrays of what else there is of each, by their columns */
export function deepPairs(
  text: Text,
  pairs: readonly Pair[],
  most: number,
  beside: Readonly<Record<string, string>> = {},
): string {
  const all = pairs.reduce((sum, { tasks }) => sum + tasks, 0);
  const arrays = [
    `${text.add(pairs.map(({ lane }) => lane))}::integer[]`,
    `${text.add(pairs.map(({ status }) => status))}::smallint[]`,
    `${text.add(depthsOf(pairs.map(weightOf), all, most, 1))}::integer[]`,
    ...Object.values(beside),
  ];
  return `unnest(${arrays.join(", ")}) AS pair (${["lane", "status", "depth", ...Object.keys(beside)].join(", ")})`;
}
