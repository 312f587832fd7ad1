/** How a verb that changes something answers. */

export type Written<Value, Reason extends string = never> =
  | { kind: "ok"; value: Value }
  | { kind: "rejected"; reason: Reason; details?: Record<string, unknown> }
  | { kind: "unknown"; cause: unknown };
