/** What the tasks of a search have in common: how many by type, queue and attribute, each a link that narrows the search. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { TaskSearch } from "../api.ts";
import type { DefinitionDocument, SummaryGroup } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { useSeesPayloads } from "../role.ts";
import styles from "./facets.module.css";
import { Menu } from "./menu.tsx";
import { quoted } from "./task-facts.tsx";

/** Each is a question to the store. */
const attributesMax = 4;
const valuesMax = 8;

interface Facet {
  /** What it is summed up by. */
  by: string;
  /** The field of the query that narrows by it. */
  field: string;
}

export function Facets({ search }: { search: TaskSearch }) {
  const words = useWords();
  return (
    <Menu icon="filter" label={words.facets} className={styles.list}>
      {() => <FacetList search={search} />}
    </Menu>
  );
}

function FacetList({ search }: { search: TaskSearch }) {
  const words = useWords();
  const { data: definitions = [] } = useQuery(queries.definitions());
  const seesPayloads = useSeesPayloads();
  const facets = facetsOf(search, seesPayloads ? definitions : []);
  const answers = useQueries({ queries: facets.map(({ by }) => queries.facet(search, by)) });
  const names: { [by: string]: string } = { type: words.type, queue: words.queue };
  return (
    <>
      {facets.map(({ by, field }, place) => {
        const answer = answers[place]?.data;
        if (answer && isEachItsOwn(answer)) return null;
        return (
          <section key={by} aria-label={names[by] ?? field}>
            <h2>{names[by] ?? field}</h2>
            <Values by={by} field={field} search={search} answer={answer} />
          </section>
        );
      })}
    </>
  );
}

interface FacetAnswer {
  groups: readonly SummaryGroup[];
  /** The counts are of so many of the newest tasks. */
  sampled?: number;
}

/** Where each task has a value of its own, none of them narrows the search to more than one. */
function isEachItsOwn({ groups }: FacetAnswer): boolean {
  return groups.length > valuesMax && groups[0]!.count === 1;
}

function Values({
  by,
  field,
  search,
  answer,
}: Facet & { search: TaskSearch; answer: FacetAnswer | undefined }) {
  const words = useWords();
  const format = useFormat();
  if (!answer) return <p className={styles.none}>{words.loading}</p>;
  const { groups, sampled } = answer;
  if (groups.length === 0) return <p className={styles.none}>–</p>;
  return (
    <ul>
      {groups.slice(0, valuesMax).map((group) => {
        const value = String(group[by as keyof SummaryGroup]);
        const narrowed =
          by === "type"
            ? { ...search, type: value }
            : { ...search, q: `${search.q ?? ""} ${field}:${filterOf(value)}`.trim() };
        return (
          <li key={value}>
            <Link to="/tasks" search={narrowed}>
              <span className={styles.value}>{value}</span>
              <span className={styles.count}>
                {sampled ? `≈ ${format.percent(group.count / sampled)}` : format.count(group.count)}
              </span>
            </Link>
          </li>
        );
      })}
      {groups.length > valuesMax && !sampled && (
        <li className={styles.none}>{words.moreValues(groups.length - valuesMax)}</li>
      )}
      {sampled && <li className={styles.none}>{words.ofNewest(sampled)}</li>}
    </ul>
  );
}

/** A long text is told by its beginning alone. */
function filterOf(value: string): string {
  return value.endsWith("…") ? `${quoted(value.slice(0, -1))}*` : quoted(value);
}

function facetsOf({ type }: TaskSearch, definitions: readonly DefinitionDocument[]): Facet[] {
  const declared = definitions
    .filter(({ id }) => !type || id === type)
    .flatMap(({ attributes = [] }) => attributes);
  const attributes = [...new Set(declared)].slice(0, attributesMax);
  return [
    ...(type ? [] : [{ by: "type", field: "type" }]),
    { by: "queue", field: "queue" },
    ...attributes.map((name) => ({ by: `attribute.${name}`, field: name })),
  ];
}
