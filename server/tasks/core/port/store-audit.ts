/** What a store keeps of a change that somebody asked for: who did what to what, when, and from where. */

/** What was done. */
export const auditActions = [
  "cancel",
  "retry",
  "edit",
  "delete",
  "enqueue",
  "run-again",
  "start-action",
  "end-action",
  "pause",
  "resume",
  "save-search",
  "delete-search",
  "log-in",
  "log-out",
  "create-token",
  "revoke-token",
] as const;
export type AuditAction = (typeof auditActions)[number];

/** What it was done to: a task, all tasks that a search finds, a type, a queue, a saved search, a session of the dashboard, or a token. */
export const auditKinds = ["task", "tasks", "type", "queue", "search", "session", "token"] as const;
export type AuditKind = (typeof auditKinds)[number];

/** From where: code, the command line, the HTTP API, the dashboard, which says so itself, or a worker that ends what was asked for. */
export const vias = ["code", "cli", "http", "dashboard", "worker"] as const;
export type Via = (typeof vias)[number];

/** Values that tell of a state; never a payload. */
export type AuditState = Readonly<Record<string, unknown>>;

/** Who asks for a change, and from where. */
export interface AskedBy {
  /** A name; at most 200 characters of it are kept. Absent when nobody said. */
  who?: string;
  /** Default 'code'. */
  via?: Via;
  /** Of the network. */
  address?: string;
  /** Of the HTTP request. */
  requestId?: string;
  /** Instead of what the change is called by itself. */
  action?: AuditAction;
  /** Beside what the store knows of the state afterwards; no payloads. At most 4,096 characters as JSON. */
  after?: AuditState;
}

/** It goes with a change into the store, which keeps a record in the change's own transaction. */
export interface By extends AskedBy {
  /** Of the record: one that is stored already is not stored again. */
  id: string;
  via: Via;
}

/** Of a change of one task. */
export interface ChangeBy extends By {
  /** It is part of an action, of which the record of that id tells: the task remembers that one, and no other is stored. */
  isPart?: true;
}

/** What was changed, as the store knows it. */
export interface AuditedChange {
  action: AuditAction;
  kind: AuditKind;
  /** The id of a task, the name of a queue, type or saved search, a query. */
  target: string;
  /** Of a task. */
  type?: string;
  before?: AuditState;
  after?: AuditState;
}

/** A record of the audit log. Its texts are of one line and bounded; see `auditRecord`. */
export interface AuditRecord extends Omit<By, "after">, AuditedChange {
  at: Date;
  action: AuditAction;
}

export interface AuditRead {
  actions?: readonly AuditAction[];
  who?: string;
  via?: Via;
  /** Of a task also the record of the action on a search that changed it last. */
  target?: string;
  /** What was done to anything but this kind. */
  exceptKind?: AuditKind;
  /** Milliseconds since 1970: records that were made in between, `start` included, `end` excluded. */
  start?: number;
  end?: number;
  /** Only what comes after this one, which is the last of the page before. */
  after?: AuditPlace;
  limit: number;
  /** At most so many records are looked at. */
  looksMax: number;
}

/** Where a record stands in the order of the log. */
export interface AuditPlace {
  /** Milliseconds since 1970. */
  at: number;
  id: string;
}

export interface AuditFound {
  records: AuditRecord[];
  /** The last record that was looked at, where there are fewer than `limit` up to it and perhaps more behind it. */
  cameTo?: AuditPlace;
}

export interface AuditPrune {
  /** Only records that were made before this instant; milliseconds since 1970. */
  before: number;
  /** At most this many. */
  limit: number;
}

const textsMax = { who: 200, address: 64, requestId: 128, target: 1_000, type: 128 } as const;
/** Of a state, as JSON. */
const stateMax = 4_096;
/** Of one text in a state that is too long as a whole. */
const stateTextMax = 500;

/** The record of a change, with every text on one line and within its bound. */
export function auditRecord(by: By, change: AuditedChange, at: number): AuditRecord {
  const { id, via, who, address, requestId } = by;
  const { kind, target, type, before } = change;
  const after = by.after || change.after ? { ...change.after, ...by.after } : undefined;
  return {
    ...{ id, at: new Date(at), action: by.action ?? change.action, kind, via },
    target: plain(target, textsMax.target),
    ...(type !== undefined && { type: plain(type, textsMax.type) }),
    ...(who !== undefined && { who: plain(who, textsMax.who) }),
    ...(address !== undefined && { address: plain(address, textsMax.address) }),
    ...(requestId !== undefined && { requestId: plain(requestId, textsMax.requestId) }),
    ...(before && { before: bounded(before) }),
    ...(after && { after: bounded(after) }),
  };
}

/** Line breaks and what terminals obey, and signs that turn the direction of writing, would make one record look like two. */
const unfit = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Names and reasons are written by people; what does not fit is cut off. */
function plain(text: string, lengthMax: number): string {
  const line = text.toWellFormed().replaceAll(unfit, "\ufffd");
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1).toWellFormed()}…`;
}

function bounded(state: AuditState): AuditState {
  const kept = plainIn(state, stateMax) as AuditState;
  if (JSON.stringify(kept).length <= stateMax) return kept;
  const cut = plainIn(state, stateTextMax) as AuditState;
  return JSON.stringify(cut).length <= stateMax ? cut : { cut: true };
}

/** As JSON keeps it: what it has no place for is left out. */
function plainIn(value: unknown, lengthMax: number): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, item) => (typeof item === "string" ? plain(item, lengthMax) : item)),
  );
}

/** Of a task, what an edit names. */
export function editState(
  edit: { priority?: number; dueAt?: number },
  task: { priority: number; dueAt: number },
): AuditState {
  return {
    ...(edit.priority !== undefined && { priority: task.priority }),
    ...(edit.dueAt !== undefined && { dueAt: new Date(task.dueAt).toISOString() }),
  };
}

/** Of new tasks: the one, or how many of them there are. Undefined when there is none. */
export function enqueuedChange(tasks: readonly { id: string; type: string }[]): AuditedChange | undefined {
  const [first] = tasks;
  if (!first) return undefined;
  const { id, type } = first;
  if (tasks.length === 1) return { action: "enqueue", kind: "task", target: id, type };
  return { action: "enqueue", kind: "type", target: type, after: { tasks: tasks.length } };
}
