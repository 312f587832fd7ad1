/** Why a pending task is not running: what the page knows itself, else what the API says of its turn. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { PauseDocument, TaskDocument, WorkerDocument } from "../contract.ts";
import { useFormat } from "../format.ts";
import { useWords } from "../i18n/language.tsx";
import { useNow } from "../now.ts";
import { queries } from "../queries.ts";
import { PauseSwitch } from "./pauses.tsx";
import styles from "./why-waiting.module.css";

export function WhyWaiting({ task }: { task: TaskDocument }) {
  const words = useWords();
  const format = useFormat();
  const now = useNow();
  const { data: workers } = useQuery(queries.workers());
  const { data: pauses } = useQuery(queries.pauses());
  const paused = pauses?.find((pause) => holds(pause, task));
  const dueAt = task.dueAt ? new Date(task.dueAt) : undefined;
  const unserved = workers && !workers.some((worker) => runs(worker, task.type));
  const pausedName = paused?.type ?? paused?.queue ?? "";
  const waitsForTime = dueAt !== undefined && dueAt.getTime() > now;
  const isDue = !paused && !unserved && !waitsForTime;
  const { data: reasons } = useQuery({ ...queries.reasons(task.id), enabled: isDue });
  let reason = reasons ? reasons.map(words.said).join(" ") : words.waitsForWorker;
  if (paused) {
    const since = format.dayTime(new Date(paused.pausedAt));
    reason = words.waitsPaused(pausedName, since, paused.reason);
  } else if (unserved) reason = words.waitsNobody(task.type);
  else if (waitsForTime) {
    const time = format.ago(dueAt, now);
    reason = task.attempts > 0 && task.error ? words.waitsForRetry(time) : words.waitsForTime(time);
  }
  return (
    <p className={`${styles.why} ${unserved ? styles.unserved : ""}`}>
      <strong>{words.whyWaiting}</strong>
      <span>{reason}</span>
      {paused ? (
        <PauseSwitch kind={paused.type === undefined ? "queue" : "type"} name={pausedName} isPaused />
      ) : (
        (unserved || !waitsForTime) && <Link to="/workers">{words.workers}</Link>
      )}
    </p>
  );
}

/** Whether the task waits for this to be resumed. */
function holds({ type, queue }: PauseDocument, task: TaskDocument): boolean {
  return type === undefined ? queue === (task.queue ?? "default") : type === task.type;
}

/** Whether a worker that is alive runs tasks of this type. */
export function runs(worker: WorkerDocument, type: string): boolean {
  return worker.state === "alive" && worker.types.includes(type);
}
