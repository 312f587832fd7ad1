/** How to search, by example: each a link that searches so. */
import { Link } from "@tanstack/react-router";
import type { Messages } from "../i18n/en.ts";
import { useWords } from "../i18n/language.tsx";
import styles from "./search-examples.module.css";

const examples: readonly [query: string, word: keyof Messages][] = [
  ["status:failed type:email*", "exampleFields"],
  ["created:>2h duration:>30s", "exampleTimes"],
  ["attempts:>=3 priority:1..10", "exampleNumbers"],
  ["payload.user.id:42", "examplePaths"],
  ['"ETIMEDOUT" -error:"rate limit"', "exampleWords"],
  ["(queue:mail OR queue:reports) has:result", "exampleGroups"],
];

export function SearchExamples() {
  const words = useWords();
  return (
    <section className={styles.examples}>
      <h2>{words.searchSyntax}</h2>
      <dl>
        {examples.map(([query, word]) => (
          <div key={query}>
            <dt>
              <Link to="/tasks" search={{ q: query }}>
                <code>{query}</code>
              </Link>
            </dt>
            <dd>{words[word] as string}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
