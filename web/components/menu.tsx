/** A button that opens a box below itself; Escape, a press elsewhere and leaving it by the keyboard close it. */
import {
  type FocusEvent,
  type MouseEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useRef,
  useState,
} from "react";
import { Icon, type IconName } from "./icon.tsx";
import styles from "./menu.module.css";

export function Menu({
  icon,
  label,
  mark,
  className = "",
  onOpen,
  children,
}: {
  icon: IconName;
  label: string;
  /** Beside the label. */
  mark?: ReactNode;
  /** Of the box. */
  className?: string | undefined;
  onOpen?: () => void;
  /** What is in the box; made once it is open. */
  children: (close: () => void) => ReactNode;
}) {
  const menu = useRef<HTMLDetailsElement>(null);
  const [open, setOpen] = useState(false);
  const close = useCallback(() => {
    setOpen(false);
    menu.current?.querySelector("summary")?.focus();
  }, []);
  useEffect(() => {
    if (!open) return;
    const onPress = ({ target }: PointerEvent) => {
      if (!menu.current?.contains(target as Node)) setOpen(false);
    };
    // Heard by the document: what had the focus may have left the box.
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      close();
    };
    document.addEventListener("pointerdown", onPress);
    document.addEventListener("keydown", onKeyDown);
    return () => {
      document.removeEventListener("pointerdown", onPress);
      document.removeEventListener("keydown", onKeyDown);
    };
  }, [open, close]);
  // At once: by the browser's own event, the next key would come before the box is there.
  const toggle = (event: MouseEvent) => {
    event.preventDefault();
    setOpen(!open);
    if (!open) onOpen?.();
  };
  const onBlur = ({ relatedTarget }: FocusEvent) => {
    if (relatedTarget && !menu.current?.contains(relatedTarget as Node)) setOpen(false);
  };
  return (
    <details ref={menu} data-menu open={open} className={styles.menu} onBlur={onBlur}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is pressed, and takes the focus */}
      <summary onClick={toggle}>
        <Icon name={icon} />
        {label}
        {mark}
      </summary>
      {open && <div className={`${styles.list} ${className}`}>{children(close)}</div>}
    </details>
  );
}
