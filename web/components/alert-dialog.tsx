/** The alert of a saved search: what its latest look found, and the rule, which who may saves, changes or takes away. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import {
  type AlertField,
  type AlertProblems,
  type AlertRule,
  type AlertTexts,
  ruleOf,
  type SpanUnit,
  spanUnits,
  textsOf,
} from "../alert-rule.ts";
import { ApiError, api } from "../api.ts";
import type { SavedSearchDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { naturally } from "../natural.ts";
import { queries } from "../queries.ts";
import { useMissingRole, useSeesPayloads } from "../role.ts";
import { useTelling } from "../telling.ts";
import styles from "./alert-dialog.module.css";
import { Button, RoleButton } from "./button.tsx";
import { apart, Dialog } from "./dialog.tsx";
import { Field, inputClass } from "./field.tsx";
import { Ago } from "./time.tsx";
import { useToast } from "./toast.tsx";

export function AlertDialog({ saved, onClose }: { saved: SavedSearchDocument; onClose: () => void }) {
  const words = useWords();
  const formId = useId();
  const mayChange = useMissingRole("operator") === undefined;
  const [texts, setTexts] = useState(() => textsOf(saved.alert));
  const [problems, setProblems] = useState<AlertProblems>({});
  const changing = useChange(saved, onClose, (refused) => setProblems(refused));
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (Object.keys(problems).length > 0)
      form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [problems]);
  const save = (event: FormEvent) => {
    event.preventDefault();
    const made = ruleOf(texts, words);
    if ("rule" in made) changing.mutate(made.rule);
    else setProblems(made.problems);
  };
  const change = (part: Partial<AlertTexts>) => {
    setTexts({ ...texts, ...part });
    if (Object.keys(problems).length > 0) setProblems({});
    changing.reset();
  };
  return (
    <Dialog
      title={words.alertOf(saved.name)}
      onClose={onClose}
      footer={
        <>
          {saved.alert && <Remove pending={changing.isPending} onRemove={() => changing.mutate(null)} />}
          <Button onClick={onClose}>{words.cancelDialog}</Button>
          <RoleButton needs="operator" kind="main" type="submit" form={formId} pending={changing.isPending}>
            {words.save}
          </RoleButton>
        </>
      }
    >
      {saved.alert ? (
        <Found saved={saved} rule={saved.alert} onLeave={onClose} />
      ) : (
        <p>{words.alertExplained}</p>
      )}
      <form id={formId} ref={form} onSubmit={save} noValidate>
        <fieldset className={styles.fields} disabled={!mayChange}>
          <Bounds texts={texts} problems={problems} onChange={change} />
          <TaskOf texts={texts} problems={problems} onChange={change} part="type" payloadPart="payload" />
          <details className={styles.recovered} open={texts.recoveredType !== "" || undefined}>
            <summary>{words.alertRecovered}</summary>
            <TaskOf
              {...{ texts, problems, onChange: change }}
              part="recoveredType"
              payloadPart="recoveredPayload"
            />
          </details>
        </fieldset>
      </form>
      {changing.told && (
        <p className={styles.problem} role="alert">
          {changing.told}
        </p>
      )}
    </Dialog>
  );
}

/** Saves the rule, or takes it away where that is null; what is refused is told beside the field that it is about. */
function useChange(
  saved: SavedSearchDocument,
  onDone: () => void,
  onRefused: (problems: AlertProblems) => void,
) {
  const words = useWords();
  const tell = useTelling();
  const say = useToast();
  const client = useQueryClient();
  const changing = useMutation({
    mutationFn: (alert: AlertRule | null) => api.saveSearch(saved.name, { query: saved.query, alert }),
    onSuccess: ({ name, alert }) => {
      say(alert ? words.alertSaved(name) : words.alertRemoved(name));
      onDone();
    },
    onError: (error, alert) => {
      const field = fieldOf(error, alert);
      if (field !== undefined) onRefused({ [field]: tell(error) });
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["searches"] }),
  });
  const { error, variables } = changing;
  return {
    ...changing,
    told: error && fieldOf(error, variables ?? null) === undefined ? tell(error) : undefined,
  };
}

function fieldOf(error: Error, alert: AlertRule | null): AlertField | undefined {
  if (!(error instanceof ApiError)) return undefined;
  if (error.code === "TASK_NOT_DEFINED")
    return error.details.id === alert?.enqueue.type ? "type" : "recoveredType";
  if (error.code !== "INVALID_PAYLOAD") return undefined;
  return error.message.startsWith("alert.recovered.") ? "recoveredPayload" : "payload";
}

