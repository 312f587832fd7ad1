/** Changes the priority and the due time of a pending task, unless it has moved on meanwhile. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "../api.ts";
import type { TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { useTelling } from "../telling.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { Field, inputClass } from "./field.tsx";

export function EditDialog({ task, onClose }: { task: TaskDocument; onClose: () => void }) {
  const words = useWords();
  const tell = useTelling();
  const client = useQueryClient();
  const formId = useId();
  const [priority, setPriority] = useState(String(task.priority ?? 0));
  const [due, setDue] = useState(localTime(task.dueAt));
  const saving = useMutation({
    mutationFn: () =>
      api.edit(task.id, {
        ...(Number(priority) !== (task.priority ?? 0) && { priority: Number(priority) }),
        ...(due !== localTime(task.dueAt) && { dueAt: (due ? new Date(due) : new Date()).toISOString() }),
        ...(task.version !== undefined && { expectedVersion: task.version }),
      }),
    onSuccess: () => {
      client.invalidateQueries({ queryKey: ["task", task.id] });
      onClose();
    },
  });
  const save = (event: FormEvent) => {
    event.preventDefault();
    saving.mutate();
  };
  return (
    <Dialog
      title={words.editTitle}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{words.cancelDialog}</Button>
          <Button kind="main" type="submit" form={formId} pending={saving.isPending}>
            {words.save}
          </Button>
        </>
      }
    >
      <form id={formId} onSubmit={save}>
        <Field
          label={words.priority}
          help={words.priorityHelp}
          problem={saving.error ? tell(saving.error) : undefined}
        >
          {(wiring) => (
            <input
              {...wiring}
              className={inputClass}
              type="number"
              min={-1000}
              max={1000}
              required
              value={priority}
              onChange={(event) => setPriority(event.target.value)}
            />
          )}
        </Field>
        <Field label={words.due} help={words.dueHelp}>
          {(wiring) => (
            <input
              {...wiring}
              className={inputClass}
              type="datetime-local"
              step={1}
              value={due}
              onChange={(event) => setDue(event.target.value)}
            />
          )}
        </Field>
      </form>
    </Dialog>
  );
}

/** As `datetime-local` wants it: the reader's own time, to the second. */
function localTime(at: string | undefined): string {
  if (!at) return "";
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
