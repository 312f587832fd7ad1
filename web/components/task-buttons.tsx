/** What can be done to one task. Buttons that do not apply are not shown. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { appliesTo, neededFor, type TaskAction } from "../acting.ts";
import { api } from "../api.ts";
import type { TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { useNow } from "../now.ts";
import { useTelling } from "../telling.ts";
import { RoleButton } from "./button.tsx";
import { EditDialog } from "./edit-dialog.tsx";
import { ActionDialog } from "./task-actions.tsx";
import styles from "./task-buttons.module.css";
import { useToast } from "./toast.tsx";

const actions: readonly TaskAction[] = ["retry", "cancel", "runAgain"];

export function TaskButtons({ task }: { task: TaskDocument }) {
  const words = useWords();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<TaskAction | "edit">();
  const close = () => setAsking(undefined);
  const done = (action: TaskAction) => {
    close();
    if (action === "delete") navigate({ to: "/tasks" });
  };
  const button = (action: TaskAction) => (
    <RoleButton
      key={action}
      needs={neededFor[action]}
      kind={kindOf(action)}
      onClick={() => setAsking(action)}
    >
      {words[action]}
    </RoleButton>
  );
  return (
    <div className={styles.buttons}>
      {actions.filter((action) => appliesTo(action, task)).map(button)}
      {appliesTo("runAgain", task) && (
        <RoleButton
          needs="operator"
          onClick={() =>
            navigate({
              to: "/definitions/$type/enqueue",
              params: { type: task.type },
              search: { from: task.id },
            })
          }
        >
          {words.runChanged}
        </RoleButton>
      )}
      {task.status === "PENDING" && task.dueAt && !task.isDefinition && (
        <RunNow task={task} dueAt={task.dueAt} />
      )}
      {task.status === "PENDING" && !task.isDefinition && (
        <RoleButton needs="operator" onClick={() => setAsking("edit")}>
          {words.edit}
        </RoleButton>
      )}
      {appliesTo("delete", task) && button("delete")}
      {asking === "edit" && <EditDialog task={task} onClose={close} />}
      {asking && asking !== "edit" && (
        <ActionDialog
          action={asking}
          target={{ tasks: [task], count: 1 }}
          onClose={close}
          onDone={() => done(asking)}
        />
      )}
    </div>
  );
}

/** For one that is due later: takes the wait away. */
function RunNow({ task: { id, version }, dueAt }: { task: TaskDocument; dueAt: string }) {
  const words = useWords();
  const tell = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const isLater = Date.parse(dueAt) > useNow();
  const running = useMutation({
    mutationFn: () =>
      api.edit(id, {
        dueAt: new Date().toISOString(),
        ...(version !== undefined && { expectedVersion: version }),
      }),
    onSuccess: () => say(words.nowDue),
    onError: (error) => say(tell(error), true),
    onSettled: () => client.invalidateQueries({ queryKey: ["task", id] }),
  });
  if (!isLater) return null;
  return (
    <RoleButton needs="operator" pending={running.isPending} onClick={() => running.mutate()}>
      {words.runNow}
    </RoleButton>
  );
}

function kindOf(action: TaskAction) {
  if (action === "retry") return "main";
  return action === "delete" ? "danger" : "plain";
}
