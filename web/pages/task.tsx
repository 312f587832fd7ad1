/** One task: what it is, what happened to it, and what can be done about it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ApiError } from "../api.ts";
import { Attempts } from "../components/attempts.tsx";
import { CopyButton } from "../components/copy-button.tsx";
import { Empty, Failure } from "../components/empty.tsx";
import { ErrorText } from "../components/error-text.tsx";
import { JsonPanel } from "../components/json-tree.tsx";
import { Panel, useTitle } from "../components/page.tsx";
import { StatusBadge } from "../components/status.tsx";
import { ProgressLine } from "../components/task-about.tsx";
import { TaskButtons } from "../components/task-buttons.tsx";
import { TaskFacts } from "../components/task-facts.tsx";
import { WhyWaiting } from "../components/why-waiting.tsx";
import type { TaskDetail, TaskDocument } from "../contract.ts";
import { useWords } from "../i18n/language.tsx";
import { queries } from "../queries.ts";
import { useSeesPayloads } from "../role.ts";
import { taskRoute } from "../router.tsx";
import styles from "./task.module.css";

export function TaskView() {
  const words = useWords();
  const { id } = taskRoute.useParams();
  const { data, error, refetch } = useQuery(queries.task(id));
  useTitle(data ? `${words[data.task.status]} · ${data.task.type}` : id);
  if (data) return <Detail key={data.task.id} detail={data} />;
  if (error instanceof ApiError && error.status === 404) {
    return (
      <Empty title={words.taskGone} text={words.taskGoneText}>
        <code className={styles.id}>{id}</code>
        <Link to="/tasks">{words.showAllTasks}</Link>
      </Empty>
    );
  }
  if (error) return <Failure error={error} onRetry={refetch} />;
  return <p className={styles.loading}>{words.loading}</p>;
}

function Detail({ detail: { task, attempts } }: { detail: TaskDetail }) {
  const words = useWords();
  const seesPayloads = useSeesPayloads();
  const latest = attempts.at(-1);
  // Somebody asked for it: no fault, and where its handler was then is nobody's question.
  const wasStopped = task.status === "CANCELLED" && latest?.error?.name === "AbortReason";
  return (
    <article className={styles.page}>
      <header className={styles.header}>
        <div className={styles.heading}>
          <h1>
            <Link to="/tasks" search={{ type: task.type }} className={styles.type!}>
              {task.type}
            </Link>
          </h1>
          <StatusBadge status={task.status} large />
        </div>
        <div className={styles.idLine}>
          <code className={styles.id}>{task.id}</code>
          <CopyButton text={task.id} label={`${words.copy}: ${words.id}`} />
        </div>
        {task.description && (
          <p className={styles.description} dir="auto">
            {task.description}
          </p>
        )}
        <TaskButtons task={task} />
      </header>
      <Notes task={task} />
      {task.error && !wasStopped && <ErrorPanel task={task} error={latest?.error} />}
      <div className={styles.columns}>
        <div className={styles.main}>
          <Panel
            title={words.payload}
            actions={task.payload !== undefined && <CopyJson value={task.payload} />}
          >
            <JsonPanel value={task.payload} empty={seesPayloads ? words.noPayload : words.hiddenFromYou} />
          </Panel>
          {task.status === "COMPLETED" && (
            <Panel
              title={words.result}
              actions={task.result !== undefined && <CopyJson value={task.result} />}
            >
              <JsonPanel value={task.result} empty={seesPayloads ? words.noResult : words.hiddenFromYou} />
            </Panel>
          )}
          <Panel title={words.attempts} flush>
            <Attempts attempts={attempts} errorToldOf={task.error ? latest?.fence : undefined} />
          </Panel>
        </div>
        <Panel>
          <TaskFacts task={task} />
        </Panel>
      </div>
    </article>
  );
}

function CopyJson({ value }: { value: unknown }) {
  const words = useWords();
  return <CopyButton text={JSON.stringify(value, null, 2)} label={words.copyJson} />;
}

/** What a reader should know before all else. */
function Notes({ task }: { task: TaskDocument }) {
  const words = useWords();
  return (
    <>
      {task.isDefinition && (
        <p className={styles.note}>
          {words.definitionEntry}{" "}
          <Link to="/definitions/$type/enqueue" params={{ type: task.type }}>
            {words.enqueueTitle(task.type)}
          </Link>
        </p>
      )}
      {task.status === "PENDING" && !task.isDefinition && <WhyWaiting task={task} />}
      {task.status === "RUNNING" && task.cancelRequestedAt && (
        <p className={styles.note}>{words.cancelRequested}</p>
      )}
      {task.status === "RUNNING" && task.progress && (
        <p className={styles.note}>
          <ProgressLine progress={task.progress} wide />
        </p>
      )}
      {task.unreadable && (
        <p className={styles.note}>
          {words.unreadable}: {task.unreadable}
        </p>
      )}
    </>
  );
}

function ErrorPanel({ task, error }: { task: TaskDocument; error: TaskDetail["attempts"][number]["error"] }) {
  const words = useWords();
  return (
    <section className={styles.error} aria-label={words.error}>
      <ErrorText error={error ?? { name: "Error", message: task.error ?? "" }} />
    </section>
  );
}
