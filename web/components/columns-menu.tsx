/** Which columns the list of tasks shows; the reader's own are paths into payloads and results. */
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useWords } from "../i18n/language.tsx";
import { useNarrow } from "../narrow.ts";
import { queries } from "../queries.ts";
import { useSeesPayloads } from "../role.ts";
import { Button } from "./button.tsx";
import styles from "./columns-menu.module.css";
import { inputClass } from "./field.tsx";
import { Icon } from "./icon.tsx";
import { Menu } from "./menu.tsx";
import { type ColumnChoice, columnsToChoose } from "./task-columns.tsx";

export function ColumnsMenu({ choice }: { choice: ColumnChoice }) {
  const words = useWords();
  const narrow = useNarrow();
  const { data: definitions } = useQuery(queries.definitions());
  const seesPayloads = useSeesPayloads();
  const names = (seesPayloads && definitions?.flatMap(({ attributes = [] }) => attributes)) || [];
  const attributes = [...new Set(names)].map((name) => `attribute.${name}`);
  const own = choice.own.filter((path) => !attributes.includes(path));
  return (
    <Menu icon="columns" label={words.columns} className={styles.list}>
      {() => (
        <>
          {columnsToChoose(narrow).map(({ key, word }) => (
            <Choice key={key} name={key} label={word ? (words[word] as string) : key} choice={choice} />
          ))}
          {attributes.map((path) => (
            <Choice key={path} name={path} label={path.slice("attribute.".length)} choice={choice} />
          ))}
          {own.map((path) => (
            <Choice key={path} name={path} label={path} choice={choice} />
          ))}
          {seesPayloads && <OwnColumn choice={choice} />}
        </>
      )}
    </Menu>
  );
}

function Choice({ name, label, choice }: { name: string; label: string; choice: ColumnChoice }) {
  return (
    <label>
      <input
        type="checkbox"
        checked={choice.has(name)}
        disabled={choice.isFixed(name)}
        onChange={() => choice.toggle(name)}
      />
      {label}
    </label>
  );
}

function OwnColumn({ choice }: { choice: ColumnChoice }) {
  const words = useWords();
  const [path, setPath] = useState("");
  const [refused, setRefused] = useState(false);
  const add = (event: FormEvent) => {
    event.preventDefault();
    const added = choice.add(path.trim());
    setRefused(!added);
    if (added) setPath("");
  };
  return (
    <form className={styles.own} onSubmit={add}>
      <input
        className={inputClass}
        aria-label={words.ownColumn}
        aria-invalid={refused}
        placeholder="payload.user.id"
        spellCheck={false}
        value={path}
        onChange={(event) => setPath(event.target.value)}
      />
      <Button small type="submit" aria-label={words.ownColumn} title={words.ownColumn}>
        <Icon name="plus" size={14} />
      </Button>
    </form>
  );
}
