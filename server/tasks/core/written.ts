/** From a store's answer to a value or an error: the one place where `rejected` and `unknown` become DureErrors. */
import type { ErrorCode } from "./errors.ts";
import { DureError } from "./errors.ts";
import { grouped } from "./grouped.ts";
import type { TaskStore, Written } from "./store.ts";

const codes: Record<string, ErrorCode> = {
  "id-taken": "TASK_ID_TAKEN",
  "idempotency-conflict": "IDEMPOTENCY_CONFLICT",
  "queue-full": "QUEUE_FULL",
  "not-found": "TASK_NOT_FOUND",
  finished: "STATUS_CONFLICT",
  "not-finished": "STATUS_CONFLICT",
  completed: "STATUS_CONFLICT",
  "not-pending": "STATUS_CONFLICT",
  version: "VERSION_CONFLICT",
};

/** The committed value; a DureError when the step was refused or its fate is unknown. */
export function committed<Value>(answer: Written<Value, string>, store: Pick<TaskStore, "location">): Value {
  if (answer.kind === "ok") return answer.value;
  if (answer.kind === "unknown") {
    throw new DureError(
      "COMMIT_UNKNOWN",
      `The connection to ${store.location} was lost while committing. The change may or may not have happened; ` +
        `read the task again, or send the same call once more.`,
      { cause: answer.cause },
    );
  }
  throw new DureError(
    codes[answer.reason] ?? "STATUS_CONFLICT",
    describe(answer.reason, answer.details ?? {}),
    {
      details: { reason: answer.reason, ...answer.details },
    },
  );
}

function describe(reason: string, details: Record<string, unknown>): string {
  const item = details.index === undefined ? "" : `Item ${details.index}: `;
  const id = `"${details.id}"`;
  const undone = details.rollBack
    ? "Roll back your transaction: other tasks of this call may be in it."
    : "Nothing was enqueued.";
  switch (reason) {
    case "id-taken":
      return `${item}${id} is already the id of a ${details.owner ?? "task"}; give the task another id. ${undone}`;
    case "idempotency-conflict":
      return (
        `${item}The idempotency key "${details.key}" belongs to task ${details.existingId}, which has another payload. ` +
        `Use another key, or the same payload. ${undone}`
      );
    case "queue-full":
      return (
        `The queue "${details.queue}" may have ${grouped(details.max as number)} of its tasks waiting (queueDepthMax), and would ` +
        `have more. ${undone} Enqueue again when some have been run, start more workers, or raise the limit.`
      );
    case "not-found": {
      if (details.isDefinition)
        return `${id} is the id of a definition. Give the id of one of its tasks; "dure search --type ${details.id}" lists them.`;
      const near = (details.near as string[] | undefined) ?? [];
      const hint = near.length > 0 ? ` Did you mean ${near.map((other) => `"${other}"`).join(" or ")}?` : "";
      return `There is no task ${id}.${hint}`;
    }
    case "version":
      return `Task ${id} was changed since it was read: its version is ${details.version}, not ${details.expectedVersion}. Read it again.`;
    case "finished":
      return `Task ${id} has already ended ${details.status}; it cannot be cancelled.`;
    case "not-finished":
      return `Task ${id} is ${details.status}; this works on tasks that have ended. Cancel it first.`;
    case "completed":
      return `Task ${id} is COMPLETED; only FAILED and CANCELLED tasks can be retried. Enqueue a new one instead.`;
    case "not-pending":
      return `Task ${id} is ${details.status}; only PENDING tasks can be edited.`;
    default:
      return `The change of ${id} was refused: ${reason}.`;
  }
}
