/**
 * A modal dialog: the browser's own, so that Escape and the page behind are its business. The focus begins in its first field, or on
 * the first of its buttons, which changes nothing, and goes back to where it was.
 */
import { type ReactNode, useEffect, useId, useRef } from "react";
import { focusContent } from "../focus.ts";
import { useWords } from "../i18n/language.tsx";
import { Button } from "./button.tsx";
import styles from "./dialog.module.css";
import { Icon } from "./icon.tsx";

/** By order: what is queried is found as it stands in the page, and the footer is last. */
const firstField =
  "[data-dialog-body] :is(input:not([type=checkbox]), textarea, select), [data-dialog-footer] button";

/** For a button at the other end of the footer: what a second press on the last button must not reach. */
export const apart = styles.apart!;

export function Dialog({
  title,
  onClose,
  children,
  footer,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
}) {
  const words = useWords();
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const opener = document.activeElement;
    element.current?.showModal();
    element.current?.querySelector<HTMLElement>(firstField)?.focus();
    return () => {
      // A dialog that is taken away, not closed, leaves the focus nowhere.
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
      else focusContent();
    };
  }, []);
  return (
    <dialog ref={element} tabIndex={-1} className={styles.dialog} aria-labelledby={titleId} onClose={onClose}>
      <div className={styles.header}>
        <h2 id={titleId}>{title}</h2>
        <Button kind="quiet" small aria-label={words.close} onClick={() => element.current?.close()}>
          <Icon name="close" />
        </Button>
      </div>
      <div className={styles.body} data-dialog-body>
        {children}
      </div>
      {footer && (
        <div className={styles.footer} data-dialog-footer>
          {footer}
        </div>
      )}
    </dialog>
  );
}
