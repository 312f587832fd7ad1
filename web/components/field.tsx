/** One labelled input of a form, with its help below. */
import { type ReactNode, useId } from "react";
import styles from "./field.module.css";

export function Field({
  label,
  help,
  problem,
  children,
}: {
  label: string;
  help?: string | undefined;
  problem?: string | undefined;
  children: (wiring: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ReactNode;
}) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-help`, "aria-invalid": problem !== undefined })}
      {problem ? (
        <p id={`${id}-help`} className={styles.problem} role="alert">
          {problem}
        </p>
      ) : (
        <p id={`${id}-help`} className={styles.help}>
          {help}
        </p>
      )}
    </div>
  );
}

export const inputClass = styles.input!;
