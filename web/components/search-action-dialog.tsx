/**
 * An action on all that a search finds: how many and the first of them beforehand, then the task that does it, which goes
 * on when this is closed.
 */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import type { SearchAction } from "../acting.ts";
import { api, type TaskSearch } from "../api.ts";
import type { TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { useTelling } from "../telling.ts";
import { Button } from "./button.tsx";
import { apart, Dialog } from "./dialog.tsx";
import { StatusMark } from "./icon.tsx";
import styles from "./search-action-dialog.module.css";
import { Progress, useActionTexts } from "./task-actions.tsx";
import { useToast } from "./toast.tsx";

const sampleMax = 5;

export function SearchActionDialog({
  action,
  search,
  count,
  onClose,
  onDone,
}: {
  action: SearchAction;
  search: TaskSearch;
  /** What was counted beforehand; the server's own count takes its place. */
  count: number;
  onClose: () => void;
  onDone: () => void;
}) {
  const words = useWords();
  const tell = useTelling();
  const [question, explanation, verb, underWay] = useActionTexts(action);
  const preview = useQuery(queries.actionPreview(action, search));
  const start = useMutation({ mutationFn: () => api.startAction(action, search) });
  const started = useStarted(start.data?.id, onDone);
  const stop = useMutation({ mutationFn: (id: string) => api.cancel({ id }) });
  const error = preview.error ?? start.error ?? started.error ?? stop.error;
  const total = started.task?.progress?.total ?? preview.data?.count ?? count;
  return (
    <Dialog
      title={start.data ? underWay(total) : question(preview.data?.count ?? count)}
      onClose={start.data ? onDone : onClose}
      footer={
        // Other buttons than before: the focus goes to the dialog, where a second Enter does nothing.
        start.data ? (
          <>
            <Button
              key="stop"
              className={apart}
              pending={stop.isPending || stop.isSuccess}
              onClick={() => stop.mutate(start.data.id)}
            >
              {words.stop}
            </Button>
            <Button key="close" onClick={onDone}>
              {words.close}
            </Button>
          </>
        ) : (
          <>
            <Button key="back" onClick={onClose}>
              {words.cancelDialog}
            </Button>
            <Button
              key="start"
              kind={action === "delete" ? "danger" : "main"}
              disabled={!preview.data?.count}
              pending={start.isPending}
              onClick={() => start.mutate()}
            >
              {verb}
            </Button>
          </>
        )
      }
    >
      <p>{explanation}</p>
      <Sample tasks={preview.data?.sample} counting={preview.isPending} />
      {preview.data?.unfilled !== undefined && (
        <p className={styles.warning} role="status">
          {words.actionUnfilled(preview.data.unfilled)}
        </p>
      )}
      {preview.data?.hint !== undefined && <p role="status">{words.said(preview.data.hint)}</p>}
      <p className={styles.note}>{words.actionInBackground}</p>
      <Progress reached={start.data && (started.task?.progress?.done ?? 0)} count={total} />
      <div className={styles.state}>
        <p className={styles.note} role="status">
          {stop.isPending || stop.isSuccess
            ? words.stopping
            : started.task?.status === "PENDING" && words.waitsForWorker}
        </p>
        {start.data && (
          <Link to="/tasks/$id" params={{ id: start.data.id }}>
            {words.actionOpen}
          </Link>
        )}
      </div>
      {error && (
        <p className={styles.error} role="alert">
          {tell(error)}
        </p>
      )}
    </Dialog>
  );
}

/** As high as it will be from the beginning, so that nothing moves under the pointer. */
function Sample({
  tasks,
  counting,
}: {
  tasks: readonly TaskDocument[] | undefined;
  /** Whether the server still looks for them. */
  counting: boolean;
}) {
  const words = useWords();
  return (
    <div className={styles.sample}>
      <h3>{words.actionFirst}</h3>
      <ul>
        {counting && <li className={styles.type}>{words.counting}</li>}
        {tasks?.slice(0, sampleMax).map(({ id, type, status }) => (
          <li key={id}>
            <StatusMark status={status} />
            <span className={styles.id}>{id}</span>
            <span className={styles.type}>{type}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The task of the action while it runs; its end is told and everything read anew. */
function useStarted(id: string | undefined, onDone: () => void) {
  const words = useWords();
  const say = useToast();
  const client = useQueryClient();
  const { data: task, error } = useQuery({ ...queries.action(id ?? ""), enabled: id !== undefined });
  const hasEnded = task !== undefined && task.status !== "PENDING" && task.status !== "RUNNING";
  const tell = ({ result, progress = { done: 0 } }: TaskDocument) => {
    const { changed = progress.done, skipped = 0 } = (result ?? {}) as { changed?: number; skipped?: number };
    const total = result ? changed + skipped : (progress.total ?? changed);
    say(words.doneOf(changed, Math.max(changed, total)));
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the end is told once
  useEffect(() => {
    if (!hasEnded) return;
    if (task.status === "FAILED") say(task.error ?? words.FAILED, true);
    else tell(task);
    const others = ["tasks", "action"];
    client.invalidateQueries({ predicate: ({ queryKey }) => !others.includes(String(queryKey[0])) });
    onDone();
  }, [hasEnded]);
  return { task, error };
}
