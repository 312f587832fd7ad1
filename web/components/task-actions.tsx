/** The question before an action, its progress while it runs, and what came of it. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { act, type Outcome, type Target, type TaskAction } from "../acting.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { useTelling } from "../telling.ts";
import { Button } from "./button.tsx";
import { apart, Dialog } from "./dialog.tsx";
import styles from "./task-actions.module.css";
import { useToast } from "./toast.tsx";

/** Names how many tasks it touches, acts once told to, and can be stopped. Closing it stops it too. */
export function ActionDialog({
  action,
  target,
  onClose,
  onDone,
}: {
  action: TaskAction;
  target: Target;
  onClose: () => void;
  onDone: () => void;
}) {
  const words = useWords();
  const { run, stop, reached } = useAction(action, target, onDone);
  const [question, explanation, verb, underWay] = useActionTexts(action);
  const running = reached !== undefined;
  return (
    <Dialog
      title={running ? underWay(target.count) : question(target.count)}
      onClose={onClose}
      footer={
        running ? (
          <Button className={apart} onClick={stop}>
            {words.stop}
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>{words.cancelDialog}</Button>
            <Button kind={action === "delete" ? "danger" : "main"} onClick={run}>
              {verb}
            </Button>
          </>
        )
      }
    >
      <p>{explanation}</p>
      {target.count > 1 && <Progress reached={reached} count={target.count} />}
    </Dialog>
  );
}

/** The question that an action begins with, what it does, its verb, and what it is called while it is under way. */
export function useActionTexts(action: TaskAction) {
  const words = useWords();
  const texts = {
    retry: [words.confirmRetry, words.retryExplained, words.retry, words.retrying],
    cancel: [words.confirmCancel, words.cancelExplained, words.cancel, words.cancelling],
    runAgain: [words.confirmRunAgain, words.runAgainExplained, words.runAgain, words.runningAgain],
    delete: [words.confirmDelete, words.deleteExplained, words.delete, words.deleting],
  } as const;
  return texts[action];
}

/** Has its place from the beginning, so that the dialog keeps its size. */
export function Progress({
  reached,
  count,
}: {
  /** Undefined before it begins. */
  reached: number | undefined;
  count: number;
}) {
  const words = useWords();
  const format = useFormat();
  return (
    <p className={`${styles.progress} ${reached === undefined ? styles.idle : ""}`}>
      <progress max={Math.max(count, 1)} value={Math.min(reached ?? 0, count)} aria-label={words.progress} />
      {format.count(reached ?? 0)} / {format.count(count)}
    </p>
  );
}

function useAction(action: TaskAction, target: Target, onDone: () => void) {
  const words = useWords();
  const telling = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const [reached, setReached] = useState<number>();
  const [abort] = useState(() => new AbortController());
  const closed = useRef(false);
  useEffect(() => {
    closed.current = false;
    return () => {
      closed.current = true;
      // StrictMode mounts twice: only what stays away is stopped.
      queueMicrotask(() => closed.current && abort.abort());
    };
  }, [abort]);
  const tell = ({ done, refusals }: Outcome) => {
    if (done > 0) say(words.doneOf(done, Math.max(done, target.count)));
    if (refusals.length > 0) say(`${words.refusedTasks(refusals.length)}: ${telling(refusals[0]!)}`, true);
  };
  const run = async () => {
    setReached(0);
    const onProgress = ({ done, refusals }: Outcome) => setReached(done + refusals.length);
    try {
      tell(await act(action, target, { signal: abort.signal, onProgress }));
    } catch (error) {
      say(telling(error as Error), true);
    }
    client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "tasks" });
    onDone();
  };
  return { run, stop: () => abort.abort(), reached };
}
