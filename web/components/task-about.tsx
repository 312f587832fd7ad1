/** The one line that says most about a task: its error, its progress, its description, or its payload. */
import type { Json, TaskDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { isObject } from "../payload-schema.ts";
import styles from "./task-about.module.css";

const shownMax = 200;
const partsMax = 8;
const partMax = 80;

export function TaskAbout({ task }: { task: TaskDocument }) {
  if (task.status === "FAILED" || (task.status === "PENDING" && task.error)) {
    return <Line className={styles.error!}>{firstLine(task.error ?? "")}</Line>;
  }
  if (task.status === "RUNNING" && task.progress) return <ProgressLine progress={task.progress} />;
  return <Line>{payloadLine(task.payload) ?? task.description ?? ""}</Line>;
}

/** From right to left when its text begins so: what does not fit is cut off at its end, not at its beginning. */
function Line({ className = "", children }: { className?: string; children: string }) {
  return (
    <span dir="auto" className={`${styles.line} ${className}`}>
      {children}
    </span>
  );
}

export function ProgressLine({
  progress: { done, total, message },
  wide = false,
}: {
  progress: NonNullable<TaskDocument["progress"]>;
  /** With a bar as long as its place, and the share in percent. */
  wide?: boolean;
}) {
  const format = useFormat();
  return (
    <span className={wide ? `${styles.progress} ${styles.wide}` : styles.progress}>
      {total ? (
        <progress className={styles.bar} value={done} max={total} aria-label={message ?? `${done}`} />
      ) : null}
      <span>{total ? `${format.count(done)} / ${format.count(total)}` : format.count(done)}</span>
      {wide && total ? <span>{format.wholePercent(Math.min(1, done / total))}</span> : null}
      {message && <bdi className={styles.message}>{message}</bdi>}
    </span>
  );
}

function payloadLine(payload: Json | undefined): string | undefined {
  if (payload === undefined || payload === null) return undefined;
  if (typeof payload !== "object") return String(payload).slice(0, shownMax);
  if (Array.isArray(payload)) return JSON.stringify(payload.slice(0, 20)).slice(0, shownMax);
  const parts: string[] = [];
  addValues(payload, "", parts);
  return parts.length > 0 ? parts.join(" · ").slice(0, shownMax) : undefined;
}

/** What stands at the ends of objects, by its path: `user.plan: free`. */
function addValues(object: { [key: string]: Json }, prefix: string, parts: string[]): void {
  for (const [key, value] of Object.entries(object)) {
    if (parts.length === partsMax) return;
    if (isObject(value) && Object.keys(value).length > 0) addValues(value, `${prefix}${key}.`, parts);
    else parts.push(`${isolated(prefix + key)}: ${isolated(short(value))}`);
  }
}

const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u202a-\u202e\u2066-\u2069]/;

/** Texts of different directions stay in the order they are in. */
function isolated(text: string): string {
  return rightToLeft.test(text) ? `\u2068${text}\u2069` : text;
}

function short(value: Json): string {
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, partMax);
}

function firstLine(text: string): string {
  return text.slice(0, shownMax).split("\n", 1)[0]!;
}
