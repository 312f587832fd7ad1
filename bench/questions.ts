/** The questions that the bench asks, and who is asked each. */

export interface Question {
  name: string;
  /** Files in cases/, unless the name of the question is that of its case. */
  case?: string;
  bare?: string;
  /** Whether the peers can answer it. */
  peers?: boolean;
  /** Needs the file with many finished tasks. */
  history?: boolean;
  /** Slow ones are asked fewer times. */
  roundsMax?: number;
  /** Tasks for the peers, where they take long. */
  peerTasks?: number;
}

export const questions: readonly Question[] = [
  { name: "bulk-enqueue", bare: "bulk-enqueue", peers: true },
  { name: "enqueue-attributes" },
  { name: "one-by-one", bare: "one-by-one", peers: true, peerTasks: 10_000 },
  { name: "hundred-callers" },
  { name: "drain", bare: "drain", peers: true },
  { name: "drain-with-history", bare: "drain-with-history", history: true },
  { name: "drain-searched", history: true },
  { name: "drain-acted", roundsMax: 1 },
  { name: "drain-queues" },
  { name: "at-once", bare: "at-once", peers: true },
  { name: "latency", peers: true, peerTasks: 1_000 },
  { name: "latency-across" },
  { name: "loop-drain" },
  { name: "loop-search", history: true },
  { name: "memory", roundsMax: 1 },
  { name: "idle" },
];
