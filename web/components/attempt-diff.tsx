/** What changed from one attempt to the next: how it ended, how long it took, who ran it, and the error line by line. */
import { type DiffLine, diffLines, errorLines } from "../../server/tasks/core/values/line-diff.ts";
import type { AttemptDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import styles from "./attempt-diff.module.css";

export function AttemptDiff({ earlier, later }: { earlier: AttemptDocument; later: AttemptDocument }) {
  const words = useWords();
  return (
    <details className={styles.diff}>
      <summary>{words.compareWith(earlier.number)}</summary>
      <Facts earlier={earlier} later={later} />
      <ErrorDiff
        label={words.compareWith(earlier.number)}
        earlier={errorLines(earlier.error)}
        later={errorLines(later.error)}
      />
    </details>
  );
}

function Facts({ earlier, later }: { earlier: AttemptDocument; later: AttemptDocument }) {
  const words = useWords();
  const format = useFormat();
  const outcomeOf = ({ outcome }: AttemptDocument) => (outcome ? words[outcome] : words.stillRunning);
  const tookOf = ({ startedAt, endedAt }: AttemptDocument) =>
    endedAt ? format.span(Date.parse(endedAt) - Date.parse(startedAt)) : words.stillRunning;
  const facts = [
    [words.outcome, outcomeOf(earlier), outcomeOf(later)],
    [words.took, tookOf(earlier), tookOf(later)],
    [words.worker, earlier.workerId ?? "–", later.workerId ?? "–"],
    [words.logs, format.count(earlier.logs.length), format.count(later.logs.length)],
  ] as const;
  const changed = facts.filter(([, before, after]) => before !== after);
  if (changed.length === 0) return null;
  return (
    <table className={styles.facts}>
      <thead>
        <tr>
          <td />
          <th scope="col">{words.attemptNumber(earlier.number)}</th>
          <th scope="col">{words.attemptNumber(later.number)}</th>
        </tr>
      </thead>
      <tbody>
        {changed.map(([name, before, after]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{before}</td>
            <td>{after}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ErrorDiff({ label, earlier, later }: { label: string; earlier: string; later: string }) {
  const words = useWords();
  if (earlier === later) return <p className={styles.note}>{earlier ? words.sameError : words.noErrors}</p>;
  const lines = diffLines(earlier, later);
  if (!lines) return <p className={styles.note}>{words.tooLongToCompare}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it
    <section className={styles.lines} aria-label={label} tabIndex={0}>
      {lines.map((line, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines never change
        <Line key={place} line={line} />
      ))}
    </section>
  );
}

const signs = { same: " ", removed: "−", added: "+" };
const elements = { same: "span", removed: "del", added: "ins" } as const;

function Line({ line: { kind, text, count = 0 } }: { line: DiffLine }) {
  const words = useWords();
  if (kind === "omitted") return <p className={styles.omitted}>{words.equalLines(count)}</p>;
  const Text = elements[kind];
  return (
    <p className={styles[kind]}>
      <span aria-hidden="true">{signs[kind]}</span>
      <Text className={styles.text}>{text}</Text>
    </p>
  );
}
