/** What stands where nothing is: says why, and what to do first. */
import type { ReactNode } from "react";
import { ApiError } from "../api.ts";
import { useWords } from "../i18n/language.tsx";
import { useTelling } from "../telling.ts";
import { Button } from "./button.tsx";
import { CopyButton } from "./copy-button.tsx";
import styles from "./empty.module.css";

export function Empty({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{title}</p>
      {text && <p className={styles.text}>{text}</p>}
      {children && <div className={styles.next}>{children}</div>}
    </div>
  );
}

/** An error of the API; what is not allowed once is not tried again. */
export function Failure({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const words = useWords();
  const tell = useTelling();
  const refused = error instanceof ApiError && error.status === 403;
  return (
    <div className={styles.empty} role="alert">
      <p className={styles.title}>{refused ? words.hiddenFromYou : words.somethingFailed}</p>
      <p className={styles.text}>{tell(error)}</p>
      {onRetry && !refused && (
        <div className={styles.next}>
          <Button onClick={onRetry}>{words.tryAgain}</Button>
        </div>
      )}
    </div>
  );
}

/** Code to copy: what to write or to run first. */
export function Snippet({ children }: { children: string }) {
  const words = useWords();
  return (
    <div className={styles.snippet}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it may scroll, and then the keyboard must reach it */}
      <pre tabIndex={0}>{children}</pre>
      <CopyButton text={children} label={words.copyCode} />
    </div>
  );
}
