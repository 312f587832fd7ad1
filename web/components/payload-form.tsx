/** A form for the top level of a payload, made from the definition's schema. The value is whole at every moment. */
import { useState } from "react";
import type { Json } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { choiceText, fieldValue, type PayloadField } from "../payload-schema.ts";
import { Field, inputClass } from "./field.tsx";

type Payload = { [key: string]: Json };
type Wiring = { id: string; "aria-describedby": string; "aria-invalid": boolean };

export function PayloadForm({
  fields,
  value,
  onChange,
}: {
  fields: readonly PayloadField[];
  value: Payload;
  onChange: (value: Payload) => void;
}) {
  return fields.map((field) => (
    <PayloadInput
      key={field.name}
      field={field}
      value={value[field.name]}
      onChange={(next) => {
        const { [field.name]: _before, ...rest } = value;
        onChange(next === undefined ? rest : { ...rest, [field.name]: next });
      }}
    />
  ));
}

function PayloadInput({
  field,
  value,
  onChange,
}: {
  field: PayloadField;
  value: Json | undefined;
  onChange: (value: Json | undefined) => void;
}) {
  const words = useWords();
  const [problem, setProblem] = useState<string>();
  // JSON that is being typed is not JSON yet: the text is kept beside the value.
  const [text, setText] = useState(value === undefined ? "" : textOf(field, value));
  const take = (next: string) => {
    setText(next);
    try {
      onChange(fieldValue(field, next));
      setProblem(undefined);
    } catch (error) {
      setProblem(words.payloadInvalid((error as Error).message));
    }
  };
  const label = field.required ? `${field.name} *` : field.name;
  return (
    <Field label={label} help={field.help} problem={problem}>
      {(wiring) => <Input field={field} wiring={wiring} text={text} problem={problem} onText={take} />}
    </Field>
  );
}

function Input({
  field,
  wiring,
  text,
  problem = "",
  onText,
}: {
  field: PayloadField;
  wiring: Wiring;
  text: string;
  /** Keeps the form from being sent. */
  problem: string | undefined;
  onText: (text: string) => void;
}) {
  const words = useWords();
  const shared = { ...wiring, className: inputClass, required: field.required, value: text };
  switch (field.kind) {
    case "boolean":
    case "choice": {
      const choices = field.kind === "boolean" ? ["true", "false"] : (field.choices ?? []).map(choiceText);
      const names: { [choice: string]: string } = { true: words.yes, false: words.no };
      return (
        <select {...shared} onChange={(event) => onText(event.target.value)}>
          <option value="" />
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {field.kind === "boolean" ? names[choice] : choice}
            </option>
          ))}
        </select>
      );
    }
    case "json":
      return (
        <textarea
          {...shared}
          ref={(element) => element?.setCustomValidity(problem)}
          rows={3}
          spellCheck={false}
          onChange={(event) => onText(event.target.value)}
        />
      );
    case "text":
      return <input {...shared} onChange={(event) => onText(event.target.value)} />;
    case "number":
    case "integer":
      return (
        <input
          {...shared}
          type="number"
          step={field.kind === "integer" ? 1 : "any"}
          onChange={(event) => onText(event.target.value)}
        />
      );
  }
}

function textOf(field: PayloadField, value: Json): string {
  return field.kind === "json" || typeof value !== "string" ? JSON.stringify(value) : value;
}
