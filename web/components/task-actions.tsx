/** Actions on tasks, one or many: what each may act on, the question before it, and what came of it. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api.ts";
import type { Status, TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { useToast } from "./toast.tsx";

export type TaskAction = "retry" | "cancel" | "runAgain" | "delete";

const allowed: Record<TaskAction, readonly Status[]> = {
  retry: ["FAILED", "CANCELLED"],
  cancel: ["PENDING", "RUNNING"],
  runAgain: ["COMPLETED", "FAILED", "CANCELLED"],
  delete: ["PENDING", "COMPLETED", "FAILED", "CANCELLED"],
};

/** How many requests of one action are under way at once. */
const togetherMax = 4;

export function appliesTo(action: TaskAction, task: TaskDocument): boolean {
  if (task.isDefinition) return false;
  return allowed[action].includes(task.status) && !(action === "cancel" && task.cancelRequestedAt);
}

/** Asks first, then acts on each task; tells how many were done and, in the server's words, what was refused. */
export function ActionDialog({
  action,
  tasks,
  onClose,
  onDone,
}: {
  action: TaskAction;
  tasks: readonly TaskDocument[];
  onClose: () => void;
  onDone: () => void;
}) {
  const words = useWords();
  const { run, done } = useAction(action, tasks, onDone);
  const texts = {
    retry: [words.confirmRetry, words.retryExplained, words.retry],
    cancel: [words.confirmCancel, words.cancelExplained, words.cancel],
    runAgain: [words.confirmRunAgain, words.runAgainExplained, words.runAgain],
    delete: [words.confirmDelete, words.deleteExplained, words.delete],
  } as const;
  const [question, explanation, verb] = texts[action];
  return (
    <Dialog
      title={question(tasks.length)}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{words.cancelDialog}</Button>
          <Button kind="main" disabled={done !== undefined} onClick={run}>
            {done === undefined ? verb : `${done} / ${tasks.length}`}
          </Button>
        </>
      }
    >
      <p>{explanation}</p>
    </Dialog>
  );
}

function useAction(action: TaskAction, tasks: readonly TaskDocument[], onDone: () => void) {
  const words = useWords();
  const say = useToast();
  const client = useQueryClient();
  const [done, setDone] = useState<number>();
  const run = async () => {
    setDone(0);
    const refusals: Error[] = [];
    const left = [...tasks];
    const work = async () => {
      for (let task = left.shift(); task; task = left.shift()) {
        await api[action](task.id).catch((error: Error) => refusals.push(error));
        setDone((count) => (count ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: togetherMax }, work));
    const well = tasks.length - refusals.length;
    if (well > 0) say(words.doneOf(well, tasks.length));
    if (refusals.length > 0) say(`${words.refusedTasks(refusals.length)}: ${refusals[0]!.message}`, true);
    client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "tasks" });
    onDone();
  };
  return { run, done };
}
