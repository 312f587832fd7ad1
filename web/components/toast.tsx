/** Short notes of what an action did, read out politely; each leaves by itself. */
import { createContext, type ReactNode, use, useCallback, useMemo, useRef, useState } from "react";
import styles from "./toast.module.css";

interface Note {
  id: number;
  text: ReactNode;
  bad: boolean;
}

const shownMs = 6000;
const notesMax = 3;

const ToastContext = createContext<(text: ReactNode, bad?: boolean) => void>(() => {});

export function ToastProvider({ children }: { children: ReactNode }) {
  const [notes, setNotes] = useState<Note[]>([]);
  const last = useRef(0);
  const say = useCallback((text: ReactNode, bad = false) => {
    last.current += 1;
    const id = last.current;
    setNotes((shown) => [...shown, { id, text, bad }].slice(-notesMax));
    setTimeout(() => setNotes((shown) => shown.filter((note) => note.id !== id)), shownMs);
  }, []);
  return (
    <ToastContext value={useMemo(() => say, [say])}>
      {children}
      <div className={styles.notes} role="status">
        {notes.map((note) => (
          <div key={note.id} className={`${styles.note} ${note.bad ? styles.bad : ""}`}>
            {note.text}
          </div>
        ))}
      </div>
    </ToastContext>
  );
}

/** Says a note; `bad` for what went wrong. */
export function useToast() {
  return use(ToastContext);
}
