/** Buttons: plain, the main one of a place, and the one that destroys; and those that not every role may press. */
import type { ButtonHTMLAttributes, MouseEvent } from "react";
import { type Role, useMissingRole } from "../role.ts";
import styles from "./button.module.css";
import { useToast } from "./toast.tsx";

type Kind = "plain" | "main" | "danger" | "quiet";

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: Kind;
  small?: boolean;
  /** What it was pressed for is under way: it does nothing, and keeps the focus, which one that is disabled loses. */
  pending?: boolean;
};

/** Pressed by who may not, it says why and does nothing; so it can be reached by keyboard, and be asked on a phone. */
export function RoleButton({ needs, ...rest }: ButtonProps & { needs: Role }) {
  const missing = useMissingRole(needs);
  const say = useToast();
  if (missing === undefined) return <Button {...rest} />;
  const refuse = (event: MouseEvent) => {
    event.preventDefault();
    say(missing, true);
  };
  return <Button {...rest} title={missing} aria-disabled onClick={refuse} />;
}

export function Button({
  kind = "plain",
  small = false,
  pending = false,
  className = "",
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      {...(pending && { "aria-disabled": true, onClick: doNothing })}
      className={`${styles.button} ${styles[kind]} ${small ? styles.small : ""} ${className}`}
    />
  );
}

function doNothing(event: MouseEvent): void {
  event.preventDefault();
}
