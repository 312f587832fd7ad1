/** A task's status: its mark and its word. */
import type { Status } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { StatusMark } from "./icon.tsx";
import styles from "./status.module.css";

export function StatusBadge({ status, large = false }: { status: Status; large?: boolean }) {
  const words = useWords();
  return (
    <span className={`${styles.badge} ${styles[status]} ${large ? styles.large : ""}`}>
      <StatusMark status={status} size={large ? 18 : 14} />
      {words[status]}
    </span>
  );
}
