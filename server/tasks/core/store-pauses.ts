/** What a store keeps of a pause: the tasks of a type, or of a queue, are not claimed until it is taken back. */

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
