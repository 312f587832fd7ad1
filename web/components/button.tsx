/** Buttons: plain, the main one of a place, and the one that destroys. */
import type { ButtonHTMLAttributes } from "react";
import styles from "./button.module.css";

type Kind = "plain" | "main" | "danger" | "quiet";

export function Button({
  kind = "plain",
  small = false,
  className = "",
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: Kind; small?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      className={`${styles.button} ${styles[kind]} ${small ? styles.small : ""} ${className}`}
    />
  );
}
