/**
 * Tasks, attempts, definitions and workers as JSON: the one place where data leave for the network, and so the one where
 * secrets are taken out.
 */
import type { Attempt } from "../tasks/core/attempt.ts";
import type { Pause } from "../tasks/core/pauses.ts";
import type { SavedSearch } from "../tasks/core/saved-searches.ts";
import type { StoredDefinition, WorkerRecord } from "../tasks/core/store.ts";
import type { Task } from "../tasks/core/task.ts";
import { encodeValue } from "../tasks/core/value.ts";
import type {
  AttemptDocument,
  DefinitionDocument,
  Json,
  PauseDocument,
  SavedSearchDocument,
  TaskDocument,
  WorkerDocument,
} from "./contract.ts";
import { editedPayload } from "./edited-payload.ts";
import { HttpError } from "./errors.ts";

/** Says whether the value under this key is a secret, which nobody is shown. */
export type Redact = (key: string) => boolean;

const secretKeys =
  /passw(or)?d|secret|token|authori[sz]ation|cookie|api[-_]?key|private[-_]?key|credential|^ssn$|card[-_]?number|^cvc$|^cvv$|^pin$/i;

/** By the names of keys that mostly hold secrets. */
export const redactByName: Redact = (key) => secretKeys.test(key);

export const redactedText = "[redacted]";
const depthMax = 100;

export class Documents {
  readonly #redact: Redact;

  constructor(redact: Redact) {
    this.#redact = redact;
  }

  task(task: Task): TaskDocument {
    const { payload, result, progress, tags, ...rest } = task;
    return {
      ...(jsonOf(rest) as unknown as TaskDocument),
      ...(payload !== undefined && { payload: this.#value(payload, "payload") }),
      ...(result !== undefined && { result: this.#value(result, "result") }),
      ...(progress && { progress }),
      ...(tags && { tags: [...tags] }),
    };
  }

  attempt({ taskId: _taskId, logs, ...rest }: Attempt): AttemptDocument {
    return {
      ...(jsonOf(rest) as unknown as AttemptDocument),
      logs: logs.map(({ at, level, message, fields }) => ({
        at: at.toISOString(),
        level,
        message,
        ...(fields && { fields: this.#redacted(jsonOf(fields)) as { [key: string]: Json } }),
      })),
    };
  }

  /**
   * A payload as somebody edited it who was shown `original`: what they left alone stays as it is.
   * @throws HttpError 422 when what was hidden from them cannot be told any more
   */
  edited(given: Json, original: unknown): unknown {
    const payload = editedPayload(given, this.#value(original, "payload"), original);
    const path = this.#pathOfHidden(payload as Json, "payload");
    if (path === undefined) return payload;
    throw new HttpError(
      422,
      "INVALID_PAYLOAD",
      `${path} is hidden, and what stood there cannot be told any more; write its value.`,
    );
  }

  definition(definition: StoredDefinition): DefinitionDocument {
    return jsonOf(definition) as unknown as DefinitionDocument;
  }

  search(search: SavedSearch): SavedSearchDocument {
    return this.#redacted(jsonOf(search)) as unknown as SavedSearchDocument;
  }

  pause(pause: Pause): PauseDocument {
    return jsonOf(pause) as unknown as PauseDocument;
  }

  worker(worker: WorkerRecord): WorkerDocument {
    return jsonOf(worker) as unknown as WorkerDocument;
  }

  #value(value: unknown, what: "payload" | "result"): Json {
    try {
      return this.#redacted(JSON.parse(encodeValue(value, what, Number.MAX_SAFE_INTEGER).json) as Json);
    } catch {
      return null;
    }
  }

  /** Where the text stands that was shown in the place of a secret. */
  #pathOfHidden(value: Json, path: string): string | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    for (const [key, item] of Object.entries(value)) {
      if (item === redactedText && this.#redact(key)) return `${path}.${key}`;
      const found = this.#pathOfHidden(item, `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #redacted(value: Json, depth = 0): Json {
    if (typeof value !== "object" || value === null || depth > depthMax) return value;
    if (Array.isArray(value)) return value.map((item) => this.#redacted(item, depth + 1));
    const entries = Object.entries(value).map(([key, item]): [string, Json] => [
      key,
      this.#redact(key) && item !== null ? redactedText : this.#redacted(item, depth + 1),
    ]);
    return Object.fromEntries(entries);
  }
}

function jsonOf(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