/** What is known of the rule so far. */
function Found({
  saved: { name, alertState: state },
  rule,
  onLeave,
}: {
  saved: SavedSearchDocument;
  rule: AlertRule;
  /** The page goes to another search. */
  onLeave: () => void;
}) {
  const words = useWords();
  const format = useFormat();
  const seesPayloads = useSeesPayloads();
  if (!state) return <p className={styles.note}>{words.alertNotYet}</p>;
  const { checkedAt, count, since, enqueuedAt, lastEnqueuedAt = enqueuedAt, problem } = state;
  const facts: [name: string, value: ReactNode][] = [
    [words.alertCount, count === undefined ? words.counting : format.count(count)],
    [words.alertChecked, <Ago key="checked" at={checkedAt} />],
    [words.alertOutSince, since && <Ago key="since" at={since} />],
    [words.alertFired, lastEnqueuedAt ? <Ago key="fired" at={lastEnqueuedAt} /> : words.alertNever],
  ];
  const told = `type:"${rule.enqueue.type}" payload.search:"${name}"`;
  return (
    <div className={`${styles.found} ${enqueuedAt || problem ? styles.bad : ""}`}>
      <dl className={styles.facts}>
        {facts.map(
          ([what, value]) =>
            value && (
              <div key={what}>
                <dt>{what}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {problem && <p className={styles.problem}>{words.alertFails(problem)}</p>}
      {lastEnqueuedAt && seesPayloads && (
        <Link to="/tasks" search={{ q: told }} onClick={onLeave}>
          {words.alertTasks}
        </Link>
      )}
    </div>
  );
}

/** The first press asks, the second does it. */
function Remove({ pending, onRemove }: { pending: boolean; onRemove: () => void }) {
  const words = useWords();
  const [isAsked, setAsked] = useState(false);
  return (
    <RoleButton
      needs="operator"
      kind={isAsked ? "danger" : "quiet"}
      className={apart}
      pending={pending}
      onBlur={() => setAsked(false)}
      onClick={() => (isAsked ? onRemove() : setAsked(true))}
    >
      {isAsked ? words.alertRemoveSure : words.alertRemove}
    </RoleButton>
  );
}

interface PartProps {
  texts: AlertTexts;
  problems: AlertProblems;
  onChange: (part: Partial<AlertTexts>) => void;
}

function Bounds({ texts, problems, onChange }: PartProps) {
  const words = useWords();
  const number = (field: "over" | "under" | "span", label: string, help: string, more?: ReactNode) => (
    <Field label={label} help={help} problem={problems[field]}>
      {(wiring) => (
        <div className={styles.amount}>
          <input
            {...wiring}
            className={inputClass}
            inputMode="numeric"
            autoComplete="off"
            value={texts[field]}
            onChange={(event) => onChange({ [field]: event.target.value })}
          />
          {more}
        </div>
      )}
    </Field>
  );
  const units = (
    <select
      className={inputClass}
      aria-label={words.alertUnit}
      value={texts.unit}
      onChange={(event) => onChange({ unit: event.target.value as SpanUnit })}
    >
      {spanUnits.map((unit) => (
        <option key={unit} value={unit}>
          {words.alertUnits[unit]}
        </option>
      ))}
    </select>
  );
  return (
    <div className={styles.bounds}>
      {number("over", words.alertOver, words.alertOverHelp)}
      {number("under", words.alertUnder, words.alertUnderHelp)}
      {number("span", words.alertFor, words.alertForHelp, units)}
    </div>
  );
}

const linesMax = 8;

/** The task to enqueue, with its payload, which not everybody is shown. */
function TaskOf({
  texts,
  problems,
  onChange,
  part,
  payloadPart,
}: PartProps & { part: "type" | "recoveredType"; payloadPart: "payload" | "recoveredPayload" }) {
  const words = useWords();
  const seesPayloads = useSeesPayloads();
  const { data } = useQuery(queries.definitions());
  const type = texts[part];
  const help = part === "type" ? "alertEnqueueHelp" : "alertEnqueueRecoveredHelp";
  const known = (data ?? []).map(({ id }) => id);
  const types = (type === "" || known.includes(type) ? known : [...known, type]).sort(naturally);
  return (
    <>
      <Field
        label={part === "type" ? words.alertEnqueue : words.alertEnqueueRecovered}
        help={data?.length === 0 ? words.definitionsNone : words[help]}
        problem={problems[part]}
      >
        {(wiring) => (
          <select
            {...wiring}
            className={inputClass}
            value={type}
            onChange={(event) => onChange({ [part]: event.target.value })}
          >
            <option value="">{part === "type" ? words.alertChoose : words.alertNothing}</option>
            {types.map((id) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        )}
      </Field>
      {!seesPayloads && <p className={styles.note}>{`${words.payload}: ${words.hiddenFromYou}`}</p>}
      {seesPayloads && type !== "" && (
        <Field label={words.payloadJson} help={words.alertPayloadHelp} problem={problems[payloadPart]}>
          {(wiring) => (
            <textarea
              {...wiring}
              className={inputClass}
              rows={Math.min(linesMax, Math.max(3, texts[payloadPart].split("\n").length))}
              spellCheck={false}
              value={texts[payloadPart]}
              onChange={(event) => onChange({ [payloadPart]: event.target.value })}
            />
          )}
        </Field>
      )}
    </>
  );
}
