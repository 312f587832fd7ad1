/** A line of the archive: a finished task with its attempts as JSON, and back. */
import type { Attempt } from "../../core/attempt.ts";
import type { ArchivedTask } from "../../core/store.ts";
import type { Task } from "../../core/task.ts";
import { decodeValue, encodedDocument, encodeValue } from "../../core/values/value.ts";

const instants = [
  "createdAt",
  "updatedAt",
  "startedAt",
  "completedAt",
  "dueAt",
  "cancelRequestedAt",
] as const;

/** Plain JSON; payload and result as they are stored, their types beside them where JSON alone would lose them. */
export function toLine({ task, attempts, attributes }: ArchivedTask): string {
  const { payload, result, ...rest } = task;
  return JSON.stringify({
    ...rest,
    ...valueFields("payload", payload),
    ...valueFields("result", result),
    ...(attributes && { attributes }),
    history: attempts,
  });
}

function valueFields(name: "payload" | "result", value: unknown): Record<string, unknown> {
  if (value === undefined) return {};
  try {
    const document = encodedDocument(encodeValue(value, name, Number.POSITIVE_INFINITY));
    return {
      [name]: document.value,
      ...(document.types !== undefined && { [`${name}Types`]: document.types }),
    };
  } catch {
    return { [name]: null, [`${name}Unreadable`]: true };
  }
}

/** What the line holds; undefined for one that is damaged. */
export function fromLine(line: string): ArchivedTask | undefined {
  try {
    return toArchived(JSON.parse(line));
  } catch {
    return undefined;
  }
}

function toArchived(record: Record<string, any>): ArchivedTask | undefined {
  if (typeof record.id !== "string" || typeof record.type !== "string") return undefined;
  const { history, attributes, payload, payloadTypes, payloadUnreadable, ...others } = record;
  const { result, resultTypes, resultUnreadable, ...rest } = others;
  const task = { ...rest } as unknown as Task;
  for (const name of instants) if (rest[name] !== undefined) task[name] = toDate(rest[name]);
  const unreadable = [
    setValue(task, "payload", payload, payloadTypes, payloadUnreadable),
    setValue(task, "result", result, resultTypes, resultUnreadable),
  ].find((problem) => problem !== undefined);
  if (unreadable !== undefined) task.unreadable ??= unreadable;
  return { task, attempts: (history ?? []).map(toAttempt), ...(attributes && { attributes }) };
}

/** Sets it where there is one; what is wrong with it. */
function setValue(
  task: Task,
  name: "payload" | "result",
  value: unknown,
  types: unknown,
  isUnreadable: unknown,
): string | undefined {
  if (isUnreadable) return `The ${name} could not be read when the task was archived.`;
  if (value === undefined) return undefined;
  if (types === undefined) {
    task[name] = value;
    return undefined;
  }
  try {
    task[name] = decodeValue({ json: JSON.stringify(value), types: JSON.stringify(types) });
    return undefined;
  } catch {
    task[name] = value;
    return `The types of the ${name} in the archive cannot be read.`;
  }
}

function toAttempt(attempt: any): Attempt {
  return {
    ...attempt,
    startedAt: toDate(attempt.startedAt),
    ...(attempt.endedAt !== undefined && { endedAt: toDate(attempt.endedAt) }),
    logs: (attempt.logs ?? []).map((log: any) => ({ ...log, at: toDate(log.at) })),
  };
}

/** @throws Error for what is no instant */
function toDate(value: unknown): Date {
  const date = new Date(value as string);
  if (Number.isNaN(date.getTime())) throw new Error("no instant");
  return date;
}
