/** The small world the dashboard is tested on: tasks of every status, errors, workers, and texts that try to be markup. */
import type {
  AttemptDocument,
  DefinitionDocument,
  Json,
  PauseDocument,
  SavedSearchDocument,
  Status,
  TaskDocument,
  WorkerDocument,
} from "../../../web/contract.ts";

/** Texts that run or load something when a page takes them for markup or for an address. */
export const hostileTexts = [
  `<script>globalThis.hacked = true</script>`,
  `<img src=x onerror="globalThis.hacked = true">`,
  `"><svg onload=globalThis.hacked=true>`,
  `javascript:globalThis.hacked=true`,
  `{{constructor.constructor("globalThis.hacked=true")()}}`,
  `</title><iframe srcdoc="<script>parent.hacked=true</script>">`,
  `' onmouseover='globalThis.hacked=true`,
  `\u202Egnp.exe\u0000\u2028<b>`,
] as const;

const types = ["resize-image", "send-receipt", "nightly-report"] as const;
const minuteMs = 60_000;

export interface World {
  tasks: TaskDocument[];
  attempts: Map<string, AttemptDocument[]>;
  workers: WorkerDocument[];
  definitions: DefinitionDocument[];
  searches: SavedSearchDocument[];
  pauses: PauseDocument[];
}

export function makeWorld({ size, now }: { size: number; now: number }): World {
  const world: World = {
    tasks: [],
    attempts: new Map(),
    workers: workersAt(now),
    definitions: definitionsAt(now),
    searches: searchesAt(now),
    pauses: [],
  };
  for (let index = 0; index < size; index += 1) addTask(world, taskAt(index, now - index * 20_000));
  for (const [index, text] of hostileTexts.entries())
    addTask(world, hostileTask(text, now - index * minuteMs - 5));
  world.tasks.sort((one, other) => Date.parse(other.createdAt) - Date.parse(one.createdAt));
  return world;
}

function addTask(world: World, task: TaskDocument): void {
  world.tasks.push(task);
  world.attempts.set(task.id, attemptsOf(task));
}

function taskAt(index: number, createdMs: number): TaskDocument {
  const type = types[index % 3]!;
  const status = statusAt(index);
  const startedMs = createdMs + 1200 + (index % 7) * 300;
  const endedMs = startedMs + 150 + ((index * 7919) % 9000);
  const ended = status === "COMPLETED" || status === "FAILED" || status === "CANCELLED";
  return {
    id: `0f3a${String(index).padStart(8, "0")}-receipt`,
    type,
    status,
    createdAt: iso(createdMs),
    updatedAt: iso(ended ? endedMs : createdMs),
    ...(status !== "PENDING" && { startedAt: iso(startedMs) }),
    ...(ended && { completedAt: iso(endedMs) }),
    payload: payloadAt(type, index),
    ...(status === "COMPLETED" && { result: { widths: [320, 640, 1280], bytes: 48_213 + index } }),
    ...(status === "FAILED" && { error: errorAt(index) }),
    maxAttempts: 5,
    attempts: status === "PENDING" ? 0 : status === "FAILED" ? 5 : 1 + (index % 2),
    queue: type === "nightly-report" ? "reports" : "default",
    priority: index % 5 === 0 ? 10 : 0,
    tags: index % 4 === 0 ? ["vip", "eu"] : [],
    ...(status !== "PENDING" && { workerId: "w-7f21" }),
    ...(status === "RUNNING" && { progress: { done: 40 + (index % 50), total: 100, message: "resizing" } }),
    ...(status === "PENDING" && { dueAt: iso(createdMs + 10 * minuteMs) }),
    version: 3,
  };
}

function statusAt(index: number): Status {
  if (index < 6) return "PENDING";
  if (index < 10) return "RUNNING";
  if (index % 11 === 0) return "FAILED";
  return index % 29 === 0 ? "CANCELLED" : "COMPLETED";
}

function payloadAt(type: string, index: number): Json {
  if (type === "resize-image") return { url: `https://example.com/photos/${index}.jpg`, widthPx: 640 };
  if (type === "send-receipt") return { orderId: 41_000 + index, email: `reader${index}@example.com` };
  return { month: "2026-10", sections: ["sales", "returns"], options: { currency: "EUR", rows: index } };
}

function errorAt(index: number): string {
  return index % 2 === 0
    ? "connect ETIMEDOUT 10.0.0.7:443"
    : `Picture ${index}.jpg is 0 bytes long; at least 1 was expected`;
}

