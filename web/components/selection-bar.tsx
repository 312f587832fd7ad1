/** What stands in the place of the statuses while tasks are selected: how many, and what can be done to them. */
import { useState } from "react";
import type { TaskDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { Button } from "./button.tsx";
import styles from "./selection-bar.module.css";
import { ActionDialog, appliesTo, type TaskAction } from "./task-actions.tsx";

const actions: readonly TaskAction[] = ["retry", "cancel", "runAgain", "delete"];

export function SelectionBar({
  tasks,
  onClear,
  onDone,
}: {
  tasks: readonly TaskDocument[];
  onClear: () => void;
  onDone: () => void;
}) {
  const words = useWords();
  const format = useFormat();
  const [asking, setAsking] = useState<TaskAction>();
  const suited = (action: TaskAction) => tasks.filter((task) => appliesTo(action, task));
  return (
    <div className={styles.bar} role="toolbar" aria-label={words.selected(tasks.length)}>
      <span className={styles.count}>{words.selected(tasks.length)}</span>
      {actions.map((action) => {
        const count = suited(action).length;
        return (
          <Button
            key={action}
            small
            kind={action === "delete" ? "danger" : "plain"}
            disabled={count === 0}
            onClick={() => setAsking(action)}
          >
            {words[action]} {count > 0 && count < tasks.length && <span>{format.count(count)}</span>}
          </Button>
        );
      })}
      <Button small kind="quiet" onClick={onClear}>
        {words.clearSelection}
      </Button>
      {asking && (
        <ActionDialog
          action={asking}
          tasks={suited(asking)}
          onClose={() => setAsking(undefined)}
          onDone={() => {
            setAsking(undefined);
            onClear();
            onDone();
          }}
        />
      )}
    </div>
  );
}
