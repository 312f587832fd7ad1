/** When a new task is due and how it is told from others: all that `enqueue` takes beside a payload, empty for the definition's own. */
import { useQuery } from "@tanstack/react-query";
import { type InputHTMLAttributes, useId } from "react";
import type { EnqueueSettings } from "../api.ts";
import type { DefinitionDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import styles from "./enqueue-more.module.css";
import { Field, inputClass } from "./field.tsx";

/** As it is written in the form. */
export interface EnqueueTexts {
  delay: string;
  runAt: string;
  priority: string;
  queue: string;
  tags: string;
  idempotencyKey: string;
  id: string;
}

interface MoreField extends InputHTMLAttributes<HTMLInputElement> {
  name: keyof EnqueueTexts;
  label: string;
  help?: string;
}

export const noTexts: EnqueueTexts = {
  delay: "",
  runAt: "",
  priority: "",
  queue: "",
  tags: "",
  idempotencyKey: "",
  id: "",
};

export function EnqueueMore({
  definition,
  texts,
  onChange,
}: {
  definition: DefinitionDocument | undefined;
  texts: EnqueueTexts;
  onChange: (texts: EnqueueTexts) => void;
}) {
  const words = useWords();
  const queuesId = useId();
  const { data: stats } = useQuery(queries.stats());
  const queues = [...new Set(stats?.byType.map(({ queue }) => queue))].sort();
  const own = (value: unknown) => (definition === undefined ? undefined : String(value));
  const fields: readonly MoreField[] = [
    { name: "delay", label: words.delay, help: words.delayHelp },
    { name: "runAt", label: words.runAt, help: words.runAtHelp, type: "datetime-local", step: 1 },
    {
      ...{ name: "priority", label: words.priority, help: words.priorityHelp },
      ...{ type: "number", min: -1_000, max: 1_000, placeholder: own(definition?.priority) },
    },
    { name: "queue", label: words.queue, list: queuesId, placeholder: own(definition?.queue) },
    { name: "tags", label: words.tags, help: words.tagsHelp, placeholder: definition?.tags.join(", ") },
    { name: "idempotencyKey", label: words.idempotencyKey, help: words.idempotencyKeyHelp },
    { name: "id", label: words.id, help: words.idHelp },
  ];
  return (
    <details className={styles.more}>
      <summary>{words.moreSettings}</summary>
      <div className={styles.fields}>
        {fields.map(({ name, label, help, ...input }) => (
          <Field key={name} label={label} help={help}>
            {(wiring) => (
              <input
                {...wiring}
                {...input}
                className={inputClass}
                spellCheck={false}
                autoComplete="off"
                value={texts[name]}
                // What is closed could not be pointed at.
                onInvalid={({ currentTarget }) => currentTarget.closest("details")!.setAttribute("open", "")}
                onChange={(event) => onChange({ ...texts, [name]: event.target.value })}
              />
            )}
          </Field>
        ))}
      </div>
      <datalist id={queuesId}>
        {queues.map((queue) => (
          <option key={queue} value={queue} />
        ))}
      </datalist>
    </details>
  );
}

/** What is written, without what is left empty. */
export function settingsOf({ runAt, priority, tags, ...rest }: EnqueueTexts): EnqueueSettings {
  const texts = Object.entries(rest).map(([name, text]) => [name, text.trim()] as const);
  const names = tags.split(",").flatMap((tag) => tag.trim() || []);
  return {
    ...Object.fromEntries(texts.filter(([, text]) => text !== "")),
    ...(runAt && { runAt: new Date(runAt).toISOString() }),
    ...(priority && { priority: Number(priority) }),
    ...(names.length > 0 && { tags: names }),
  };
}
