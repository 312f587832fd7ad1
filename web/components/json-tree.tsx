/**
 * A JSON value as a tree that opens and closes. Large values stay cheap: a list shows its first items, a long
 * text its beginning, and what is closed is not there. Uuids and the like are text; nothing is ever markup.
 */
import { useState } from "react";
import type { Json } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import styles from "./json-tree.module.css";

const shownFirst = 50;
const textShownFirst = 400;
/** Branches down to this depth are open at first, while they are small. */
const openDepth = 2;
const openSizeMax = 12;

export function JsonPanel({ value, empty }: { value: Json | undefined; empty: string }) {
  if (value === undefined) return <p className={styles.empty}>{empty}</p>;
  return (
    <div className={styles.tree}>
      <Value value={value} depth={0} />
    </div>
  );
}

function Value({ value, depth }: { value: Json; depth: number }) {
  if (value !== null && typeof value === "object") return <Branches value={value} depth={depth} />;
  if (typeof value === "string") return <Text value={value} />;
  return <span className={value === null ? styles.null : styles[typeof value]}>{String(value)}</span>;
}

type Branch = Json[] | { [key: string]: Json };

function Branches({ value, depth }: { value: Branch; depth: number }) {
  const words = useWords();
  const [shown, setShown] = useState(shownFirst);
  const entries = Object.entries(value);
  if (entries.length === 0)
    return <span className={styles.null}>{Array.isArray(value) ? "[ ]" : "{ }"}</span>;
  return (
    <ul className={styles.branches}>
      {entries.slice(0, shown).map(([key, child]) => (
        <Entry key={key} name={key} value={child} depth={depth} />
      ))}
      {entries.length > shown && (
        <li>
          <button type="button" className={styles.more} onClick={() => setShown(shown * 4)}>
            {words.showMore(entries.length - shown)}
          </button>
        </li>
      )}
    </ul>
  );
}

function Entry({ name, value, depth }: { name: string; value: Json; depth: number }) {
  const branch =
    value !== null && typeof value === "object" && Object.keys(value).length > 0 ? value : undefined;
  if (branch) return <OpenableEntry name={name} value={branch} depth={depth} />;
  return (
    <li className={styles.leaf}>
      <bdi className={styles.key}>{name}</bdi>
      <Value value={value} depth={depth + 1} />
    </li>
  );
}

function OpenableEntry({ name, value, depth }: { name: string; value: Branch; depth: number }) {
  const words = useWords();
  const size = Object.keys(value).length;
  const [open, setOpen] = useState(depth < openDepth && size <= openSizeMax);
  return (
    <li>
      <button type="button" className={styles.opener} aria-expanded={open} onClick={() => setOpen(!open)}>
        <bdi className={styles.key}>{name}</bdi>
        <span className={styles.size}>{Array.isArray(value) ? words.items(size) : words.keys(size)}</span>
      </button>
      {open && <Branches value={value} depth={depth + 1} />}
    </li>
  );
}

function Text({ value }: { value: string }) {
  const words = useWords();
  const [whole, setWhole] = useState(false);
  const cut = !whole && value.length > textShownFirst * 1.2;
  return (
    <span className={styles.string} dir="auto">
      {cut ? value.slice(0, textShownFirst) : value}
      {cut && (
        <button type="button" className={styles.more} onClick={() => setWhole(true)}>
          {words.showMore(value.length - textShownFirst)}
        </button>
      )}
    </span>
  );
}
