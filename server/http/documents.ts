/**
 * Tasks, attempts, definitions and workers as JSON: the one place where data leave for the network, and so the one where
 * secrets are taken out.
 */
import type { Attempt } from "../tasks/core/attempt.ts";
import type { TaskGroup } from "../tasks/core/counts/summary.ts";
import type { ExplanationReason } from "../tasks/core/explain.ts";
import type { Pause } from "../tasks/core/pauses.ts";
import type { AuditState } from "../tasks/core/port/store-audit.ts";
import type { AlertTask } from "../tasks/core/port/store-saved.ts";
import type { SavedSearch } from "../tasks/core/saved-searches.ts";
import type { Attributes, AuditRecord, StoredDefinition, WorkerRecord } from "../tasks/core/store.ts";
import type { Task, TaskProgress } from "../tasks/core/task.ts";
import { isSecretKey } from "../tasks/core/values/secret-keys.ts";
import { redactedText, withoutSecrets } from "../tasks/core/values/secret-text.ts";
import { encodedDocument, encodeValue } from "../tasks/core/values/value.ts";
import type {
  AttemptDocument,
  AuditDocument,
  DefinitionDocument,
  ErrorGroup,
  Json,
  PauseDocument,
  SavedSearchDocument,
  StoredError,
  SummaryGroup,
  TaskDocument,
  WorkerDocument,
} from "./contract.ts";
import { editedPayload } from "./edited-payload.ts";
import { HttpError } from "./errors.ts";

/** Says whether the value under this key is a secret, which nobody is shown. */
export type Redact = (key: string) => boolean;

/** By the names of keys that mostly hold secrets. */
export const redactByName: Redact = isSecretKey;

/** In the place of what only those see who may see payloads. */
const hiddenText = "[hidden]";

/** Of JSON; payloads are a hundred levels deep, of which a Map takes three each. */
const depthMax = 400;

export class Documents {
  readonly #redact: Redact;
  readonly #redactTexts: boolean;
  /** For those who may not see payloads: nothing of what is the user's own. */
  readonly #hidden: HiddenDocuments | undefined;

  /** @param redact false for nothing at all */
  constructor(redact: Redact | false, hidden = true) {
    this.#redact = redact || (() => false);
    this.#redactTexts = redact !== false;
    this.#hidden = hidden ? new HiddenDocuments(redact, false) : undefined;
  }

