/** A stored error: its message first, its stack on demand, and what caused it. All of it is text, never markup. */
import type { StoredError } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import styles from "./error-text.module.css";

export function ErrorText({ error, depth = 0 }: { error: StoredError; depth?: number }) {
  const words = useWords();
  return (
    <div className={styles.error}>
      <p className={styles.message}>
        <span className={styles.name}>{error.name}</span>
        {error.code && <code className={styles.code}>{error.code}</code>}
        <bdi>{error.message}</bdi>
      </p>
      {error.stack && (
        <details className={styles.stack}>
          <summary>{words.stack}</summary>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must reach it */}
          <pre tabIndex={0}>{framesOf(error)}</pre>
        </details>
      )}
      {error.cause && depth < 8 && (
        <div className={styles.cause}>
          <p className={styles.label}>{words.cause}</p>
          <ErrorText error={error.cause} depth={depth + 1} />
        </div>
      )}
    </div>
  );
}

/** The stack without its first lines, which say the message again. */
function framesOf({ stack = "" }: StoredError): string {
  const first = stack.search(/^\s+at /m);
  return first > 0 ? stack.slice(first).replace(/^\s+/gm, "") : stack;
}
