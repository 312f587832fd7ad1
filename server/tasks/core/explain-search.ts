/** explainSearch: which way a search is served, what that costs, and what would make it cheaper. */
import type { Condition, Field } from "./filters/condition.ts";
import { describeCondition, describeField } from "./filters/condition-text.ts";
import { filterKeys } from "./filters/filter-condition.ts";
import { narrowed } from "./filters/narrowed.ts";
import { whyNothingFits } from "./filters/why-nothing-fits.ts";
import { hintOfUnfilled, readPageSearch } from "./find.ts";
import { asGiven } from "./given.ts";
import { grouped } from "./grouped.ts";
import type { Instance } from "./instance.ts";
import { checkPlain } from "./options.ts";
import { rankedMax } from "./relevance.ts";
import type { TaskSearchOptions } from "./search.ts";
import type { PlanSource, SearchPlan, StoreSearch } from "./store.ts";

/** What the store says it would do, in words, and what to make of it. */
export interface SearchExplanation extends SearchPlan {
  /** A sentence or two for people, in English. */
  summary: string;
  /** The conditions that each of these tasks is tested on, as a query would say them. */
  tested: readonly string[];
  /** What would make the search cheaper, the best first; empty when little would. */
  hints: readonly string[];
}

/** The index of texts has parts of this many characters. */
const textMin = 3;
const deepOffset = 100_000;

/** Asks the store for its plan; tasks are counted, none is read. @throws DureError INVALID_OPTION, INVALID_QUERY, INVALID_CURSOR */
export async function explainSearchIn(
  instance: Instance,
  options: TaskSearchOptions = {},
): Promise<SearchExplanation> {
  checkPlain("explainSearch(options)", options);
  const given = asGiven(options);
  const search = await readPageSearch(instance, given);
  const store = await instance.store();
  const asked = await narrowed(store, search);
  const plan = await store.explainSearch(asked);
  const parts = partsOf(asked.where);
  return {
    ...plan,
    summary: summaryOf(asked, plan),
    tested: parts.map(describeCondition),
    hints: [
      ...(await whyNothingFits(instance, store, search, given)),
      ...(plan.unfilled ? [hintOfUnfilled(plan.unfilled)] : []),
      ...hintsFor(asked, plan, parts),
    ],
  };
}

/** All of them must hold. */
function partsOf(where: Condition | undefined): readonly Condition[] {
  if (!where) return [];
  return where.kind === "and" ? where.parts.flatMap(partsOf) : [where];
}

/** What a walk that looks at certain tasks alone gathers them by. */
const gatheredBy: Record<string, string> = {
  startedAt: "may have started within the range, by the index of starts",
  attempts: "run or wait again, by the index of the last change",
};

function summaryOf(search: StoreSearch, plan: SearchPlan): string {
  const { source, of, candidates, isAtLeast, isSorted } = plan;
  const number = grouped(candidates);
  const tasks = candidates === 1 ? "task" : "tasks";
  const count = `${isAtLeast ? `at least ${number}` : `about ${number}`} ${tasks}`;
  const from: Record<PlanSource, string> = {
    id: of ? `Looks up ${number} ${tasks} by ${of}.` : "Finds the one task by its id.",
    order: `Reads the page from indexes that have it in its order: ${count}, and no other.`,
    attributes: `Finds ${count} by the index of attributes (${of}).`,
    texts: `Finds ${count} by the index of texts.`,
    slow: `Finds ${count} by the index of how long tasks ran.`,
    walk: of
      ? `Gathers ${count} that ${gatheredBy[of] ?? "may fit"}.`
      : `Walks over the tasks that pass the filters by type, status, queue and time: ${count}.`,
  };
  if ((source === "id" && !of) || source === "order") return from[source];
  const until = isSorted
    ? sortedText(search.sortBy)
    : "They are read in the order asked for, until the page is full.";
  return `${from[source]} ${until}`;
}

function sortedText(sortBy: StoreSearch["sortBy"]): string {
  return sortBy === "relevance"
    ? `The newest ${grouped(rankedMax)} of them that fit are ranked by relevance.`
    : `They do not come in the order of ${sortBy}, so all of them are read and sorted.`;
}

function hintsFor(search: StoreSearch, plan: SearchPlan, parts: readonly Condition[]): string[] {
  const { source, of, isSorted } = plan;
  const hints: string[] = [];
  if (source === "walk" && !of) {
    hints.push(...parts.flatMap(hintsForPart));
    if (!isNarrowed(search))
      hints.push("Add a type, a status, a queue or a range of time: only what passes them is looked at.");
  }
  // What another index found is few, and relevance is no order that another could stand for.
  if (isSorted && source === "walk" && search.sortBy !== "relevance")
    hints.push(
      `Sort by createdAt, updatedAt or id: beside these filters their orders are read from an index, and that of ${search.sortBy} is not.`,
    );
  if (search.offset >= deepOffset)
    hints.push(
      "Go from page to page by cursor: what lies before a cursor is not passed over, as it is with an offset.",
    );
  return [...new Set(hints)];
}

function isNarrowed({ types, statuses, queues, created, updated }: StoreSearch): boolean {
  return Boolean(types || statuses || queues || created || updated);
}

/** Of a part that no index was of use for. */
function hintsForPart(part: Condition): string[] {
  if (part.kind === "text") return [hintForText(part.text)];
  const fields = fieldsOf(part);
  const undeclared = fields.filter(({ of }) => of === "payload" || of === "result");
  if (undeclared.length > 0) return undeclared.map(hintForPath);
  if (!fields.some(({ of }) => of === "attribute")) return [];
  const shown = describeCondition(part);
  if (part.kind === "equals" || part.kind === "range" || part.kind === "prefix")
    return [
      `So many tasks have ${shown} that its index finds a page no sooner; add a condition that fewer meet.`,
    ];
  return [
    `The index of attributes finds values, ranges and prefixes that must be there; ${shown} is none of these.`,
  ];
}

function hintForText(text: string): string {
  const shown = JSON.stringify(text);
  if ([...text].length < textMin)
    return `Give ${textMin} characters or more of the text: ${shown} is too short for the index of texts.`;
  return `So many tasks have ${shown}, or so few are indexed yet, that the index of texts is of no use; add a text that fewer have.`;
}

function hintForPath(field: Field): string {
  const shown = describeField(field);
  const name = field.of === "task" || field.of === "attribute" ? "value" : nameFor(field);
  return `Declare an attribute of ${shown}, and ask for attribute.${name}: only an index of it finds its tasks without reading others.`;
}

/** What an attribute of a place may be called: its key, or `userId` where every task has an `id` of its own. */
function nameFor({ path }: Extract<Field, { path: readonly string[] }>): string {
  const keys = path.filter((key) => !/^\d+$/.test(key));
  const last = keys.at(-1) ?? "value";
  if (!filterKeys.includes(last)) return last;
  return `${keys.at(-2) ?? "own"}${last[0]!.toUpperCase()}${last.slice(1)}`;
}

function fieldsOf(condition: Condition): Field[] {
  if (condition.kind === "not") return fieldsOf(condition.part);
  if (condition.kind === "and" || condition.kind === "or") return condition.parts.flatMap(fieldsOf);
  return "field" in condition ? [condition.field] : [];
}