  /** As one is shown them who sees payloads, or does not. */
  shownTo(seesPayloads: boolean): Documents {
    return seesPayloads ? this : (this.#hidden ?? this);
  }

  task(task: Task, attributes?: Attributes): TaskDocument {
    const { payload, result, progress, tags, error, ...rest } = task;
    return {
      ...(jsonOf(rest) as unknown as TaskDocument),
      ...(payload !== undefined && { payload: this.#value(payload, "payload") }),
      ...(result !== undefined && { result: this.#value(result, "result") }),
      ...(attributes && { attributes: this.#redacted(jsonOf(attributes)) as { [name: string]: Json } }),
      ...(error !== undefined && { error: this.text(error) }),
      ...(progress && { progress: this.#progress(progress) }),
      ...(tags && { tags: [...tags] }),
    };
  }

  #progress({ message, ...rest }: TaskProgress): TaskProgress {
    return { ...rest, ...(message !== undefined && { message: this.text(message) }) };
  }

  /** What somebody wrote, with the secrets in it taken out. */
  text(text: string): string {
    return this.#redactTexts ? withoutSecrets(text) : text;
  }

  attempt({ taskId: _taskId, logs, error, ...rest }: Attempt): AttemptDocument {
    return {
      ...(jsonOf(rest) as unknown as AttemptDocument),
      ...(error && { error: this.#error(jsonOf(error) as unknown as StoredError) }),
      logs: logs.map(({ at, level, message, fields }) => ({
        at: at.toISOString(),
        level,
        message: this.text(message),
        ...(fields && { fields: this.#redacted(jsonOf(fields)) as { [key: string]: Json } }),
      })),
    };
  }

  /**
   * A payload as somebody edited it who was shown `original`: what they left alone stays as it is.
   * @throws HttpError 422 when what was hidden from them cannot be told any more
   */
  edited(given: Json, original: unknown, name = "payload"): unknown {
    const payload = editedPayload(given, this.#value(original, "payload"), original);
    const path = this.#pathOfHidden(payload as Json, name);
    if (path === undefined) return payload;
    throw new HttpError(
      422,
      "INVALID_PAYLOAD",
      `${path} is hidden, and what stood there cannot be told any more; write its value.`,
    );
  }

  /**
   * A task of an alert as somebody edited it who was shown `original`; another type is not given what was hidden.
   * @throws HttpError 422 as `edited`
   */
  editedAlertTask(given: AlertTask, original: AlertTask | undefined, name: string): AlertTask {
    if (given.payload === undefined) return given;
    const before = original?.type === given.type ? original.payload : undefined;
    const payload = this.edited(given.payload as Json, before, `${name}.payload`);
    return { ...given, payload: payload as NonNullable<AlertTask["payload"]> };
  }

  errorGroup(group: ErrorGroup): ErrorGroup {
    // A secret is among what differs: the fingerprint, and the query of it, have none.
    return { ...group, message: this.text(group.message) };
  }

  /** Counts by attributes; the values of one whose name says that it is a secret are not shown. */
  group(group: TaskGroup): SummaryGroup {
    const shown = Object.entries(jsonOf(group) as object).map(([key, value]) => [
      key,
      key.startsWith("attribute.") && this.#redact(key.slice("attribute.".length)) ? redactedText : value,
    ]);
    return Object.fromEntries(shown) as SummaryGroup;
  }

  /** It may say what an error said. */
  reason({ until, message, ...rest }: ExplanationReason, _error?: string) {
    return { ...rest, message: this.text(message), ...(until && { until: until.toISOString() }) };
  }

  /** Whether the name of an attribute says that it is a secret. */
  hides(attribute: string): boolean {
    return this.#redact(attribute);
  }

  definition(definition: StoredDefinition): DefinitionDocument {
    return jsonOf(definition) as unknown as DefinitionDocument;
  }

  /** What keeps an alert from its work may quote the payload that it would have enqueued. */
  search({ alertState, ...search }: SavedSearch): SavedSearchDocument {
    const { problem, ...state } = alertState ?? {};
    const shown = {
      ...search,
      ...(alertState && {
        alertState: { ...state, ...(problem !== undefined && { problem: this.text(problem) }) },
      }),
    };
    return this.#redacted(jsonOf(shown)) as unknown as SavedSearchDocument;
  }

  pause(pause: Pause): PauseDocument {
    return mapTexts(jsonOf(pause), (text) => this.text(text)) as unknown as PauseDocument;
  }

  /** Queries and reasons are what somebody wrote. */
  auditRecord(record: AuditRecord): AuditDocument {
    const shown = this.#redacted(jsonOf(record)) as { [key: string]: Json };
    return mapTexts(shown, (text) => this.text(text)) as unknown as AuditDocument;
  }

  worker(worker: WorkerRecord): WorkerDocument {
    return jsonOf(worker) as unknown as WorkerDocument;
  }

  #error({ message, stack, cause, ...rest }: StoredError): StoredError {
    return {
      ...rest,
      message: this.text(message),
      ...(stack !== undefined && { stack: this.text(stack) }),
      ...(cause && { cause: this.#error(cause) }),
    };
  }

  #value(value: unknown, what: "payload" | "result"): Json {
    try {
      const document = encodedDocument(encodeValue(value, what, Number.MAX_SAFE_INTEGER));
      return this.#redacted(document.value as Json);
    } catch {
      return null;
    }
  }

  /** Where the text stands that was shown in the place of a secret. */
  #pathOfHidden(value: Json, path: string): string | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    const isPair = Array.isArray(value) && this.#isSecretPair(value);
    for (const [key, item] of Object.entries(value)) {
      if (item === redactedText && (this.#redact(key) || (isPair && key === "1"))) return `${path}.${key}`;
      const found = this.#pathOfHidden(item, `${path}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Entries of a Map, and headers as they are often kept: a key and its value. */
  #isSecretPair(value: readonly Json[]): boolean {
    return value.length === 2 && typeof value[0] === "string" && value[1] !== null && this.#redact(value[0]);
  }

  #redacted(value: Json, depth = 0): Json {
    if (typeof value !== "object" || value === null) return value;
    if (depth > depthMax) return redactedText;
    if (Array.isArray(value)) {
      if (this.#isSecretPair(value)) return [value[0]!, redactedText];
      return value.map((item) => this.#redacted(item, depth + 1));
    }
    const entries = Object.entries(value).map(([key, item]): [string, Json] => [
      key,
      this.#redact(key) && item !== null ? redactedText : this.#redacted(item, depth + 1),
    ]);
    return Object.fromEntries(entries);
  }
}

/** Fields whose values tell nothing of a payload. */
const openFields: ReadonlySet<string> = new Set([
  "status",
  "type",
  "queue",
  "id",
  "tag",
  "worker",
  "is",
  "sort",
]);

class HiddenDocuments extends Documents {
  override task(task: Task): TaskDocument {
    const { payload: _payload, result: _result, progress, idempotencyKey: _key, error, ...rest } = task;
    const { done, total } = progress ?? {};
    return super.task({
      ...rest,
      ...(done !== undefined && { progress: { done, ...(total !== undefined && { total }) } }),
      ...(error !== undefined && { error: hiddenText }),
    } as Task);
  }

  override attempt({ error, ...rest }: Attempt): AttemptDocument {
    const { name, code } = error ?? {};
    const shown = name !== undefined && { error: { name, message: hiddenText, ...(code && { code }) } };
    return super.attempt({ ...rest, ...shown, logs: [] });
  }

  override reason(reason: ExplanationReason, error?: string) {
    const message = error ? reason.message.replaceAll(error, () => hiddenText) : reason.message;
    return super.reason({ ...reason, message });
  }

  override search({ alert, alertState, ...search }: SavedSearch): SavedSearchDocument {
    const problem = alertState?.problem === undefined ? {} : { problem: hiddenText };
    return super.search({
      ...search,
      ...(alert && { alert: withoutPayloads(alert) }),
      ...(alertState && { alertState: { ...alertState, ...problem } }),
    } as SavedSearch);
  }

  override auditRecord({ target, before, after, ...record }: AuditRecord): AuditDocument {
    return super.auditRecord({
      ...record,
      target: record.kind === "tasks" ? hiddenText : target,
      ...(before && { before: openState(before) }),
      ...(after && { after: openState(after) }),
    });
  }

  /** They edit what they have not seen: what they give is all of it. */
  override edited(given: Json): unknown {
    return given;
  }

  /** A payload that is left out stays as it is; one that is given is all of it. */
  override editedAlertTask(given: AlertTask, original: AlertTask | undefined): AlertTask {
    if (given.payload !== undefined || original?.type !== given.type) return given;
    return original;
  }

  override hides(field: string): boolean {
    return !openFields.has(field);
  }
}

function withoutPayloads({ enqueue, recovered, ...rest }: NonNullable<SavedSearch["alert"]>) {
  return {
    ...rest,
    enqueue: { type: enqueue.type },
    ...(recovered && { recovered: { type: recovered.type } }),
  };
}

/** Without what somebody wrote: queries, which may look into payloads, and reasons. */
function openState(state: AuditState): AuditState {
  return Object.fromEntries(Object.entries(state).filter(([key]) => openStates.has(key)));
}

const openStates: ReadonlySet<string> = new Set([
  ...["status", "cancelRequested", "priority", "dueAt", "pausedAt", "tasks", "from", "payloadEdited"],
  ...["action", "matched", "changed", "skipped", "aborted"],
]);

function mapTexts(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)]));
}

function jsonOf(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