function hostileTask(text: string, createdMs: number): TaskDocument {
  return {
    ...taskAt(11, createdMs),
    id: text,
    type: text,
    status: "FAILED",
    description: text,
    error: text,
    queue: text,
    tags: [text],
    payload: { [text]: text, list: [text] },
    idempotencyKey: text,
  };
}

function attemptsOf(task: TaskDocument): AttemptDocument[] {
  if (!task.startedAt) return [];
  const startedMs = Date.parse(task.startedAt);
  const count = task.status === "FAILED" ? 3 : 1;
  return Array.from({ length: count }, (_, index): AttemptDocument => {
    const beganMs = startedMs - (count - 1 - index) * 8000;
    const last = index === count - 1;
    const endedAt = last ? task.completedAt : iso(beganMs + 900);
    return {
      fence: index + 1,
      number: index + 1,
      ...(task.workerId && { workerId: task.workerId }),
      startedAt: iso(beganMs),
      ...(endedAt && { endedAt }),
      ...(endedAt && {
        outcome:
          last && task.status === "COMPLETED"
            ? "completed"
            : last && task.status === "CANCELLED"
              ? "cancelled"
              : "failed",
      }),
      ...(task.error && {
        error: storedError(task.error, index === 0 ? "pictures.ts:40:5" : "resize-image.ts:18:11"),
      }),
      logs: [
        { at: iso(beganMs + 20), level: "info", message: "fetching", fields: { bytes: 48_213 } },
        { at: iso(beganMs + 400), level: "warn", message: task.error ?? "slow answer, 380 ms" },
      ],
    };
  });
}

function storedError(message: string, place: string) {
  return {
    name: "FetchError",
    message,
    code: "ETIMEDOUT",
    stack: `FetchError: ${message}\n    at fetchPicture (/app/tasks/${place})\n    at async run (/app/tasks/resize-image.ts:7:3)`,
    cause: { name: "Error", message: "socket hang up" },
  };
}

function searchesAt(now: number): SavedSearchDocument[] {
  const at = (agoMs: number) => new Date(now - agoMs).toISOString();
  const saved = { createdAt: at(86_400_000), updatedAt: at(86_400_000) };
  return [
    {
      ...{ name: "failed-receipts", query: "status:failed type:send-receipt", ...saved },
      description: "Receipts that nobody got",
    },
    {
      ...{ name: "stuck-emails", query: "type:send-receipt status:pending created:<10m", ...saved },
      alert: { over: 100, for: "5m", enqueue: { type: "nightly-report" } },
      alertState: { checkedAt: at(9_000), count: 134, since: at(900_000), enqueuedAt: at(600_000) },
    },
  ];
}

function workersAt(now: number): WorkerDocument[] {
  const worker = { host: "app-1", pid: 4211, concurrency: 8, types: [...types], leaseMs: 30_000 };
  return [
    {
      ...worker,
      id: "w-7f21",
      name: "app-1",
      state: "alive",
      startedAt: iso(now - 90 * minuteMs),
      beatAt: iso(now - 2000),
      running: 4,
      loopDelayMs: 12,
    },
    {
      ...worker,
      id: "w-8a02",
      host: "app-2",
      state: "alive",
      startedAt: iso(now - 30 * minuteMs),
      beatAt: iso(now - 4000),
      running: 0,
      loopDelayMs: 1_240,
    },
    {
      ...worker,
      id: "w-01cc",
      host: "app-3",
      state: "dead",
      startedAt: iso(now - 900 * minuteMs),
      beatAt: iso(now - 40 * minuteMs),
      running: 0,
    },
    {
      ...worker,
      id: "w-00aa",
      host: "app-3",
      state: "stopped",
      startedAt: iso(now - 990 * minuteMs),
      beatAt: iso(now - 950 * minuteMs),
      running: 0,
    },
  ];
}

const resizeSchema = {
  type: "object",
  properties: {
    url: { type: "string", description: "Where the picture is" },
    widthPx: { type: "integer" },
    format: { enum: ["webp", "avif"] },
    crop: { type: "object" },
  },
  required: ["url"],
};

function definitionsAt(now: number): DefinitionDocument[] {
  const about = {
    "resize-image": "Makes the three sizes of an uploaded picture",
    "send-receipt": "Mails the receipt of a paid order",
    "nightly-report": "Sums up the day",
  };
  return types.map((id) => ({
    id,
    description: about[id],
    maxAttempts: 5,
    queue: id === "nightly-report" ? "reports" : "default",
    priority: 0,
    timeoutMs: id === "nightly-report" ? null : 120_000,
    tags: [],
    rerunAfterCrash: true,
    ...(id === "resize-image" && { payloadSchema: resizeSchema }),
    createdAt: iso(now - 9e7),
    updatedAt: iso(now - 9e7),
  }));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
