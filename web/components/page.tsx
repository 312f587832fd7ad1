/** What every page has: its title in the tab, a heading, its actions, and when its data was read. */
import { type ReactNode, useEffect } from "react";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import styles from "./page.module.css";

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Dure`;
  }, [title]);
}

export function PageHeader({
  title,
  readAtMs,
  children,
}: {
  title: string;
  /** When the data shown was read; 0 while there is none, which keeps its place. */
  readAtMs?: number;
  children?: ReactNode;
}) {
  const words = useWords();
  const format = useFormat();
  useTitle(title);
  return (
    <header className={styles.header}>
      <h1>{title}</h1>
      {readAtMs !== undefined && (
        <span className={styles.readAt}>
          {readAtMs > 0 ? words.readAt(format.clock(new Date(readAtMs))) : "\u00a0"}
        </span>
      )}
      <div className={styles.actions}>{children}</div>
    </header>
  );
}

export function Panel({
  title,
  actions,
  children,
  flush = false,
}: {
  title?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** Without padding, for tables and lists that reach the border. */
  flush?: boolean;
}) {
  return (
    <section className={styles.panel}>
      {(title || actions) && (
        <div className={styles.panelHeader}>
          <h2>{title}</h2>
          {actions}
        </div>
      )}
      <div className={flush ? styles.flush : styles.body}>{children}</div>
    </section>
  );
}
