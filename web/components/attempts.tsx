/** The attempts of a task on one scale of time, the latest first, each with its error and its logs. */
import { type UIEvent, useLayoutEffect, useRef, useState } from "react";
import type { AttemptDocument, LogDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { useNow } from "../now.ts";
import { useSeesPayloads } from "../role.ts";
import { AttemptDiff } from "./attempt-diff.tsx";
import styles from "./attempts.module.css";
import { ErrorText } from "./error-text.tsx";
import { WorkerLink } from "./task-facts.tsx";
import { Instant, Span } from "./time.tsx";

export function Attempts({
  attempts,
  errorToldOf,
}: {
  attempts: readonly AttemptDocument[];
  /** The fence of the attempt whose error the page shows already. */
  errorToldOf: number | undefined;
}) {
  const words = useWords();
  const now = useNow();
  if (attempts.length === 0) return <p className={styles.none}>{words.noAttempts}</p>;
  const latestFirst = [...attempts].sort((one, other) => other.fence - one.fence);
  const begin = Date.parse(latestFirst.at(-1)!.startedAt);
  const end = Math.max(...attempts.map(({ endedAt }) => (endedAt ? Date.parse(endedAt) : now)), begin + 1);
  return (
    <ol className={styles.list} reversed>
      {latestFirst.map((attempt, index) => (
        <AttemptItem
          key={attempt.fence}
          attempt={attempt}
          before={latestFirst[index + 1]}
          scale={{ begin, end }}
          first={index === 0}
          errorTold={attempt.fence === errorToldOf}
        />
      ))}
    </ol>
  );
}

function AttemptItem({
  attempt,
  before,
  scale,
  first,
  errorTold,
}: {
  attempt: AttemptDocument;
  /** The attempt before it, to compare with. */
  before: AttemptDocument | undefined;
  scale: { begin: number; end: number };
  first: boolean;
  errorTold: boolean;
}) {
  const words = useWords();
  const [open, setOpen] = useState(first);
  const outcome = attempt.outcome ?? "running";
  return (
    <li className={styles.item}>
      <button type="button" className={styles.line} aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className={styles.name}>{words.attemptNumber(attempt.number)}</span>
        <span className={`${styles.outcome} ${styles[outcome]}`}>
          {attempt.outcome ? words[attempt.outcome] : words.stillRunning}
        </span>
        <Bar attempt={attempt} scale={scale} />
        <span className={styles.took}>
          <Span from={attempt.startedAt} to={attempt.endedAt} />
        </span>
      </button>
      {open && <AttemptBody attempt={attempt} before={before} errorTold={errorTold} />}
    </li>
  );
}

function Bar({
  attempt,
  scale: { begin, end },
}: {
  attempt: AttemptDocument;
  scale: { begin: number; end: number };
}) {
  const now = useNow();
  const from = Date.parse(attempt.startedAt);
  const to = attempt.endedAt ? Date.parse(attempt.endedAt) : now;
  const percent = (ms: number) => `${(Math.max(0, ms) / (end - begin)) * 100}%`;
  return (
    <span className={styles.track} aria-hidden="true">
      <span
        className={`${styles.bar} ${styles[attempt.outcome ?? "running"]}`}
        style={{ left: percent(from - begin), width: percent(to - from) }}
      />
    </span>
  );
}

function AttemptBody({
  attempt,
  before,
  errorTold,
}: {
  attempt: AttemptDocument;
  before: AttemptDocument | undefined;
  errorTold: boolean;
}) {
  const words = useWords();
  const seesPayloads = useSeesPayloads();
  return (
    <div className={styles.body}>
      <p className={styles.meta}>
        <Instant at={attempt.startedAt} />
        {attempt.workerId && <WorkerLink id={attempt.workerId} />}
        <span>
          {words.logs}: {attempt.logs.length || (seesPayloads ? words.noLogs : words.hiddenFromYou)}
        </span>
      </p>
      {attempt.error && !errorTold && <ErrorText error={attempt.error} />}
      {before && <AttemptDiff earlier={before} later={attempt} />}
      {attempt.logs.length > 0 && <Logs logs={attempt.logs} growing={!attempt.outcome} />}
    </div>
  );
}

function Logs({ logs, growing }: { logs: readonly LogDocument[]; growing: boolean }) {
  const words = useWords();
  const format = useFormat();
  const following = useFollowing(logs.length, growing);
  return (
    <div
      {...following}
      className={styles.logs}
      role="log"
      aria-label={words.logs}
      aria-live="off"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it
      tabIndex={0}
    >
      {logs.map((entry, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a log only grows at its end
        <div key={index} className={`${styles.entry} ${styles[entry.level]}`}>
          <time dateTime={entry.at} title={format.full(new Date(entry.at))}>
            {format.clock(new Date(entry.at))}
          </time>
          <span className={styles.level}>{entry.level}</span>
          <span className={styles.text}>
            <bdi>{entry.message}</bdi>
            {entry.fields && <span className={styles.fields}> {JSON.stringify(entry.fields)}</span>}
          </span>
        </div>
      ))}
    </div>
  );
}

/** So far from its end it still counts as there, in pixels. */
const nearEndPx = 24;

/** Shows the end of what grows, until somebody scrolls away from it, and again once they are back. */
function useFollowing(length: number, growing: boolean) {
  const ref = useRef<HTMLDivElement>(null);
  const follows = useRef(growing);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is followed is the length
  useLayoutEffect(() => {
    if (follows.current && ref.current) ref.current.scrollTop = ref.current.scrollHeight;
  }, [length]);
  const onScroll = ({ currentTarget: box }: UIEvent<HTMLDivElement>) => {
    follows.current = growing && box.scrollHeight - box.scrollTop - box.clientHeight < nearEndPx;
  };
  return { ref, onScroll };
}
