/** What a store keeps of a pause: the tasks of a type, or of a queue, are not claimed until it is taken back. */
import type { AuditedChange } from "./store-audit.ts";

export type PauseKind = "type" | "queue";

/** What is paused. */
export interface PauseName {
  kind: PauseKind;
  name: string;
}

export interface StoredPause extends PauseName {
  pausedAt: Date;
  reason?: string;
}

/** More are not kept, since every claim looks at them. */
export const pausesMax = 1_000;

/** What the audit log says of a pause; undefined when it changed nothing. */
export function pauseChange(before: StoredPause | undefined, after: StoredPause): AuditedChange | undefined {
  if (before && before.reason === after.reason) return undefined;
  return {
    ...{ action: "pause", kind: after.kind, target: after.name, after: { reason: after.reason } },
    ...(before && { before: { reason: before.reason } }),
  };
}

export function resumeChange({ kind, name, pausedAt, reason }: StoredPause): AuditedChange {
  const before = { pausedAt: pausedAt.toISOString(), reason };
  return { action: "resume", kind, target: name, before };
}
