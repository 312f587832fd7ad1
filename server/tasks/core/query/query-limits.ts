/** How large a query may be: how many terms, how deep in each other, how many values in a list, how long a path or a text. */
import { listMax, depthMax as pathMax, partsMax as termsMax } from "../filters/filter-condition.ts";
import { type QueryNode, queryError, type Span } from "./query-grammar.ts";

/** OR, NOT and parentheses with either in them. */
const levelsMax = 20;
/** Of one text that is looked for everywhere; values of fields may be as long as the query. */
const textMax = 256;

/** @throws DureError INVALID_QUERY, pointing at the first term that is too much */
export function checkLimits(query: string, tree: QueryNode): void {
  let terms = 0;
  const visit = (node: QueryNode, level: number): void => {
    if ("nodes" in node) for (const one of node.nodes) visit(one, node.kind === "or" ? level + 1 : level);
    else if (node.kind === "not") visit(node.node, level + 1);
    else {
      terms += 1;
      const problem = problemOf(node, terms, level);
      if (problem) throw queryError(query, problem.span, problem.text);
    }
  };
  visit(tree, 0);
}

type Term = Extract<QueryNode, { kind: "text" | "saved" | "field" }>;

function problemOf(term: Term, terms: number, level: number): { span: Span; text: string } | undefined {
  const span = term.kind === "text" ? term.value : term.span;
  if (terms > termsMax) return { span, text: `a query has at most ${termsMax} terms` };
  if (level > levelsMax)
    return { span, text: `it stands in more than ${levelsMax} levels of OR and NOT; write it flatter` };
  if (term.kind === "text" && term.value.text.length > textMax)
    return { span, text: `a text to look for has at most ${textMax} characters; look for a part of it` };
  if (term.kind !== "field") return undefined;
  if (term.field.split(".").length > pathMax + 1) return { span, text: `a path has at most ${pathMax} keys` };
  const { match } = term;
  return match.kind === "values" && match.values.length > listMax
    ? { span: match.values[listMax]!, text: `a list has at most ${listMax} values` }
    : undefined;
}
