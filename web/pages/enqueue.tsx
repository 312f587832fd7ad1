/** Enqueues one task of a definition: its payload by a form or as JSON, and what else is told of it. Begins with another task's payload on demand. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { api, type EnqueueSettings } from "../api.ts";
import { Button, RoleButton } from "../components/button.tsx";
import { Empty, Failure } from "../components/empty.tsx";
import { EnqueueMore, noTexts, settingsOf } from "../components/enqueue-more.tsx";
import { Field, inputClass } from "../components/field.tsx";
import { PageHeader, Panel } from "../components/page.tsx";
import { PayloadForm } from "../components/payload-form.tsx";
import { useToast } from "../components/toast.tsx";
import type { DefinitionDocument, Json, TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { isObject, payloadFields } from "../payload-schema.ts";
import { queries } from "../queries.ts";
import { enqueueRoute } from "../router.tsx";
import { useTelling } from "../telling.ts";
import styles from "./enqueue.module.css";

export function Enqueue() {
  const words = useWords();
  const { type } = enqueueRoute.useParams();
  const { from } = enqueueRoute.useSearch();
  const definitions = useQuery(queries.definitions());
  const source = useQuery({
    ...queries.task(from ?? ""),
    enabled: from !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const error = definitions.error ?? source.error;
  const ready = definitions.data && (from === undefined || source.data);
  const definition = definitions.data?.find(({ id }) => id === type);
  return (
    <>
      <PageHeader title={words.enqueueTitle(type)} />
      {error && <Failure error={error} />}
      {ready && !definition && (
        <Empty title={words.definitionGone(type)} text={words.definitionsNoneText}>
          <Link to="/definitions">{words.definitions}</Link>
        </Empty>
      )}
      {ready && definition && (
        <div className={styles.narrow}>
          <Panel>
            <EnqueueForm type={type} definition={definition} source={source.data?.task} />
          </Panel>
        </div>
      )}
    </>
  );
}

function EnqueueForm({
  type,
  definition,
  source,
}: {
  type: string;
  definition: DefinitionDocument;
  /** The task to run with changes. */
  source: TaskDocument | undefined;
}) {
  const words = useWords();
  const tell = useTelling();
  const fields = useMemo(() => payloadFields(definition.payloadSchema), [definition]);
  const enqueueing = useEnqueueing(type, source);
  const refused = enqueueing.error ? tell(enqueueing.error) : undefined;
  // The text is the truth; the form writes it.
  const [text, setText] = useState(() => JSON.stringify(source?.payload ?? {}, null, 2));
  const [texts, setTexts] = useState(noTexts);
  const [problem, setProblem] = useState<string>();
  const [asJson, setAsJson] = useState(fields === undefined);
  const parsed = parse(text);
  const change = (next: string) => {
    setText(next);
    setProblem(undefined);
    enqueueing.reset();
  };
  const enqueue = (event: FormEvent) => {
    event.preventDefault();
    if ("problem" in parsed) setProblem(words.payloadInvalid(parsed.problem));
    else enqueueing.mutate({ payload: parsed.payload, ...settingsOf(texts) });
  };
  const formed =
    fields && !asJson && "payload" in parsed && isObject(parsed.payload) ? parsed.payload : undefined;
  return (
    <form className={styles.form} onSubmit={enqueue}>
      {fields && (
        <Button small className={styles.mode!} onClick={() => setAsJson(!asJson)}>
          {asJson ? words.asForm : words.asJson}
        </Button>
      )}
      {formed && fields ? (
        <PayloadForm
          fields={fields}
          value={formed}
          onChange={(value) => change(JSON.stringify(value, null, 2))}
        />
      ) : (
        <Field label={words.payloadJson} problem={problem}>
          {(wiring) => (
            <textarea
              {...wiring}
              className={inputClass}
              rows={12}
              spellCheck={false}
              value={text}
              onChange={(event) => change(event.target.value)}
            />
          )}
        </Field>
      )}
      <EnqueueMore
        definition={definition}
        texts={texts}
        onChange={(next) => {
          setTexts(next);
          enqueueing.reset();
        }}
      />
      {refused && (
        <p className={styles.problem} role="alert">
          {refused}
        </p>
      )}
      <div className={styles.buttons}>
        <Link to="/definitions">{words.cancelDialog}</Link>
        <RoleButton needs="operator" kind="main" type="submit" pending={enqueueing.isPending}>
          {words.enqueue}
        </RoleButton>
      </div>
    </form>
  );
}

/** Enqueues, says so, and shows the new task. */
function useEnqueueing(type: string, source: TaskDocument | undefined) {
  const words = useWords();
  const say = useToast();
  const navigate = useNavigate();
  const client = useQueryClient();
  return useMutation({
    mutationFn: (task: { payload: Json } & EnqueueSettings) =>
      source ? api.runAgain(source, task) : api.enqueue({ type, ...task }),
    onSuccess: (task) => {
      say(words.enqueued(task.id));
      client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "tasks" });
      navigate({ to: "/tasks/$id", params: { id: task.id } });
    },
  });
}

function parse(text: string): { payload: Json } | { problem: string } {
  try {
    return { payload: text.trim() === "" ? null : JSON.parse(text) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
